"""The folder of one run: made, locked while the run lives, cleared up whatever ends it.

What a run that was killed could not clear up, its guardian does; what the guardian could not either (a machine that
went down), the next run sweeps. A lock tells a living run's folder from a dead one's.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ecluse import process
from ecluse.checks.session import TRACKING, remove_folder
from ecluse.files import FileLock, is_locked, storage_problem

PREFIX = "ecluse-run-"
_LOCK = "lock"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A fresh folder for a run. At the end of the block every process of the run is ended and the folder removed.

    Raises :class:`ecluse.errors.Failed` when the disk has no room for it.
    """
    sweep(Path(tempfile.gettempdir()))
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise storage_problem(error, tempfile.gettempdir()) from error
    lock = FileLock(folder / f"{_LOCK}.new")
    try:
        lock.acquire()
        lock.path.rename(folder / _LOCK)  # whoever sees the name finds it locked
        with process.guarded(folder, TRACKING, f"{folder}/"):
            try:
                yield folder
            finally:
                process.end_marked(TRACKING, f"{folder}/")
                remove_folder(folder)
    finally:
        lock.release()


def sweep(parent: Path) -> int:
    """Clear up after runs of ours that ended without doing so; return how many. Living ones are left alone."""
    swept = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent):
            if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
                continue
            folder = Path(entry.path)
            is_ours = os.name == "nt" or entry.stat(follow_symlinks=False).st_uid == os.geteuid()
            if is_ours and (folder / _LOCK).is_file() and not is_locked(folder / _LOCK):
                process.end_marked(TRACKING, f"{folder}/")
                remove_folder(folder)
                swept += 1
    return swept
