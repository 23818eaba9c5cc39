"""A release's files as one archive for a host: only what the host does not hold yet, with sums to check all of it.

The archive holds ``tree/`` (folders, links, and the files that have to be sent), and ``control/`` with ``sums``
(SHA-256 of every file, as ``sha256sum -c`` reads it), ``copy`` (what to take from the release that is live), and
``run`` (what is executable).
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ecluse.errors import Unsupported
from ecluse.git import Repository

_AWKWARD = "\n\r\t\\"
"""Characters that the lists of an archive cannot carry in a name."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An archive to send. ``sent`` and ``kept`` count files, ``size`` is the archive's in bytes."""

    archive: IO[bytes]
    sent: int
    kept: int
    size: int


@contextmanager
def parcel(repository: Repository, commit: str, version: str, there: Mapping[str, str]) -> Iterator[Parcel]:
    """The tree of ``commit`` with a file RELEASE, for a host that holds the files ``there`` (SHA-256 -> path).

    Raises :class:`Unsupported` for a file name with a line end, a tabulator or a backslash.
    """
    with repository.temporary_clone(bare=False) as clone, tempfile.TemporaryFile() as archive:
        clone.check_out(commit)
        assert clone.work_tree is not None  # noqa: S101 - made with one, two lines above
        top = clone.work_tree
        shutil.rmtree(top / ".git")
        (top / "RELEASE").write_text(f"{version}\n", encoding="utf-8")
        sent, kept = _fill(archive, top, there)
        size = archive.tell()
        archive.seek(0)
        yield Parcel(archive, sent, kept, size)


def _fill(archive: IO[bytes], top: Path, there: Mapping[str, str]) -> tuple[int, int]:
    """Write the archive; return how many files are sent and how many are taken from what is there."""
    sums: list[str] = []
    copies: list[str] = []
    runs: list[str] = []
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(top.rglob("*")):
            name = path.relative_to(top).as_posix()
            if any(mark in name for mark in _AWKWARD):
                raise Unsupported(
                    "deploy.path_name",
                    f"The file name {name!r} holds a character that cannot be sent to a host.",
                    f"git mv {name!r} to a plain name, land that, and release again",
                )
            if path.is_symlink() or path.is_dir():
                tar.add(path, f"tree/{name}", recursive=False, filter=_plain)
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            sums.append(f"{digest}  {name}")
            if os.access(path, os.X_OK):
                runs.append(name)
            if digest in there:
                copies.append(f"{there[digest]}\t{name}")
            else:
                tar.add(path, f"tree/{name}", recursive=False, filter=_plain)
        for list_name, lines in (("sums", sums), ("copy", copies), ("run", runs)):
            _add(tar, f"control/{list_name}", "".join(f"{line}\n" for line in lines))
    return len(sums) - len(copies), len(copies)


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without this machine's users and times; only whether it is executable counts."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    if entry.isfile():
        entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    elif entry.isdir():
        entry.mode = 0o755
    return entry
