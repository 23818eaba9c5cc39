"""What the artifacts of one run are: folders by name, each with a record of its number and its digest."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from ecluse.checks.placing import list_files, place
from ecluse.files import FileLock, read_capped, write_atomically

FORBIDDEN = re.compile(r'[":<>|*?\r\n\\/]')
"""What an artifact's name may not hold, as on GitHub; a path inside one may have slashes."""

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?\Z")
_CAP = 1 << 16


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact. ``digest`` is a SHA-256 over the names and contents of its files; ``size`` is in bytes."""

    id: int
    name: str
    digest: str
    size: int
    count: int


class Taken(Exception):
    """There is an artifact of that name, and it may not be replaced."""


class Shelf:
    """The artifacts of a run: their files in ``folder``, what is known of them in the folder beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder.with_name(folder.name + "-records")
        self.lock = FileLock(self.records / "lock")

    def all(self) -> list[Artifact]:
        """Every artifact, in name order; of a folder that somebody else put there a record is made."""
        found = []
        with self.lock.held():
            for entry in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
                path = self._path(entry.name)
                known = Artifact(**json.loads(read_capped(path, _CAP))) if path.is_file() else None
                found.append(known or self._record(entry.name, entry))
        return found

    def add(self, name: str, root: Path, files: list[str], *, join: bool = False, replace: bool = False) -> Artifact:
        """Keep ``files`` of ``root`` as ``name``, beside what is in it already (``join``), or instead (``replace``).

        Raises :class:`Taken` when the name is in use and neither is wanted.
        """
        target = self.folder / name
        with self.lock.held():
            if target.exists() and not join:
                if not replace:
                    raise Taken(name)
                self._forget(name)
            target.mkdir(parents=True, exist_ok=True)
            place(root, target, files)
            return self._record(name, target)

    def remove(self, name: str) -> None:
        with self.lock.held():
            self._forget(name)

    def _forget(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        self._path(name).unlink(missing_ok=True)

    def _record(self, name: str, target: Path) -> Artifact:
        total, size, names = hashlib.sha256(), 0, list_files(target, hidden_git=True)
        for one in names:
            data = hashlib.sha256()
            with (target / one).open("rb") as handle:
                while block := handle.read(1 << 20):
                    data.update(block)
                    size += len(block)
            total.update(f"{one}\0{data.hexdigest()}\n".encode("utf-8", "surrogatepass"))
        path = self._path(name)
        number = self._next()
        made = Artifact(number, name, total.hexdigest(), size, len(names))
        write_atomically(path, json.dumps(asdict(made)).encode())
        return made

    def _next(self) -> int:
        """A number that no artifact of this run has or had."""
        path = self.records / "last"
        number = int(path.read_text()) + 1 if path.is_file() else 1
        write_atomically(path, str(number).encode())
        return number

    def _path(self, name: str) -> Path:
        return self.records / f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"


def version_of(uses: str) -> tuple[int, ...]:
    """The version that a ``uses`` names, ``(4, 1)`` for ``@v4.1``; empty for a branch or a commit: the newest counts."""
    found = _VERSION.match(uses.partition("@")[2])
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()
