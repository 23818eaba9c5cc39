"""``.sync/sync_history.db``: a copy of the history in the specification's form, for scripts and other tools.

It decides nothing: it is refreshed after every action from the events since the last time, and made again from nothing
when it is missing, damaged, or of another history. Rows that an older tool wrote are taken into the history first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecluse.clock import now
from ecluse.errors import Failed
from ecluse.files import storage_problem
from ecluse.history.records import storable
from ecluse.history.store import History
from ecluse.history.sync_records import COLUMNS, touched
from ecluse.model import Event
from ecluse.secrets.scan import scan

NAME = "sync_history.db"
_BUSY_S = 5.0
_TEXT_CAP = 4000
_ROWS_CAP = 200_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sync_records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    agent TEXT NOT NULL,
    sync_type TEXT NOT NULL,
    patch_name TEXT,
    source_branch TEXT,
    target_branch TEXT,
    commits_count INTEGER,
    files_modified INTEGER,
    patch_size INTEGER,
    status TEXT NOT NULL,
    error_message TEXT,
    metadata TEXT,
    record_key TEXT UNIQUE
)
"""
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


def refresh(history: History, path: Path, *, rebuild: bool = False) -> int:
    """Bring the copy at ``path`` up to date; return how many rows were written. An older tool's table is left alone.

    Raises :class:`Failed` when the file cannot be written; the history itself is never touched.
    """
    try:
        with _opened(path) as connection:
            return _refresh(history, connection, rebuild=rebuild)
    except sqlite3.DatabaseError as error:
        if "not a database" not in str(error) and "malformed" not in str(error):
            raise Failed(
                "sync_history.write", f"The copy {path} could not be refreshed: {error}.", "ecluse history copy"
            ) from error
    try:  # damaged: put aside under a name that git ignores, and made again from the history
        path.rename(path.with_name(f"{NAME}-damaged-{now():%Y%m%d-%H%M%S-%f}"))
    except OSError as error:
        raise storage_problem(error, path) from error
    with _opened(path) as connection:
        return _refresh(history, connection, rebuild=True)


def refresh_beside(history: History, work_tree: Path | None) -> None:
    """:func:`refresh` the copy in the ``.sync`` of a work tree, where there is such a folder (and not a link to one)."""
    folder = work_tree / ".sync" if work_tree is not None else None
    if folder is not None and folder.is_dir() and not folder.is_symlink() and not (folder / NAME).is_symlink():
        refresh(history, folder / NAME)


def count_old_rows(path: Path) -> int | None:
    """How many rows another tool wrote into the file at ``path``; ``None`` when there is nothing of that kind."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            standing = _columns(connection)
            if not standing:
                return None
            where = " WHERE record_key IS NULL" if "record_key" in standing else ""
            count = int(connection.execute(f"SELECT count(*) FROM sync_records{where}").fetchone()[0])  # noqa: S608
    except (OSError, sqlite3.Error):
        return None
    return count if count or not where else None


def import_old_rows(history: History, path: Path, *, actor: str = "") -> int:
    """Take the rows that other tools wrote into the history, each once; return how many were new.

    A whole file of an older tool is then kept in the history's ``backups`` folder and replaced by the copy. Values
    that look like a secret are left out. Raises :class:`Failed` when the file cannot be read or moved.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            ours = "record_key" in _columns(connection)
            where = " WHERE record_key IS NULL" if ours else ""
            connection.row_factory = sqlite3.Row
            rows = [
                dict(row)
                for row in connection.execute(f"SELECT * FROM sync_records{where} LIMIT ?", (_ROWS_CAP,))  # noqa: S608
            ]
    except sqlite3.Error as error:
        raise Failed(
            "sync_history.read",
            f"{path} cannot be read: {error}.",
            f"move it away (mv {path} {path}.old), then: ecluse init",
        ) from error
    new = sum(_import_row(history, row, actor) for row in rows)
    if ours:
        with _opened(path) as connection:
            connection.execute("DELETE FROM sync_records WHERE record_key IS NULL")
    else:
        backups = history.path.parent / "backups"
        try:
            backups.mkdir(exist_ok=True)
            kept = backups / f"sync_history-{now():%Y%m%d-%H%M%S-%f}.db"
            kept.write_bytes(path.read_bytes())
            path.unlink()
        except OSError as error:
            raise storage_problem(error, path) from error
    refresh(history, path)
    return new


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


def _refresh(history: History, connection: sqlite3.Connection, *, rebuild: bool) -> int:
    standing = _columns(connection)
    if standing and "record_key" not in standing:
        return 0
    if not rebuild and standing and _state(connection) == (_name_of(history), history.last_event()):
        return 0
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_SCHEMA)
    connection.execute("CREATE TABLE IF NOT EXISTS sync_state (history TEXT NOT NULL, last_event INTEGER NOT NULL)")
    row = _state(connection)
    name, newest = _name_of(history), history.last_event()
    if rebuild or row is None or row[0] != name or row[1] > newest:
        connection.execute("DELETE FROM sync_records WHERE record_key IS NOT NULL")
        after = 0
    else:
        after = int(row[1])
    made, gone = touched(history, after)
    rows = sorted(made, key=lambda one: (one.timestamp, one.record_key))
    connection.executemany("DELETE FROM sync_records WHERE record_key = ?", [(key,) for key in gone])
    updates = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS if column != "record_key")
    connection.executemany(
        f"INSERT INTO sync_records ({', '.join(COLUMNS)}) VALUES ({', '.join('?' for _ in COLUMNS)}) "  # noqa: S608 - our own names
        f"ON CONFLICT (record_key) DO UPDATE SET {updates}",
        [[getattr(one, column) for column in COLUMNS] for one in rows],
    )
    connection.execute("DELETE FROM sync_state")
    connection.execute("INSERT INTO sync_state VALUES (?, ?)", (name, newest))
    connection.execute("COMMIT")
    return len(rows)


def _name_of(history: History) -> str:
    """What tells one history from another: its first event."""
    first = history.events(limit=1)
    return f"{first[0].at} {first[0].subject}" if first else ""


def _state(connection: sqlite3.Connection) -> tuple[str, int] | None:
    """Of which history, and up to which event, the copy is."""
    try:
        row = connection.execute("SELECT history, last_event FROM sync_state").fetchone()
    except sqlite3.OperationalError:  # no such table
        return None
    return (str(row[0]), int(row[1])) if row else None


def _columns(connection: sqlite3.Connection) -> set[str]:
    return {str(row[1]) for row in connection.execute("PRAGMA table_info(sync_records)")}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file for writing, without files beside it afterwards; what was not committed is rolled back."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
    try:
        yield connection
    finally:
        connection.close()
