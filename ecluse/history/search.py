"""Full text over events: SQLite's FTS5. The only module that is not portable SQL."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from ecluse.history.records import event_of, storable
from ecluse.model import Event

if TYPE_CHECKING:
    from ecluse.history.store import History


def prepare(connection: sqlite3.Connection) -> None:
    """Make the index where it is missing."""
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS event_words USING fts5(subject, kind, actor, text, tokenize='unicode61 remove_diacritics 2')"
    )


def add(history: History, number: int, event: Event) -> None:
    """Index one event, inside the transaction that stores it."""
    words = " ".join(str(value) for value in event.data.values() if isinstance(value, str | int))
    history.execute(
        "INSERT INTO event_words (rowid, subject, kind, actor, text) VALUES (?, ?, ?, ?, ?)",
        (number, event.subject, event.kind, storable(event.actor), storable(f"{event.text} {words}")),
    )


def find(history: History, query: str, limit: int = 50) -> list[Event]:
    """Events that hold every word of ``query`` (by beginning, accents and case aside), best first.

    The query is words, never a query language: nothing in it can be wrong.
    """
    words = re.findall(r"\w+", query)
    if not words:
        return []
    match = " ".join(f'"{word}"*' for word in words)
    rows = history.execute(
        "SELECT e.number, e.at, e.kind, e.subject, e.text, e.actor, e.data FROM event_words w "
        "JOIN events e ON e.number = w.rowid WHERE event_words MATCH ? ORDER BY rank, e.number DESC LIMIT ?",
        (match, limit),
    )
    return [event_of(row) for row in rows]
