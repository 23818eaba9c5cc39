"""What the trunk keeps of what landed: the state of the synchronisation and a journal of hand-overs.

Three kinds of file, each made from the one before it and one new entry: ``AGENT_SYNC.md`` (a row for each agent),
``docs/passation.md`` (the same agents with their pages) and ``docs/passation/AGENT.md`` (one entry for each change).
What people wrote outside the marked section of the first two, and above the first entry of a page, stays.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.documents import note as notes
from ecluse.documents.words import Language, say
from ecluse.patterns import expression

STATE = "AGENT_SYNC.md"
INDEX = "docs/passation.md"
FOLDER = "docs/passation"
BEGIN, END = "<!-- ecluse:begin sync -->", "<!-- ecluse:end sync -->"
ENTRIES_CAP = 100
"""Entries that a page keeps; older ones are in the history of the file."""

_ROWS = 20
_RESERVED = expression(r"(?:con|prn|aux|nul|com\d|lpt\d)\Z")
_ROW = expression(r"^\| \[(?P<agent>.+?)\]\((?P<page>[^)]*)\) \| (?P<count>\d+) \|(?P<rest>.*)\|\s*$")

Reader = Callable[[str], str | None]
"""Path to the text that the tree holds there now (``None``: nothing)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that lands. ``commits`` are (id, title), oldest first; ``files`` paths; ``at`` an instant."""

    change: str
    revision: int
    title: str
    agent: str
    branch: str
    base: str
    at: str
    commits: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    validations: tuple[Mapping[str, Any], ...]
    not_carried: tuple[str, ...]
    note: str


def page_of(agent: str) -> str:
    """The path of an agent's page: its name where that is a plain one, else made plain, with a mark of the real one."""
    bare = "".join(one for one in unicodedata.normalize("NFKD", agent) if not unicodedata.combining(one))
    plain = re.sub(r"[^a-z0-9-]+", "-", bare.lower()).strip("-")[:40]
    if plain != agent or not plain or _RESERVED.match(plain):
        mark = hashlib.sha256(agent.encode("utf-8", "backslashreplace")).hexdigest()[:8]
        plain = f"{plain or 'agent'}-{mark}"
    return f"{FOLDER}/{plain}.md"


def updated(entry: Entry, language: Language, read: Reader) -> dict[str, str]:
    """Path -> new text of the files that change when ``entry`` lands."""
    tell = partial(say, language)
    page = page_of(entry.agent)
    state = _section(read(STATE) or "", "", entry, tell)
    index = _section(read(INDEX) or "", FOLDER.rpartition("/")[0], entry, tell)
    return {
        STATE: _whole(read(STATE), tell("j_state"), f"{state}\n\n{tell('j_where', folder=FOLDER)}"),
        INDEX: _whole(read(INDEX), tell("j_index"), index),
        page: _page(read(page), entry, tell),
    }


def _section(standing: str, folder: str, entry: Entry, tell: Callable[..., str]) -> str:
    """The table of agents with the new entry in it; rows of others stay word for word."""
    rows: dict[str, tuple[str, int]] = {}
    for line in _inside(standing).splitlines():
        found = _ROW.match(line)
        if found:
            rows[found["page"]] = (line, int(found["count"]))
    page = page_of(entry.agent)
    link = page.removeprefix(f"{folder}/") if folder else page
    count = rows.get(link, ("", 0))[1] + 1
    cells = (
        f"[{notes.inline(entry.agent, 60)}]({link})",
        str(count),
        f"{notes.code(entry.change)}/{entry.revision}",
        notes.inline(entry.title, 100),
        notes.code(entry.branch),
        _moment(entry.at),
    )
    rows[link] = (f"| {' | '.join(cells)} |", count)
    lines = [tell("j_head"), "|---|---|---|---|---|---|", *(rows[name][0] for name in sorted(rows))]
    return "\n".join(lines)


def _inside(text: str) -> str:
    begun = text.partition(BEGIN)[2]
    return begun.partition(END)[0] if END in begun else ""


def _whole(standing: str | None, title: str, section: str) -> str:
    """The file with its marked section renewed; a file without one gets it at its end."""
    marked = f"{BEGIN}\n{section}\n{END}"
    if not standing or not standing.strip():
        return f"# {title}\n\n{marked}\n"
    before, begin, rest = standing.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        return f"{before}{marked}{after}"
    return f"{standing.rstrip()}\n\n{marked}\n"


def _page(standing: str | None, entry: Entry, tell: Callable[..., str]) -> str:
    head = f"# {tell('j_title', agent=notes.inline(entry.agent, 60))}\n\n{tell('j_written')}\n"
    older: list[str] = []
    if standing and standing.strip():
        parts = re.split(r"(?m)^(?=## )", standing)
        head, older = parts[0], [part.rstrip() for part in parts[1:]]
    whole = [_entry(entry, tell), *older]
    kept = whole[:ENTRIES_CAP]
    cut = f"\n\n{tell('j_older')}" if len(whole) > ENTRIES_CAP else ""
    kept[-1] = kept[-1].replace(f"\n\n{tell('j_older')}", "")
    body = "\n\n".join(kept)
    return f"{head.rstrip()}\n\n{body}{cut}\n"


def _entry(entry: Entry, tell: Callable[..., str]) -> str:
    said = notes.read(entry.note)
    base = notes.code(entry.base[:12]) if entry.base else tell("whole_history")
    lines = [
        f"## {_moment(entry.at)}, {entry.change}/{entry.revision}: {notes.inline(entry.title, 120)}",
        "",
        f"- {tell('j_landed', branch=entry.branch, base=entry.base[:12]) if entry.base else base}",
    ]
    lines += _sublist(
        tell("j_commits", count=len(entry.commits)),
        [f"`{oid[:12]}` {notes.inline(title)}" for oid, title in entry.commits],
        tell,
    )
    lines += _sublist(tell("j_files", count=len(entry.files)), [notes.code(path) for path in entry.files], tell)
    checks = [f"{notes.inline(str(one.get('name')))} {_result(one, tell)}" for one in entry.validations]
    lines += [f"- {tell('j_checks')}: {', '.join(checks)}"] if checks else []
    lines += _sublist(tell("j_not_carried"), [notes.code(path) for path in entry.not_carried], tell)
    for names, title in ((("", "goal", "doing", "problems", "setup", "advice"), "j_words"), (("done",), "j_done"),
                         (("left",), "j_left"), (("watch",), "j_watch")):  # fmt: skip
        words = notes.quoted(notes.words_of(said, *names))
        lines += ["", f"{tell(title).capitalize()}:", "", *[f"{line}  " for line in words]] if words else []
    return "\n".join(lines).rstrip()


def _sublist(title: str, items: list[str], tell: Callable[..., str]) -> list[str]:
    if not items:
        return []
    rows = [f"  - {item}" for item in items[:_ROWS]]
    rows += [f"  - {tell('more', count=len(items) - _ROWS)}"] if len(items) > _ROWS else []
    return [f"- {title}:", *rows]


def _result(one: Mapping[str, Any], tell: Callable[..., str]) -> str:
    result = str(one.get("result"))
    return tell(result) if result in ("success", "failure", "skipped") else notes.inline(result)


def _moment(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
