"""The only maker of durable files: write aside, sync, rename; and locks that a dead process cannot keep.

POSIX-only modules are imported where they are used, so that importing this works everywhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from ecluse.clock import now
from ecluse.errors import Failed, Invalid

STALE_S = 3600
"""How old something half-made must be before nobody can be at work on it, in seconds."""

DISK_FULL_HINT = "free some space (df -h shows where), then type the same command again"


def storage_problem(error: OSError, path: Path | str) -> Failed | Invalid:
    """Turn an operating system error on ``path`` into a sentence and the next command."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(
            "disk.full",
            f"The disk is full: {path} could not be written. Nothing was changed; what was there before is intact.",
            DISK_FULL_HINT,
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Failed(
            "disk.read_only",
            f"No permission to write {path}: {os.strerror(error.errno or 0)}.",
            "choose a folder you may write to, or change its permissions (ls -ld shows them)",
        )
    if error.errno == errno.ENOENT:
        return Invalid("file.missing", f"There is no file {path}.", "check the name with: ls")
    if error.errno == errno.EISDIR:
        return Invalid("file.is_folder", f"{path} is a folder, a file is needed.", "name a file inside it")
    return Failed("disk.error", f"{path}: {error.strerror or error}.", "ecluse doctor")


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` by ``data`` as one step: a reader, or a sudden death, sees the old bytes or the new ones.

    Raises :class:`Failed` when the disk is full or the folder may not be written.
    """

    def fill(handle: IO[bytes]) -> None:
        handle.write(data)

    _replace(path, fill, mode)


def copy_durably(source: Path, path: Path, mode: int = 0o644) -> None:
    """Like :func:`write_atomically`, with the bytes of another file, which are not held in memory."""
    import shutil

    def fill(handle: IO[bytes]) -> None:
        with source.open("rb") as given:
            shutil.copyfileobj(given, handle, 1 << 20)

    _replace(path, fill, mode)


def _replace(path: Path, fill: Callable[[IO[bytes]], None], mode: int) -> None:
    import tempfile

    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
        with os.fdopen(descriptor, "wb") as handle:
            fill(handle)
            handle.flush()
            os.fsync(handle.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
        temporary = ""
        sync_folder(path.parent)
    except OSError as error:
        raise storage_problem(error, path) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` durable where the system has a way to (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_stale(folder: Path, prefix: str, age_s: float = STALE_S) -> int:
    """Remove what a process that died half way left in ``folder``: entries whose names begin with ``prefix`` and that
    nobody has touched for an hour (``age_s`` seconds).

    Returns how many there were; what cannot be removed stays.
    """
    import shutil

    latest = now().timestamp() - age_s
    found = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix):
                continue
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < latest:
                    shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else Path(entry).unlink()
                    found += 1
    return found


def sync_room(top: Path) -> Path:
    """``.sync`` of a work tree, or the folder that ``SYNC_DIR`` names instead."""
    return top / (os.environ.get("SYNC_DIR") or ".sync")


def read_capped(path: Path, cap: int) -> bytes:
    """The bytes of ``path``. Raises :class:`Invalid` when it is missing, a folder, or larger than ``cap`` bytes."""
    try:
        with path.open("rb") as handle:
            data = handle.read(cap + 1)
    except OSError as error:
        raise storage_problem(error, path) from error
    if len(data) > cap:
        raise Invalid("file.too_large", f"{path} is larger than {cap:,} bytes.", "check that this is the right file")
    return data


class FileLock:
    """An exclusive lock on a file, released by the system when its holder dies.

    The file stays; only the lock on it counts. Not re-entrant.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: IO[Any] | None = None

    def acquire(self, *, wait: bool = False) -> bool:
        """Take the lock; without ``wait``, return whether it was free."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = self.path.open("a+b")
        except OSError as error:
            raise storage_problem(error, self.path) from error
        if not _lock(handle, wait=wait):
            handle.close()
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back, at once and for all: a process that another thread is just starting still has a copy of the
        descriptor until its program begins, and closing ours alone would leave the lock with it until then."""
        handle, self._handle = self._handle, None  # first: the next thread that waits puts its own here at once
        if handle is not None:
            _unlock(handle)
            handle.close()

    def fileno(self) -> int:
        """The descriptor that carries the lock, to hand to a child that is to keep it."""
        if self._handle is None:
            raise ValueError("the lock is not held")
        return self._handle.fileno()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock, hold it for the block."""
        self.acquire(wait=True)
        try:
            yield
        finally:
            self.release()


def is_locked(path: Path) -> bool:
    """Whether a living process holds the :class:`FileLock` on ``path``.

    Asking disturbs nobody: neither who asks at the same moment, nor who takes the lock.
    """
    try:
        handle = path.open("r+b")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_problem(error, path) from error
    with handle:
        if not _lock(handle, wait=False, shared=True):
            return True
        _unlock(handle)
    return False


def _lock(handle: IO[Any], *, wait: bool, shared: bool = False) -> bool:
    if os.name == "nt":
        return _lock_windows(handle, wait=wait)
    try:
        import fcntl
    except ImportError:
        return _lock_plain(handle, wait=wait)
    while not _flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)):
        if shared or not _flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)  # nobody holds it: somebody asked whether it is held, just now
        time.sleep(0.001)
    return True


def _flock(handle: IO[Any], how: int) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    return True


def _unlock(handle: IO[Any]) -> None:
    try:
        import fcntl
    except ImportError:
        return  # closing the file does it
    fcntl.flock(handle, fcntl.LOCK_UN)


def _lock_plain(handle: IO[Any], *, wait: bool) -> bool:
    """A record lock, where Python was built without ``fcntl``: it belongs to the process and is not inherited."""
    try:
        os.lockf(handle.fileno(), os.F_LOCK if wait else os.F_TLOCK, 0)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False
    return True


def _lock_windows(handle: IO[Any], *, wait: bool) -> bool:
    import importlib

    msvcrt: Any = importlib.import_module("msvcrt")
    handle.seek(0)
    while True:
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            if not wait:
                return False
        else:
            return True
