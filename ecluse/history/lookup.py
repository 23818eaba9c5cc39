"""Finding what was handed over by what people remember of it: a bundle's or patch's name, a change's id, a path."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection

from ecluse.dataclass import dataclass
from ecluse.history.records import columns, event_of, from_row
from ecluse.history.store import History
from ecluse.model import Change, Event

NAMING_KINDS = (
    "change.received", "change.refused", "export.begun", "export.done", "export.refused", "import.begun",
    "import.refused", "sync.imported",
)  # fmt: skip
"""Kinds of events that carry the names of files: what came in, what went out, what an older tool recorded."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a word led to: changes (by id, source, title or path) and events that name it; newest first."""

    changes: tuple[Change, ...]
    events: tuple[Event, ...]


def find(history: History, word: str, limit: int = 50) -> Found:
    """Changes and hand-overs whose id, bundle or patch name, or path holds ``word``, letter case aside."""
    spellings = _spellings(word)
    plain = [f"%{_escaped(one)}%" for one in spellings]
    listed = [f"%{_escaped(json.dumps(one)[1:-1])}%" for one in spellings]  # lists are stored as JSON in ASCII

    def near(column: str) -> str:
        return "(" + " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for _ in spellings) + ")"

    events = [
        event_of(row)
        for row in history.execute(
            "SELECT number, at, kind, subject, text, actor, data FROM events "  # noqa: S608 - our own names
            f"WHERE kind IN ({', '.join('?' for _ in NAMING_KINDS)}) "
            f"AND ({near('subject')} OR {near('text')} OR {near('data')}) ORDER BY number DESC LIMIT ?",
            (*NAMING_KINDS, *plain, *plain, *listed, limit),
        )
    ]
    rows = history.execute(
        f"SELECT {', '.join(columns(Change))} FROM changes "  # noqa: S608 - our own names
        f"""WHERE {near('"key"')} OR {near("source")} OR {near("title")} OR {near("files")} """
        'ORDER BY created_at DESC, "key" DESC LIMIT ?',
        (*plain, *plain, *plain, *listed, limit),
    )
    changes: dict[str, Change] = {change.key: change for change in (from_row(Change, row) for row in rows)}
    for event in events:  # a change whose payload has this name, though its manifest has another
        kind, _, key = event.subject.partition("/")
        if kind == "change" and key not in changes and (change := history.get(Change, key)):
            changes[key] = change
    return Found(tuple(list(changes.values())[:limit]), tuple(events))


def _spellings(word: str) -> tuple[str, ...]:
    """``word`` in the forms that the database does not take for the same: it knows the cases of ASCII letters only."""
    if word.isascii():
        return (word,)
    forms = [unicodedata.normalize(form, word) for form in ("NFC", "NFD")]
    return tuple(dict.fromkeys(cased for one in (word, *forms) for cased in (one, one.lower(), one.upper())))


def export_known(history: History, change_id: str, revision: int) -> bool:
    """Whether the export of this revision of a change is on record, by whoever it was recorded."""
    part = f'"change_id":{json.dumps(change_id)},"revision":{revision:d},'
    rows = history.execute(
        "SELECT 1 FROM events WHERE kind = 'export.done' AND data LIKE ? ESCAPE '\\' LIMIT 1", (f"%{_escaped(part)}%",)
    )
    return bool(rows)


def received_with(history: History, sender: str, marks: Collection[str]) -> list[Change]:
    """The changes that were received with the mark ``sender`` and one of ``marks``, newest first."""
    if not sender or not marks:
        return []
    near = "data LIKE ? ESCAPE '\\'"
    rows = history.execute(
        f"SELECT subject FROM events WHERE kind = 'change.received' AND {near} AND ({' OR '.join(near for _ in marks)}) "  # noqa: S608 - marks only
        "ORDER BY number DESC LIMIT 100",
        tuple(f'%"{_escaped(mark)}"%' for mark in (sender, *marks)),
    )
    keys = dict.fromkeys(str(row[0]).removeprefix("change/") for row in rows)
    return [change for key in keys if (change := history.get(Change, key))]


def event_number(history: History, number: int) -> Event | None:
    """The event with this number, or ``None``."""
    rows = history.execute(
        "SELECT number, at, kind, subject, text, actor, data FROM events WHERE number = ?", (number,)
    )
    return event_of(rows[0]) if rows else None


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
