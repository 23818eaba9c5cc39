"""The files that a prepared repository has, and what of them is missing in a work tree.

Only looks. A file that somebody wrote is never replaced: a marked section is added to it once, or it is left alone.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from ecluse.documents import session, words
from ecluse.files import read_capped
from ecluse.kit.report import Action, ActionKind

FOLDERS = (".sync/patches", ".sync/logs", ".sync/scripts", ".sync/templates")
EXPORTERS = ("cloud-export.py", "cloud-export.sh")
"""Work with nothing installed; the lock they belong to ships them."""

CALLERS = ("local-import.py", "local-import.sh", "sync-tracker.py", "validate-before-sync.py", "init-sync-system.py")
"""Names that people know from the specification; each calls the installed Écluse."""

FORMS = session.NAMES
"""The documents that an export renders from facts; a repository may change its copy of the form."""

AGENTS_BEGIN = "<!-- ecluse:begin -->"
_TEXT_CAP = 8 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One file or folder of the kit: the action it asks for and, for a file to write, its whole new bytes."""

    action: Action
    data: bytes | None = None
    mode: int = 0o644

    @property
    def path(self) -> str:
        return self.action.what


def look_at(work_tree: Path, *, trust: Literal["signed", "all"] | None, solo: bool | None) -> list[Piece]:
    """Every piece of the kit for this work tree, with what is to be done about it."""
    pieces = [_folder(work_tree, path) for path in FOLDERS]
    pieces.append(_whole(work_tree, ".sync/README.md", text("sync_readme.md")))
    pieces += [_script(work_tree, name) for name in (*EXPORTERS, *CALLERS)]
    pieces += [_whole(work_tree, f".sync/templates/{name}.md", form(name)) for name in FORMS]
    pieces.append(_policy(work_tree, policy_text(trust, solo)))
    pieces.append(_sections(work_tree, ".gitignore", text("gitignore").split("\n\n")))
    pieces.append(_sections(work_tree, "AGENTS.md", [text("agents.md")]))
    return pieces


def text(name: str) -> str:
    """A text of the kit, as shipped."""
    return resources.files("ecluse.kit").joinpath("files", name).read_text(encoding="utf-8")


def form(name: str) -> str:
    """A form of ``.sync/templates/``, as shipped, in the language of the locale."""
    return session.template(name, words.choose(""))


def script(name: str) -> bytes:
    """A script of ``.sync/scripts/``, as shipped."""
    package = resources.files("ecluse")
    folder = (
        package.joinpath("intake", "portable") if name in EXPORTERS else package.joinpath("kit", "files", "scripts")
    )
    return folder.joinpath(name).read_bytes()


def policy_text(trust: Literal["signed", "all"] | None, solo: bool | None) -> str:
    """A new ``ecluse.toml``: what was asked for is set, everything else is a comment."""
    trust_line = f'trust = "{trust}"' if trust else '# trust = "signed"'
    solo_line = "# solo = false" if solo is None else f"solo = {str(solo).lower()}"
    return text("policy.toml").replace("{trust}", trust_line).replace("{solo}", solo_line)


def policy_place(work_tree: Path) -> str | None:
    """The file of the work tree that holds the policy now: ``ecluse.toml``, ``pyproject.toml``, or none."""
    if (work_tree / "ecluse.toml").exists():
        return "ecluse.toml"
    try:
        project = tomllib.loads((work_tree / "pyproject.toml").read_bytes().decode("utf-8"))
    except (OSError, ValueError):  # absent or not TOML: it holds no policy that could be read
        return None
    tool = project.get("tool")
    return "pyproject.toml" if isinstance(tool, dict) and "ecluse" in tool else None


def _folder(work_tree: Path, path: str) -> Piece:
    obstacle = _obstacle(work_tree, path)
    if obstacle:
        return Piece(Action(ActionKind.SKIPPED, path, obstacle))
    if (work_tree / path).is_dir():
        return Piece(Action(ActionKind.KEPT, path))
    if (work_tree / path).exists():
        return Piece(Action(ActionKind.SKIPPED, path, "a file has this name"))
    return Piece(Action(ActionKind.CREATED, path))


def _whole(work_tree: Path, path: str, wanted: str) -> Piece:
    obstacle = _obstacle(work_tree, path)
    if obstacle:
        return Piece(Action(ActionKind.SKIPPED, path, obstacle))
    if (work_tree / path).exists():
        return Piece(Action(ActionKind.KEPT, path))
    return Piece(Action(ActionKind.CREATED, path), wanted.encode("utf-8"))


def _script(work_tree: Path, name: str) -> Piece:
    """An executable script; one that differs from ours is somebody's own, or of another version, and stays."""
    path, data = f".sync/scripts/{name}", script(name)
    obstacle = _obstacle(work_tree, path)
    if obstacle:
        return Piece(Action(ActionKind.SKIPPED, path, obstacle))
    target = work_tree / path
    if not target.exists():
        return Piece(Action(ActionKind.CREATED, path), data, 0o755)
    if target.is_file() and read_capped(target, _TEXT_CAP).replace(b"\r\n", b"\n") == data:
        return Piece(Action(ActionKind.KEPT, path))
    return Piece(Action(ActionKind.KEPT, path, "it differs from the one shipped; delete it and init again to renew it"))


def _policy(work_tree: Path, wanted: str) -> Piece:
    if policy_place(work_tree) == "pyproject.toml":
        why = "the policy is [tool.ecluse] of pyproject.toml, which a new file would override"
        return Piece(Action(ActionKind.KEPT, "ecluse.toml", why))
    return _whole(work_tree, "ecluse.toml", wanted)


def _sections(work_tree: Path, path: str, sections: list[str]) -> Piece:
    """Add each section whose first line is not in the file yet, in the file's own line ends."""
    obstacle = _obstacle(work_tree, path)
    if obstacle:
        return Piece(Action(ActionKind.SKIPPED, path, obstacle))
    target = work_tree / path
    if not target.exists():
        return Piece(Action(ActionKind.CREATED, path), "\n\n".join(s.strip("\n") for s in sections).encode() + b"\n")
    if not target.is_file():
        return Piece(Action(ActionKind.SKIPPED, path, "a folder has this name"))
    data = read_capped(target, _TEXT_CAP)
    if b"\0" in data:
        return Piece(Action(ActionKind.SKIPPED, path, "it is not a text in UTF-8"))
    present = {line.strip() for line in data.splitlines()}
    end = b"\r\n" if b"\r\n" in data else b"\n"
    added = b""
    for section in sections:
        lines = section.strip("\n").encode("utf-8").split(b"\n")
        if lines[0] not in present:
            added += end + end.join(lines) + end
    if not added:
        return Piece(Action(ActionKind.KEPT, path))
    data += end if data and not data.endswith(b"\n") else b""
    new = data + (added if data else added.removeprefix(end))
    return Piece(Action(ActionKind.APPENDED, path), new, target.stat().st_mode & 0o777)


def _obstacle(work_tree: Path, path: str) -> str:
    """Why nothing may be written at ``path``: a link could lead anywhere, also out of the repository."""
    place = work_tree
    parts = path.split("/")
    for number, part in enumerate(parts, 1):
        place /= part
        if place.is_symlink():
            return f"{place.relative_to(work_tree)} is a symbolic link"
        if number < len(parts) and place.exists() and not place.is_dir():
            return f"{place.relative_to(work_tree)} is a file"
    return ""
