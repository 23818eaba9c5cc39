"""``.sync/sync_history.db``: a copy of the history in the specification's form, for scripts and other tools.

It decides nothing: it is refreshed after every action from the events since the last time, and made again from nothing
when it is missing, damaged, or of another history. Rows that an older tool wrote are taken in by ``sync_old``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ecluse.clock import now
from ecluse.errors import Failed
from ecluse.files import storage_problem
from ecluse.history.store import History
from ecluse.history.sync_records import COLUMNS, touched

NAME = "sync_history.db"
TABLE = "sync_records"
_BUSY_S = 5.0

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


def refresh(history: History, path: Path, *, rebuild: bool = False) -> int:
    """Bring the copy at ``path`` up to date; return how many rows were written. An older tool's table is left alone.

    Raises :class:`Failed` when the file cannot be written; the history itself is never touched.
    """
    try:
        with opened(path) as connection:
            return _refresh(history, connection, rebuild=rebuild)
    except sqlite3.DatabaseError as error:
        if "not a database" not in str(error) and "malformed" not in str(error):
            raise Failed(
                "sync_history.write", f"The copy {path} could not be refreshed: {error}.", "ecluse history copy"
            ) from error
    put_aside(path)
    with opened(path) as connection:
        return _refresh(history, connection, rebuild=True)


def put_aside(path: Path) -> None:
    """Give a damaged file at ``path`` a name that git ignores, so that the copy can be made again from the history."""
    try:
        path.rename(path.with_name(f"{NAME}-damaged-{now():%Y%m%d-%H%M%S-%f}"))
    except OSError as error:
        raise storage_problem(error, path) from error


def refresh_beside(history: History, work_tree: Path | None) -> None:
    """:func:`refresh` the copy in the ``.sync`` of a work tree, where there is such a folder (and not a link to one)."""
    folder = work_tree / ".sync" if work_tree is not None else None
    if folder is not None and folder.is_dir() and not folder.is_symlink() and not (folder / NAME).is_symlink():
        refresh(history, folder / NAME)


def _refresh(history: History, connection: sqlite3.Connection, *, rebuild: bool) -> int:
    standing = columns_of(connection)
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


def columns_of(connection: sqlite3.Connection, table: str = TABLE) -> set[str]:
    """The names of the columns of ``table``; none when there is no such table."""
    return {str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file for writing, without files beside it afterwards; what was not committed is rolled back."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
    try:
        yield connection
    finally:
        connection.close()
