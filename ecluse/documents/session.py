"""The three documents of an export, rendered from what is known: summary, hand-off, checklist."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.documents import note as notes
from ecluse.documents.words import LANGUAGES, WORDS, Language, say
from ecluse.model import Agent
from ecluse.patterns import expression

NAMES = ("sync-session-summary", "agent-handoff", "checklist-pre-sync")
_ROWS = 40
_SETUP = expression(
    r"(?:^|/)(?:pyproject\.toml|setup\.(?:py|cfg)|requirements[^/]*\.txt|[^/]*\.lock|package(?:-lock)?\.json|pnpm-lock\.yaml"
    r"|go\.(?:mod|sum)|Cargo\.toml|Gemfile|Dockerfile|docker-compose\.ya?ml|Makefile|\.env\.(?:example|sample|template))$"
)
_GATED = expression(r"^\.github/workflows/|^playbooks/|^ecluse\.toml$|^\.ecluse/|(?:^|/)(?:AGENTS|CLAUDE|GEMINI)\.md$")
_DOCS = expression(r"(?:^|/)(?:docs?/|README|CONTRIBUTING)|\.(?:md|rst|adoc)$", re.I)


@dataclass(frozen=True, slots=True)
class Session:
    """The facts of one export. ``commits`` are (id, title, author), oldest first, without the marked tip.

    ``files`` are (status letter, path, origin), ``lines`` is (added, removed) or ``None`` when it was not counted,
    ``payloads`` (name, size in bytes, SHA-256), ``at`` an instant, ``name`` what is given to ``ecluse import``.
    """

    change: str
    revision: int
    title: str
    agent: Agent
    at: str
    name: str
    branch: str
    target: str
    base: str
    based: str
    head: str
    tree: str
    uncommitted: str
    commits: tuple[tuple[str, str, str], ...]
    merges: int
    files: tuple[tuple[str, str, str], ...]
    lines: tuple[int, int] | None
    not_carried: tuple[Mapping[str, Any], ...]
    validations: tuple[Mapping[str, Any], ...]
    payloads: tuple[tuple[str, int, str], ...]
    note: str
    signed: bool


def template(name: str, language: Language) -> str:
    """The shipped template of a document (one of :data:`NAMES`)."""
    return (Path(__file__).parent / "templates" / language / f"{name}.md").read_text("utf-8")


def render(
    session: Session, language: Language, own: Callable[[str], str | None] = lambda name: None
) -> dict[str, str]:
    """Name -> text of the three documents.

    ``own`` gives the repository's own form of a document, if it has one; one that is still as shipped, in whatever
    language, is taken in ``language``. Words in ``${}`` that are not known stay as they are.
    """
    facts = _facts(session, language)
    found = {}
    for name in NAMES:
        form = own(name)
        shipped = form is None or form.replace("\r\n", "\n") in (template(name, one) for one in LANGUAGES)
        text = template(name, language) if shipped or form is None else form
        found[name] = Template(text).safe_substitute(facts)
    return found


def _facts(s: Session, language: Language) -> dict[str, str]:
    tell = partial(say, language)
    said = notes.read(s.note)
    words = partial(_words, said, tell)
    loud = [one for one in s.not_carried if one.get("reason") not in ("ignored", "own")]
    red = [one for one in s.validations if one.get("result") == "failure"]
    added, removed = s.lines or (0, 0)
    return {
        "change": s.change,
        "name": s.name,
        "revision": str(s.revision),
        "title": notes.inline(s.title),
        "agent": notes.inline(s.agent.name),
        "tool": notes.inline(s.agent.tool) or tell("unknown"),
        "model": notes.inline(s.agent.model) or tell("unknown"),
        "session": notes.inline(s.agent.session) or tell("unknown"),
        "task": notes.inline(s.agent.task) or tell("unknown"),
        "cost": notes.inline(s.agent.cost) or tell("unknown"),
        "when": f"{s.at[:16].replace('T', ' ')} UTC",
        "branch": notes.code(s.branch),
        "target": notes.code(s.target) if s.target else tell("unknown"),
        "base": notes.code(s.base[:12]) if s.base else tell("whole_history"),
        "based": notes.inline(_word("based", s.based, tell)),
        "head": notes.code(s.head[:12]),
        "tree": notes.code(s.tree),
        "commit_count": str(len(s.commits)),
        "file_count": str(len(s.files)),
        "lines": tell("lines", added=added, removed=removed) if s.lines else tell("lines_unknown"),
        "commits": _commits(s, tell),
        "files": _files(s, tell),
        "checks": _checks(s, tell),
        "problems": _list([*_problems(red, loud, tell), *words("problems")], tell("none")),
        "goal": _list(words("goal") or [notes.inline(s.title)], ""),
        "done": _list(words("", "done") or [notes.inline(title) for _, title, _ in s.commits], tell("not_said")),
        "doing": _list([*words("doing"), *_doing(s, tell)], tell("nothing")),
        "left": _list([*words("left"), *_unrun(s, tell)], tell("not_said")),
        "attention": _list(
            [*words("watch", "problems"), *_problems(red, loud, tell), *_gated(s, tell)], tell("nothing")
        ),
        "setup": _list([*words("setup"), *_setup(s, tell)], tell("setup_same")),
        "advice": _list([*words("advice"), *_advice(s, red, said, tell)], tell("nothing")),
        "next_notes": _list(words("left", "advice", "watch"), tell("not_said")),
        "not_carried": _not_carried(s, loud, tell),
        **_checklist(s, loud, red, tell),
    }


Tell = Callable[..., str]


def _words(said: Mapping[str, list[str]], tell: Tell, *names: str) -> list[str]:
    return [line.removeprefix("> ") for line in notes.quoted(notes.words_of(said, *names))]


def _list(items: list[str], empty: str) -> str:
    return "\n".join(f"- {item}" for item in items) if items else f"- {empty}"


def _commits(s: Session, tell: Tell) -> str:
    rows = [
        tell("commit_row", id=oid[:12], title=notes.inline(title), who=notes.inline(who))
        for oid, title, who in s.commits[-_ROWS:]
    ]
    rows += [tell("more", count=len(s.commits) - _ROWS)] if len(s.commits) > _ROWS else []
    rows += [tell("uncommitted", id=s.uncommitted[:12])] if s.uncommitted else []
    return _list(rows, tell("no_commits"))


def _files(s: Session, tell: Tell) -> str:
    rows = []
    for status, path, origin in s.files[:_ROWS]:
        where = tell(f"origin_{origin}") if f"origin_{origin}" in WORDS else origin
        word = tell(f"status_{status}") if status in "AMDT" else status
        rows.append(f"{word}: {notes.code(path)} ({where})")
    rows += [tell("more", count=len(s.files) - _ROWS)] if len(s.files) > _ROWS else []
    return _list(rows, tell("none"))


def _checks(s: Session, tell: Tell) -> str:
    if not s.validations:
        return tell("no_checks")
    rows = [tell("check_head"), "|---|---|---|---|"]
    for one in s.validations:
        detail = notes.inline(str(one.get("detail", "")).split("\n", 1)[0])
        took = f"{float(one.get('duration_ms', 0)):.0f} ms"
        rows.append(f"| {notes.inline(str(one['name']))} | {_result(one, tell)} | {took} | {detail} |")
    return "\n".join(rows)


def _result(one: Mapping[str, Any], tell: Tell) -> str:
    result = str(one.get("result"))
    return tell(result) if result in ("success", "failure", "skipped") else notes.inline(result)


def _told(key: str, one: Mapping[str, Any], tell: Tell) -> str:
    detail = str(one.get("detail", "")).split("\n", 1)[0]
    return tell(key, name=notes.inline(str(one["name"])), detail=notes.inline(detail))


def _word(kind: str, word: str, tell: Tell) -> str:
    """What the exporter calls a reason or a base, in the language of the document where it has a word for it."""
    return tell(f"{kind}_{word}") if f"{kind}_{word}" in WORDS else word


def _problems(red: list[Mapping[str, Any]], loud: list[Mapping[str, Any]], tell: Tell) -> list[str]:
    rows = [_told("red", one, tell) for one in red]
    rows += [
        tell("left_out", path=notes.code(one["path"]), reason=_word("reason", str(one["reason"]), tell))
        for one in loud[:_ROWS]
    ]
    return rows


def _doing(s: Session, tell: Tell) -> list[str]:
    return [tell("uncommitted", id=s.uncommitted[:12])] if s.uncommitted else []


def _unrun(s: Session, tell: Tell) -> list[str]:
    return [
        _told("not_run", one, tell) for one in s.validations if str(one.get("detail", "")).startswith("not checked")
    ]


def _gated(s: Session, tell: Tell) -> list[str]:
    rows = [tell("ci_changed", path=notes.code(path)) for _, path, _ in s.files if _GATED.search(path)][:10]
    return [*rows, *([tell("merge_inside", count=s.merges)] if s.merges else [])]


def _setup(s: Session, tell: Tell) -> list[str]:
    return [tell("setup_changed", path=notes.code(path)) for _, path, _ in s.files if _SETUP.search(path)][:10]


def _advice(s: Session, red: list[Mapping[str, Any]], said: Mapping[str, list[str]], tell: Tell) -> list[str]:
    rows = [tell("do_import", name=s.name)]
    rows += [tell("do_red")] if red else []
    rows += [tell("do_left")] if said.get("left") else []
    ran = {one["name"] for one in s.validations if one.get("result") == "success"}
    rows += [tell("do_validate", id=s.head[:12])] if not {"pytest", "ruff", "mypy"} <= ran else []
    return [*rows, tell("do_land", id=s.change)]


def _not_carried(s: Session, loud: list[Mapping[str, Any]], tell: Tell) -> str:
    rows = [
        tell("left_out", path=notes.code(one["path"]), reason=_word("reason", str(one["reason"]), tell))
        for one in loud[:_ROWS]
    ]
    quiet = len(s.not_carried) - len(loud)
    return _list([*rows, *([tell("quiet_left_out", count=quiet)] if quiet else [])], tell("nothing"))


def _checklist(s: Session, loud: list[Mapping[str, Any]], red: list[Mapping[str, Any]], tell: Tell) -> dict[str, str]:
    """The ticked lines: ``[x]`` is so, ``[ ]`` is not, whatever the reason."""
    unmerged = [one["path"] for one in loud if one["reason"] == "unmerged"]
    sensitive = [one["path"] for one in loud if one["reason"] == "sensitive"]
    docs = [path for _, path, _ in s.files if _DOCS.search(path)]
    log = any(re.search(r"(?:^|/)(?:CHANGELOG|CHANGES|HISTORY|NEWS)", path, re.I) for path in docs)
    tests = next((one for one in s.validations if one["name"] == "pytest" and one["result"] != "skipped"), None)
    size = sum(size for _, size, _ in s.payloads)
    git = [
        _tick(not unmerged, tell("c_clean") if not unmerged else tell("c_unmerged", paths=_paths(unmerged))),
        _tick(True, tell("c_branch", branch=notes.code(s.branch), base=notes.code(s.base[:12]), how=_word("based", s.based, tell))
              if s.base else tell("c_branch", branch=notes.code(s.branch), base=tell("whole_history"), how=_word("based", s.based, tell))),
        _tick(not loud, tell("c_all") if not loud else tell("c_some", count=len(loud))),
    ]  # fmt: skip
    checks = [
        _tick(one["result"] == "success", f"{notes.inline(str(one['name']))}: {_result(one, tell)}")
        for one in s.validations
    ]
    if tests is None:
        checks.append(_tick(False, tell("c_no_tests")))
    return {
        "check_git": "\n".join(git),
        "check_tests": "\n".join(checks),
        "check_docs": "\n".join((
            _tick(bool(docs), tell("c_docs", paths=_paths(docs)) if docs else tell("c_no_docs")),
            _tick(log, tell("c_changelog" if log else "c_no_changelog")),
        )),
        "check_export": "\n".join((
            _tick(True, tell("c_size", files=len(s.files), bytes=size)),
            _tick(bool(s.note.strip()), tell("c_note" if s.note.strip() else "c_no_note")),
        )),
        "check_quality": "\n".join((
            _tick(True, tell("c_secrets")),
            *([_tick(True, tell("c_sensitive", paths=_paths(sensitive)))] if sensitive else []),
            *(_tick(False, _told("red", one, tell)) for one in red),
            _tick(s.signed, tell("c_signed" if s.signed else "c_unsigned")),
        )),
        "payloads": _list([tell("c_payload", name=name, size=n, sha=sha) for name, n, sha in s.payloads], tell("none")),
    }  # fmt: skip


def _tick(yes: bool, text: str) -> str:
    return f"- [{'x' if yes else ' '}] {text}"


def _paths(paths: list[str]) -> str:
    return ", ".join(notes.code(path) for path in paths[:8]) + (", …" if len(paths) > 8 else "")
