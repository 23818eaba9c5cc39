"""Finding a repository's shared folder by looking, without starting git: for commands that only read the history.

Knows the plain layouts (a ``.git`` folder, a ``.git`` file of a linked work tree or submodule, a bare repository);
for anything else it answers ``None`` and the caller asks git.
"""

from __future__ import annotations

from pathlib import Path


def common_folder(start: Path) -> Path | None:
    """The folder that all work trees of the repository around ``start`` share, or ``None`` when looking is not enough."""
    try:
        here = start.resolve(strict=True)
    except OSError:
        return None
    for folder in (here, *here.parents):
        entry = folder / ".git"
        if entry.is_dir():
            return entry if (entry / "HEAD").is_file() else None
        if entry.is_file():
            return _linked(entry)
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            return folder
    return None


def _linked(entry: Path) -> Path | None:
    text = entry.read_text(encoding="utf-8", errors="surrogateescape").strip()
    if not text.startswith("gitdir: "):
        return None
    git_dir = (entry.parent / text.removeprefix("gitdir: ")).resolve()
    shared = git_dir / "commondir"
    if not shared.is_file():
        return git_dir if (git_dir / "HEAD").is_file() else None
    return (git_dir / shared.read_text(encoding="utf-8", errors="surrogateescape").strip()).resolve()
