"""The facts of an export for its three documents, and the repository's own forms of them in ``.sync/templates/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.clock import instant
from ecluse.documents import session, words
from ecluse.errors import Problem
from ecluse.files import read_capped
from ecluse.git import Commit
from ecluse.intake.manifest import Manifest
from ecluse.intake.publication import Publication

if TYPE_CHECKING:
    from ecluse.intake.outbox import ExportRequest

_FORM_CAP = 1 << 20
LINES_CAP = 16 << 20
"""Above this size of the patch, in bytes, lines are not counted."""


def session_documents(
    work_tree: Path | None, publication: Publication, described: Manifest,
    commits: Sequence[Commit], request: ExportRequest, *, branch: str, based: str, lines: tuple[int, int] | None,
) -> dict[str, str]:  # fmt: skip
    """Name -> text of the documents that go beside a bundle; none where the checkout's settings switch them off."""
    settings = _settings(work_tree)
    table = settings.get("documents")
    if isinstance(table, dict) and table.get("export") is False:
        return {}
    own = [commit for commit in commits if commit.id != described.uncommitted]
    facts = session.Session(
        change=described.id,
        revision=described.revision,
        title=described.title,
        agent=described.agent,
        at=instant(),
        name=publication.target.name if publication.is_tar else publication.name("json"),
        branch=branch,
        target=described.target,
        base=described.base,
        based=based,
        head=described.head,
        tree=described.tree,
        uncommitted=described.uncommitted,
        commits=tuple((one.id, one.title, one.author.name) for one in own if len(one.parents) < 2),
        merges=sum(len(one.parents) > 1 for one in own),
        files=tuple((one["status"], one["path"], one["origin"]) for one in described.files),
        lines=lines if described.payload("patch") else None,
        not_carried=described.not_carried,
        validations=described.validations,
        payloads=tuple((one.name, one.size, one.sha256) for one in described.payloads),
        note=described.note,
        signed=request.sign is not None,
    )
    language = words.choose(str(settings.get("language", "")))
    return session.render(facts, language, lambda name: _own_form(work_tree, name))


def count_lines(patch: Path) -> tuple[int, int]:
    """How many lines a patch of git adds and removes. Inside a hunk every line begins with its sign, outside none counts."""
    added = removed = 0
    for piece in patch.read_bytes().split(b"\n@@ -")[1:]:
        hunk = piece.partition(b"\ndiff --git ")[0]
        added += hunk.count(b"\n+")
        removed += hunk.count(b"\n-")
    return added, removed


def _settings(work_tree: Path | None) -> dict[str, Any]:
    """The checkout's own settings, read without judging them: they choose words here and decide nothing."""
    for name in ("ecluse.toml", "pyproject.toml"):
        path = work_tree / name if work_tree is not None else None
        if path is not None and path.is_file():
            import tomllib

            try:
                found = tomllib.loads(path.read_bytes().decode("utf-8"))
            except (OSError, ValueError):
                return {}
            tool = found.get("tool") if name == "pyproject.toml" else None
            return found if name == "ecluse.toml" else tool.get("ecluse", {}) if isinstance(tool, dict) else {}
    return {}


def _own_form(work_tree: Path | None, name: str) -> str | None:
    """The repository's own form of a document; a link, a folder or a text that cannot be read is none."""
    path = work_tree / ".sync" / "templates" / f"{name}.md" if work_tree is not None else None
    if path is None or not path.is_file() or path.is_symlink() or path.parent.is_symlink():
        return None
    try:
        return read_capped(path, _FORM_CAP).decode("utf-8")
    except (Problem, ValueError):
        return None
