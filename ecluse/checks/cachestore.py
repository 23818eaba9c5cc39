"""Caches of jobs on this machine: files by the hash of their content, and one manifest for each key.

Blobs and manifests appear by rename, so a death in between leaves an unused blob at most. One lock serves all jobs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecluse.checks.placing import make_folders
from ecluse.clock import now
from ecluse.errors import Problem
from ecluse.files import FileLock, read_capped, write_atomically

MAX_BYTES = 10 << 30
"""What all caches of one repository may hold together; those unused for longest go first."""

_FIELDS = {"key", "scope", "version", "created", "entries"}
_MANIFEST_CAP = 64 << 20
_FILE_CAP = 4 << 30


@dataclass(frozen=True, slots=True)
class Hit:
    """A cache that was found: the key it was kept under, and its manifest."""

    key: str
    path: Path
    entries: list[list[Any]]


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()


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
                    return Hit(one["key"], path, one["entries"])
        return None

    def restore(self, hit: Hit, target: Path) -> bool:
        """Bring the files of ``hit`` below ``target``; ``False``, and nothing changed, when one is damaged or gone."""
        with self.lock.held():
            if not all(kind == "link" or self._is_whole(what) for _, kind, _, what in hit.entries):
                hit.path.unlink(missing_ok=True)
                return False
            ready: set[str] = set()
            for name, kind, mode, what in hit.entries:
                make_folders(target, str(Path(name).parent), ready)
                goal = target / name
                if goal.is_symlink() or goal.is_file():
                    goal.unlink()
                if kind == "link":
                    goal.symlink_to(what)
                else:
                    goal.write_bytes(read_capped(self._blob(what), _FILE_CAP))
                    goal.chmod(mode & 0o777)
            os.utime(hit.path)
            return True

    def save(self, scope: str, version: str, key: str, folder: Path, files: Sequence[Path]) -> bool:
        """Keep ``files`` of ``folder`` under ``key``; ``False`` when the key is taken: a cache never changes."""
        path = self.folder / "manifests" / f"{digest(scope, version, key)}.json"
        with self.lock.held():
            if any(other == path for other, _ in self._manifests()):
                return False
            entries = [self._keep(file, file.relative_to(folder).as_posix()) for file in files]
            document = {
                "key": key,
                "scope": scope,
                "version": version,
                "created": now().timestamp(),
                "entries": entries,
            }
            write_atomically(path, json.dumps(document).encode("utf-8", "surrogatepass"))
            self._evict()
            return True

    def _keep(self, file: Path, name: str) -> list[Any]:
        if file.is_symlink():
            return [name, "link", 0, str(file.readlink())]
        data = read_capped(file, _FILE_CAP)
        what = hashlib.sha256(data).hexdigest()
        blob = self._blob(what)
        if not self._is_whole(what):
            write_atomically(blob, data, 0o600)
        return [name, "file", file.stat().st_mode & 0o777, what]

    def _blob(self, what: str) -> Path:
        return self.folder / "blobs" / what[:2] / what

    def _is_whole(self, what: str) -> bool:
        blob = self._blob(what)
        return blob.is_file() and hashlib.sha256(read_capped(blob, _FILE_CAP)).hexdigest() == what

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
        kept = sorted(self._manifests(), key=lambda pair: pair[0].stat().st_mtime, reverse=True)
        sizes = {blob.name: blob.stat().st_size for blob in (self.folder / "blobs").glob("*/*")}
        named: set[str] = set()
        for path, document in kept:
            wanted = named | {entry[3] for entry in document["entries"] if entry[1] == "file"}
            if sum(sizes.get(what, 0) for what in wanted) > self.max_bytes:
                path.unlink(missing_ok=True)
            else:
                named = wanted
        for blob in (self.folder / "blobs").glob("*/*"):
            if blob.name not in named:
                blob.unlink(missing_ok=True)
