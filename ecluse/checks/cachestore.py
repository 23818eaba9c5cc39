"""Caches of jobs on this machine: files by the hash of their content, and one manifest for each key.

Blobs and manifests appear by rename, so a death in between leaves an unused blob at most. One lock serves all jobs.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecluse.checks.placing import copy_file, make_folders
from ecluse.clock import now
from ecluse.errors import Failed, Problem
from ecluse.files import FileLock, read_capped, write_atomically

MAX_BYTES = 10 << 30
"""What all caches of one repository may hold together; those unused for longest go first."""

_FIELDS = {"key", "scope", "version", "created", "folder", "entries"}
_MANIFEST_CAP = 256 << 20
_SCRIPT_CAP = 1 << 20
"""Texts up to this many bytes are looked through for the job's folder, which has another name when they come back."""

Place = Callable[[str], "tuple[Path, str] | None"]
"""Where a file of a cache goes: a folder to be taken as it is, and the way below it; ``None``: nowhere."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A cache that was found: the key it was kept under, its manifest, and the job's folder of that time."""

    key: str
    path: Path
    entries: list[list[Any]]
    folder: str


_IN_BLOBS = ("file", "text")


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _names(data: bytes, folder: Path) -> bool:
    """Whether ``data`` is a text that names ``folder``, as the scripts of a virtual environment do."""
    return os.fsencode(folder) in data and b"\0" not in data


class CacheStore:
    """The caches of one repository below ``root``; ``max_bytes`` is their size together."""

    def __init__(self, root: Path, repository: str, max_bytes: int = MAX_BYTES) -> None:
        self.folder = root / digest(repository)[:32]
        self.max_bytes = max_bytes
        self.lock = FileLock(self.folder / "lock")

    def find(self, scopes: Sequence[str], version: str, key: str, prefixes: Sequence[str]) -> Hit | None:
        """The cache with ``key``, else the newest whose key begins with one of ``prefixes``; own scopes go first."""
        kept = self._manifests()
        for scope in scopes:
            own = [(path, one) for path, one in kept if one["scope"] == scope and one["version"] == version]
            exact = [(path, one) for path, one in own if one["key"] == key]
            for prefix in (key, *prefixes):
                fitting = exact or [(path, one) for path, one in own if one["key"].startswith(prefix)]
                if fitting:
                    path, one = max(fitting, key=lambda pair: float(pair[1]["created"]))
                    return Hit(one["key"], path, one["entries"], str(one["folder"]))
        return None

    def restore(self, hit: Hit, place: Place, folder: Path) -> bool:
        """Bring the files of ``hit`` to where ``place`` says; ``False``, and nothing changed, when one is damaged or gone.

        ``folder`` is the job's: texts and links that named that of their own time name it instead. Raises
        :class:`OSError` when a file cannot be written.
        """
        with self.lock.held():
            if not all(kind not in _IN_BLOBS or self._is_whole(what) for _, kind, _, _, what in hit.entries):
                hit.path.unlink(missing_ok=True)
                return False
            ready: dict[Path, set[str]] = {}
            for name, kind, mode, written, what in hit.entries:
                if (found := place(name)) is None:
                    continue
                base, below = found
                base.mkdir(parents=True, exist_ok=True)
                made = ready.setdefault(base, set())
                parent = below if kind == "folder" else str(Path(below).parent)
                if parent not in made:
                    make_folders(base, parent, made)
                if kind != "folder":
                    self._put(base / below, kind, (mode, written, what), (hit.folder, str(folder)))
            os.utime(hit.path)
            return True

    def _put(self, goal: Path, kind: str, entry: tuple[int, int, str], moved: tuple[str, str]) -> None:
        mode, written, what = entry
        if kind == "file" and not goal.is_symlink() and goal.is_file() and _hash(goal) == what:
            goal.chmod(mode & 0o777)
            return
        if goal.is_symlink() or goal.is_file():
            goal.unlink()
        elif goal.is_dir():
            raise IsADirectoryError(errno.EISDIR, "A folder stands where a file of the cache goes", str(goal))
        if kind == "link":
            goal.symlink_to(what.replace(*moved))
            return
        if kind == "text":
            goal.write_bytes(self._blob(what).read_bytes().replace(os.fsencode(moved[0]), os.fsencode(moved[1])))
        else:
            copy_file(self._blob(what), goal)
        goal.chmod(mode & 0o777)
        os.utime(goal, ns=(written, written))

    def save(self, scope: str, version: str, key: str, folder: Path, files: Sequence[tuple[str, Path]]) -> bool:
        """Keep ``files`` by their names under ``key``; ``False`` when the key is taken: a cache never changes.

        ``folder`` is the job's. Raises :class:`Failed` for more than may be kept, :class:`OSError` for what cannot be
        read.
        """
        size = sum(path.lstat().st_size for _, path in files)
        if size > self.max_bytes:
            raise Failed(
                "checks.cache_too_large",
                f"It has {size >> 20} MiB, and all caches of a repository together have {self.max_bytes >> 20}.",
                "Name fewer paths.",
            )
        path = self.folder / "manifests" / f"{digest(scope, version, key)}.json"
        with self.lock.held():
            if any(other == path for other, _ in self._manifests()):
                return False
            entries = [self._keep(file, name, folder) for name, file in files]
            document = {
                "key": key,
                "scope": scope,
                "version": version,
                "created": now().timestamp(),
                "folder": str(folder),
                "entries": entries,
            }
            write_atomically(path, json.dumps(document).encode("utf-8", "surrogatepass"))
            self._evict()
            return True

    def _keep(self, file: Path, name: str, folder: Path) -> list[Any]:
        status = file.lstat()
        if file.is_symlink():
            return [name, "link", 0, 0, str(file.readlink())]
        if file.is_dir():
            return [name, "folder", 0, 0, ""]
        what = _hash(file)
        blob = self._blob(what)
        if not self._is_whole(what):
            blob.parent.mkdir(parents=True, exist_ok=True)
            aside = blob.with_name(f".{what}.{os.getpid()}")
            aside.unlink(missing_ok=True)
            copy_file(file, aside)
            aside.chmod(0o600)
            aside.replace(blob)
        kind = "text" if status.st_size <= _SCRIPT_CAP and _names(blob.read_bytes(), folder) else "file"
        return [name, kind, status.st_mode & 0o777, status.st_mtime_ns, what]

    def _blob(self, what: str) -> Path:
        return self.folder / "blobs" / what[:2] / what

    def _is_whole(self, what: str) -> bool:
        blob = self._blob(what)
        return blob.is_file() and _hash(blob) == what

    def _manifests(self) -> list[tuple[Path, dict[str, Any]]]:
        """What is kept; a manifest that cannot be read is left out, and goes with the next eviction."""
        found = []
        for path in sorted((self.folder / "manifests").glob("*.json")):
            with suppress(ValueError, Problem):
                document = json.loads(read_capped(path, _MANIFEST_CAP))
                if isinstance(document, dict) and set(document) >= _FIELDS:
                    found.append((path, document))
        return found

    def _evict(self) -> None:
        """Remove the caches unused for longest until the rest fits, and every blob that none of them names."""
        read = self._manifests()
        for path in set((self.folder / "manifests").glob("*.json")) - {path for path, _ in read}:
            path.unlink(missing_ok=True)
        kept = sorted(read, key=lambda pair: pair[0].stat().st_mtime, reverse=True)
        sizes = {blob.name: blob.stat().st_size for blob in (self.folder / "blobs").glob("*/*")}
        named: set[str] = set()
        for path, document in kept:
            wanted = named | {entry[4] for entry in document["entries"] if entry[1] in _IN_BLOBS}
            if sum(sizes.get(what, 0) for what in wanted) > self.max_bytes:
                path.unlink(missing_ok=True)
            else:
                named = wanted
        for blob in (self.folder / "blobs").glob("*/*"):
            if blob.name not in named:
                blob.unlink(missing_ok=True)
