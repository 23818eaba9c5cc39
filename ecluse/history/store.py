"""Opening the history and writing to it: a record and its event always share one transaction."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ecluse.clock import instant
from ecluse.errors import Failed, Invalid
from ecluse.files import DISK_FULL_HINT, storage_problem
from ecluse.history import schema, search
from ecluse.history.records import TABLES, Record, columns, event_of, from_row, plain, storable, to_row
from ecluse.model import Event

Noun = TypeVar("Noun")
BUSY_MS = 20_000
"""How long a writer waits for another process's transaction, in milliseconds."""


class History:
    """One repository's history. Not for sharing between threads; open one in each."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._depth = 0
        self.path = path
        self.written = False
        """Whether an event was added through this object: then copies elsewhere are to be refreshed."""

    @classmethod
    def open(cls, state_dir: Path, *, create: bool = False) -> History:
        """Open ``state_dir/history.db``. Raises :class:`Invalid` when it is not there and ``create`` is false.

        Raises :class:`Failed` when it cannot be read or written, is damaged, or is from a newer Écluse.
        """
        path = state_dir / "history.db"
        if not create and not path.exists():
            raise Invalid("history.none", "This repository has no Écluse history yet.", "ecluse init")
        try:
            if create:
                state_dir.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            history = cls(connection, path)
            schema.migrate(connection, path)
        except OSError as error:
            raise storage_problem(error, path) from error
        except sqlite3.Error as error:
            raise database_problem(error, path) from error
        return history

    @classmethod
    def look(cls, state_dir: Path) -> History | None:
        """Open for reading alone, without a file made or changed beside it; ``None`` where there is none to be read so.

        As long as nobody writes there is no write-ahead log, and the file is read as it lies there. One of an older or
        newer schema is left alone: to a trial it is as if there were none.
        """
        path = state_dir / "history.db"
        if not path.exists():
            return None
        quiet = not path.with_name("history.db-wal").exists()
        try:
            address = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}"
            connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_MS / 1000)
            if schema.version_of(connection) == schema.NEWEST:
                return cls(connection, path)
            connection.close()
        except sqlite3.Error as error:
            raise database_problem(error, path) from error
        return None

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block become visible and durable together, or not at all. May be nested."""
        if self._depth:
            yield
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise database_problem(error, self.path) from error
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._depth = 0

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of this room's modules and return its rows."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise database_problem(error, self.path) from error

    # -- writing -----------------------------------------------------------------------------------------------

    def record(self, record: Record, event: Event) -> int:
        """Store a record's new state and the event that made it, in one transaction; return the event's number."""
        table, key = TABLES[type(record)]
        names = columns(type(record))
        marks = ", ".join("?" for _ in names)
        updates = ", ".join(f"{name} = excluded.{name}" for name in names if name != f'"{key}"')
        sql = f'INSERT INTO {table} ({", ".join(names)}) VALUES ({marks}) ON CONFLICT ("{key}") DO UPDATE SET {updates}'  # noqa: S608 - names from our own dataclasses
        with self.transaction():
            self.execute(sql, to_row(record))
            return self.note(event)

    def note(self, event: Event) -> int:
        """Append an event that changes no record; return its number."""
        with self.transaction():
            at = event.at or instant()
            data = json.dumps(plain(event.data), ensure_ascii=True, separators=(",", ":"))
            rows = self.execute(
                "INSERT INTO events (at, kind, subject, text, actor, data) VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
                (at, event.kind, event.subject, storable(event.text), storable(event.actor), data),
            )
            number = int(rows[0][0])
            search.add(self, number, event)
            self.written = True
            return number

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, noun: type[Noun], key: str) -> Noun | None:
        """The record with exactly this key, or ``None``."""
        table, column = TABLES[noun]
        rows = self.execute(f'SELECT {", ".join(columns(noun))} FROM {table} WHERE "{column}" = ?', (key,))  # noqa: S608
        return from_row(noun, rows[0]) if rows else None

    def find(
        self, noun: type[Noun], *, limit: int = 1000, offset: int = 0, newest_first: bool = False, **equal: object
    ) -> list[Noun]:
        """Records whose columns equal the given values, in the order they were created; ``offset`` of them skipped."""
        table, key = TABLES[noun]
        where = " AND ".join(f'"{name}" = ?' for name in equal) or "1 = 1"
        order = f'created_at {"DESC" if newest_first else "ASC"}, "{key}" {"DESC" if newest_first else "ASC"}'
        sql = f"SELECT {', '.join(columns(noun))} FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        values = [getattr(value, "value", value) for value in equal.values()]
        return [from_row(noun, row) for row in self.execute(sql, [*values, limit, offset])]

    def match(self, noun: type[Noun], prefix: str) -> list[Noun]:
        """Records whose key starts with ``prefix``, at most ten, newest first."""
        table, key = TABLES[noun]
        escaped = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        sql = f"SELECT {', '.join(columns(noun))} FROM {table} WHERE \"{key}\" LIKE ? ESCAPE '\\' ORDER BY created_at DESC LIMIT 10"  # noqa: S608
        return [from_row(noun, row) for row in self.execute(sql, (f"{escaped}%",))]

    def events(
        self,
        *,
        subject: str = "",
        kind: str = "",
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
        without: Collection[str] = (),
    ) -> list[Event]:
        """Events by subject (exact, or everything below it), by kind, after a number; oldest first by default.

        ``without`` names kinds to leave out.
        """
        clauses, values = ["number > ?"], [after]
        parameters: list[object] = list(values)
        if subject:
            clauses.append("(subject = ? OR (subject > ? AND subject < ?))")  # a range, which an index answers
            parameters += [subject, f"{subject}/", f"{subject}0"]  # 0 comes next after /
        if kind:
            clauses.append("(kind = ? OR (kind > ? AND kind < ?))")
            parameters += [kind, f"{kind}.", f"{kind}/"]  # / comes next after .
        if without:
            clauses.append(f"kind NOT IN ({', '.join('?' for _ in without)})")
            parameters += without
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT number, at, kind, subject, text, actor, data FROM events WHERE {' AND '.join(clauses)} ORDER BY number {order} LIMIT ?"  # noqa: S608
        return [event_of(row) for row in self.execute(sql, [*parameters, limit])]

    def count(self, noun: type[Any], **equal: object) -> int:
        """How many records have these values."""
        where = " AND ".join(f'"{name}" = ?' for name in equal) or "1 = 1"
        sql = f"SELECT count(*) FROM {TABLES[noun][0]} WHERE {where}"  # noqa: S608
        rows = self.execute(sql, [getattr(value, "value", value) for value in equal.values()])
        return int(rows[0][0])

    def last_event(self) -> int:
        """The number of the newest event; 0 when there is none."""
        return int(self.execute("SELECT coalesce(max(number), 0) FROM events")[0][0])


def database_problem(error: sqlite3.Error, path: Path) -> Failed:
    """Turn a database error into a sentence and the next command."""
    said = str(error)
    if "disk is full" in said or "disk I/O" in said:
        return Failed(
            "disk.full",
            f"The disk is full: {path} could not be written. What was recorded before is intact.",
            DISK_FULL_HINT,
        )
    if "readonly" in said or "unable to open" in said:
        return Failed(
            "disk.read_only",
            f"The history {path} cannot be written: {said}.",
            "check the permissions of its folder with: ls -ld",
        )
    if "locked" in said:
        return Failed(
            "history.busy",
            f"Another process has kept the history {path} busy for {BUSY_MS // 1000} s.",
            "ecluse status",
        )
    if "malformed" in said or "not a database" in said:
        return Failed(
            "history.damaged",
            f"The history {path} is damaged: {said}.",
            f"restore a copy from {path.parent / 'backups'}, or move the file away and type: ecluse init",
        )
    return Failed("history.error", f"The history {path} answered: {said}.", "ecluse doctor")
