"""Puts files into a job's folders without being led outside by links that a step left there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from ecluse.errors import Invalid


def inside(root: Path, name: str, what: str) -> Path:
    """The folder ``name`` below ``root``. Raises :class:`Invalid` when it lies, or leads, outside."""
    target = root / name
    if not target.resolve().is_relative_to(root.resolve()):
        raise Invalid("checks.path_outside", f"The {what} {name} lies outside the workspace.", "Name one inside it.")
    return target


def place(source: Path, target: Path, names: Iterable[str]) -> int:
    """Copy the files ``names`` from ``source`` to ``target``, links as links; return how many were copied.

    Links that stand where a folder or file of ours is to go are replaced, never followed.
    """
    ready: set[str] = set()
    copied = 0
    for name in names:
        parent = os.path.dirname(name)  # noqa: PTH120 - as text: this loop runs once per file of the tree
        if parent not in ready:
            make_folders(target, parent, ready)
        origin, goal = source / name, target / name
        if goal.is_symlink() or goal.is_file():
            goal.unlink()  # never written through: it may be another name of a file elsewhere
        if origin.is_symlink():
            goal.symlink_to(origin.readlink())
        elif origin.is_file():
            copy_file(origin, goal)
        else:
            if origin.is_dir():  # a submodule's folder: it is there, and empty
                make_folders(target, name, ready)
            continue  # else a file that is just being removed
        copied += 1
    return copied


_CLONE = 0x40049409
"""The request to share a file's blocks until one of both is written (FICLONE), on file systems that can."""
_cannot_clone: set[int] = set()


def copy_file(source: Path, target: Path) -> None:
    """Copy a file that is not there yet, with its mode and times; its blocks are shared where that is possible.

    Hard links would be cheaper still, and a step that writes into such a file would change the tree under test.
    """
    device = source.stat().st_dev
    if sys.platform == "linux" and device not in _cannot_clone:
        try:
            import fcntl
        except ImportError:
            _cannot_clone.add(device)
            shutil.copy2(source, target)
            return
        with source.open("rb") as reading, target.open("xb") as writing:
            try:
                fcntl.ioctl(writing.fileno(), _CLONE, reading.fileno())
            except OSError:
                _cannot_clone.add(device)
                shutil.copyfileobj(reading, writing, 1 << 20)
        shutil.copystat(source, target)
        return
    shutil.copy2(source, target)


def make_folders(target: Path, parent: str, ready: set[str]) -> None:
    """Make ``parent`` below ``target``, links and files in its way removed; ``ready`` has those already made."""
    folder = target
    for part in Path(parent).parts:
        folder = folder / part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    ready.add(parent)


def list_files(folder: Path, *, hidden_git: bool = False) -> list[str]:
    """Every file and link below ``folder``, relative to it; what git keeps for itself only with ``hidden_git``."""
    found = []
    for place_, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place_, name).is_symlink()]
        folders[:] = [name for name in folders if (hidden_git or name != ".git") and name not in links]
        found += [os.path.relpath(Path(place_, name), folder) for name in [*files, *links]]
    return sorted(found)


def empty(folder: Path) -> None:
    """Remove what is in ``folder``; links are removed, not followed."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()
