"""The demo's repository: a small real service, its tests, its workflow and its playbook, copied from the package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ecluse.errors import Invalid
from ecluse.files import storage_problem


def write(folder: Path) -> list[str]:
    """Copy the template into ``folder`` (made if absent); return the paths written, sorted.

    Raises :class:`Invalid` when ``folder`` holds anything besides ``.git``, and a storage problem when it cannot be
    written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = sorted(entry.name for entry in folder.iterdir() if entry.name != ".git")
        if present:
            raise Invalid(
                "demo.folder_not_empty",
                f"{folder} is not empty (it holds {present[0]}); the template is not written over other files.",
                "name a new folder, or move this one away",
            )
        written = []
        for path, entry in _files(resources.files("ecluse.demo").joinpath("template")):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(entry.read_bytes())
            written.append(path)
    except OSError as error:
        raise storage_problem(error, folder) from error
    return sorted(written)


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, f"{prefix}{entry.name}/")
        elif not entry.name.endswith(".pyc"):
            yield f"{prefix}{entry.name}", entry
