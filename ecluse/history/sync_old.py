"""Rows that other tools wrote into ``.sync/sync_history.db``: what stands there, and taking it into the history once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Any

from ecluse.clock import now
from ecluse.dataclass import dataclass
from ecluse.errors import Failed, Invalid
from ecluse.files import storage_problem
from ecluse.history.records import storable
from ecluse.history.store import History
from ecluse.history.sync_copy import NAME, TABLE, columns_of, opened, refresh
from ecluse.model import Event
from ecluse.secrets.scan import scan

_TEXT_CAP = 4000
_ROWS_CAP = 200_000
_BESIDE = ("-wal", "-shm", "-journal")
_TOLD_BY = ("agent", "patch_name", "sync_type", "status")
"""A table under another name is one of hand-overs when it has columns for at least three of these."""

_ALIASES: dict[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "sync_timestamp", "date", "created_at", "export_timestamp"),
    "agent": ("agent", "agent_name"),
    "sync_type": ("sync_type", "type", "direction", "operation"),
    "patch_name": ("patch_name", "patch", "patch_file", "patch_filename", "filename"),
    "source_branch": ("source_branch", "branch_source", "source", "branch"),
    "target_branch": ("target_branch", "branch_target", "target"),
    "commits_count": ("commits_count", "commit_count", "commits", "num_commits"),
    "files_modified": ("files_modified", "files_changed", "modified_files", "num_files", "files_count"),
    "patch_size": ("patch_size", "size_bytes", "size", "patch_size_bytes"),
    "status": ("status", "result"),
    "error_message": ("error_message", "error", "message"),
    "metadata": ("metadata", "details", "extra"),
}
_NUMBERS = ("commits_count", "files_modified", "patch_size")


class Standing(StrEnum):
    """What lies where the copy belongs: nothing, the copy, rows of other tools, a database without any, a ruin."""

    ABSENT = "absent"
    OURS = "ours"
    OLD = "old"
    FOREIGN = "foreign"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Found:
    """What :func:`look` saw. ``table`` holds the ``rows`` to take in; ``tables`` are those of a foreign database."""

    standing: Standing
    table: str = ""
    rows: int = 0
    tables: tuple[str, ...] = ()


def look(path: Path) -> Found:
    """What lies at ``path``; nothing is changed.

    Raises :class:`Invalid` (``sync_history.place``) when it is no file, :class:`Failed` (``sync_history.busy``) when
    another program keeps it locked.
    """
    if not path.exists():
        return Found(Standing.ABSENT)
    if not path.is_file():
        raise Invalid("sync_history.place", f"{path} is no file.", f"mv {path} {path}.old, then type it again")
    try:
        with contextlib.closing(_reading(path)) as connection:
            return _look(connection)
    except sqlite3.Error as error:
        said = str(error)
        if "not a database" in said or "malformed" in said:
            return Found(Standing.DAMAGED)
        if "locked" in said:
            raise Failed(
                "sync_history.busy",
                f"Another program keeps {path} locked, so that the records in it cannot be read.",
                "close that program, then type the same command again",
            ) from error
        raise Failed(
            "sync_history.read", f"{path} cannot be read: {said}.", f"mv {path} {path}.old, then: ecluse init"
        ) from error


def _look(connection: sqlite3.Connection) -> Found:
    listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    tables = tuple(sorted((str(row[0]) for row in listed), key=lambda name: (name != TABLE, name)))
    for table in tables:
        columns = columns_of(connection, table)
        ours = table == TABLE and "record_key" in columns
        if table != TABLE and sum(bool(columns & set(_ALIASES[name])) for name in _TOLD_BY) < len(_TOLD_BY) - 1:
            continue
        where = " WHERE record_key IS NULL" if ours else ""
        count = int(connection.execute(f"SELECT count(*) FROM {_quoted(table)}{where}").fetchone()[0])  # noqa: S608
        if ours:
            return Found(Standing.OURS, TABLE, count)
        whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"  # a file cut short can be read too
        return Found(Standing.OLD, table, count) if whole else Found(Standing.DAMAGED)
    return Found(Standing.FOREIGN, tables=tables) if tables else Found(Standing.ABSENT)


def import_old_rows(history: History, path: Path, *, actor: str = "") -> int:
    """Take the rows that other tools wrote into the history, each once; return how many were new.

    A whole file of an older tool is then kept in the history's ``backups`` folder and replaced by the copy. Values
    that look like a secret are left out. Raises :class:`Failed` when the file cannot be read or moved.
    """
    found = look(path)
    where = " WHERE record_key IS NULL" if found.standing is Standing.OURS else ""
    try:
        with contextlib.closing(_reading(path)) as connection:
            connection.row_factory = sqlite3.Row
            asked = f"SELECT * FROM {_quoted(found.table)}{where} LIMIT ?"  # noqa: S608 - a table that is there, quoted
            rows = [dict(row) for row in connection.execute(asked, (_ROWS_CAP,))]
    except sqlite3.Error as error:
        raise Failed(
            "sync_history.read",
            f"{path} cannot be read: {error}.",
            f"mv {path} {path}.old, then: ecluse init",
        ) from error
    new = sum(_import_row(history, row, actor) for row in rows)
    if found.standing is Standing.OURS:
        with opened(path) as connection:
            connection.execute("DELETE FROM sync_records WHERE record_key IS NULL")
    else:
        _keep(history, path)
    refresh(history, path)
    return new


def _keep(history: History, path: Path) -> None:
    """Move the file into the history's ``backups``, with what still lies in a write-ahead log beside it."""
    backups = history.path.parent / "backups"
    kept = backups / f"sync_history-{now():%Y%m%d-%H%M%S-%f}.db"
    try:
        backups.mkdir(exist_ok=True)
        if path.with_name(f"{NAME}-wal").exists():
            with contextlib.closing(_reading(path)) as old, contextlib.closing(sqlite3.connect(kept)) as new:
                old.backup(new)
        else:
            kept.write_bytes(path.read_bytes())
        for one in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
            one.unlink(missing_ok=True)
    except OSError as error:
        raise storage_problem(error, path) from error
    except sqlite3.Error as error:
        raise Failed("sync_history.read", f"{path} cannot be copied: {error}.", "ecluse doctor") from error


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _quoted(table: str) -> str:
    return '"' + table.replace('"', '""') + '"'


def _import_row(history: History, row: dict[str, Any], actor: str) -> bool:
    raw = json.dumps({str(k): str(v) for k, v in row.items()}, sort_keys=True)
    subject = f"sync/{hashlib.sha256(raw.encode('utf-8', 'backslashreplace')).hexdigest()[:20]}"
    data = {name: _value(row, name) for name in _ALIASES}
    data["taken_in_by"] = actor
    text = f"recorded before by another tool: {data['sync_type']} {data['patch_name']} {data['status']}".rstrip()
    with history.transaction():
        if history.events(subject=subject, limit=1):
            return False
        history.note(Event("sync.imported", subject, text, str(data["agent"]), data))
    return True


def _value(row: dict[str, Any], name: str) -> str | int:
    value = next((row[alias] for alias in _ALIASES[name] if row.get(alias) is not None), "")
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if name in _NUMBERS:
        return _count(value)
    text = storable(str(value))[:_TEXT_CAP]
    return "(left out: it looks like a secret)" if scan(text.encode("utf-8", "backslashreplace")) else text


def _count(value: Any) -> int:
    """A number as it is; a list of files or commits, as some tools wrote, by its length."""
    if isinstance(value, int | float):
        return int(value)
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return len([part for part in text.split(",") if part.strip()])
    return len(found) if isinstance(found, list | dict) else 0
