"""Whose turn it is to number an export: a folder as the lock that Python, a POSIX shell and Windows all can take."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 10.0
"""Seconds after which a holder counts as dead; a turn is the time in which one small file is read and written."""

_BY, _HEIR = "by.", "heir."
_TRIES = 5


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for the block; where nothing can be written, there is no lock.

    The portable exporters follow the same rules: who makes the folder holds it and leaves a name in it. Who sees the
    very same names for :data:`PATIENCE` takes the holder for dead and makes the folder of the next heir in it, which
    only one can. Both look once more, and step back from a name that they did not expect.
    """
    mine = _take(folder)
    try:
        yield
    finally:
        if mine:
            _end(folder, mine)


def _take(folder: Path) -> str:
    """The name left in ``folder``; empty where no folder can be made."""
    seen, since, failed = {""}, time.monotonic(), 0
    while failed < _TRIES:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            return _left(folder, _BY + os.urandom(6).hex(), set())
        except FileExistsError:
            pass
        except OSError:
            failed += 1
        try:
            names = _names(folder)
            if names != seen:
                seen, since = names, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                return _left(folder, f"{_HEIR}{1 + max(map(_number, names), default=0)}", names)
        except (FileExistsError, FileNotFoundError):
            pass  # another heir was faster, or the turn has ended
        except OSError:
            failed += 1
        time.sleep(0.02)
    return ""


def _left(folder: Path, mine: str, expected: set[str]) -> str:
    """``mine``, which is in ``folder`` now; :class:`FileExistsError` beside a name that is not ``expected``."""
    (folder / mine).mkdir()
    if _names(folder) <= expected | {mine}:
        return mine
    (folder / mine).rmdir()
    raise FileExistsError(folder)


def _end(folder: Path, mine: str) -> None:
    """Take the own name back, as an heir also those of the dead before; a folder that is not empty has an heir."""
    with contextlib.suppress(OSError):
        own = _number(mine)
        for name in _names(folder) if own else ():
            if name.startswith(_BY) or 0 < _number(name) < own:
                (folder / name).rmdir()
        (folder / mine).rmdir()
        folder.rmdir()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _number(name: str) -> int:
    return int(name.removeprefix(_HEIR)) if name.startswith(_HEIR) else 0
