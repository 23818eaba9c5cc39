"""What lies where ``.sync/sync_history.db`` belongs when ``ecluse init`` comes: taken in, kept, or said to be in the way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Failed, Invalid
from ecluse.history import History
from ecluse.history.sync_copy import NAME, columns_of, refresh
from ecluse.history.sync_old import Standing, import_old_rows, look
from ecluse.kit import ActionKind, InitOptions, init

ROW = ("2025-10-10T12:34:56", "Équipe É", "import", "sync_cloud_20251010_123456.patch", "failed", "échec")


def older(path: Path, table: str = "sync_records", *, log: bool = False) -> sqlite3.Connection:
    """A database as an older tool wrote it, one row in it; with ``log`` in a write-ahead log that nobody emptied."""
    connection = sqlite3.connect(path)
    if log:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(
        f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, timestamp TEXT, agent TEXT, sync_type TEXT, patch_name TEXT, "
        "status TEXT, error_message TEXT)"
    )
    connection.execute(
        f"INSERT INTO {table} (timestamp, agent, sync_type, patch_name, status, error_message) VALUES (?,?,?,?,?,?)",
        ROW,
    )
    connection.commit()
    return connection


def rows(path: Path, table: str = "sync_records") -> list[tuple[Any, ...]]:
    names = "timestamp, agent, sync_type, patch_name, status, error_message"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {names} FROM {table}").fetchall()


@pytest.mark.parametrize("table", ["sync_records", "sync history"])
def test_rows_are_taken_in_whatever_the_table_is_called(history: History, tmp_path: Path, table: str) -> None:
    path = tmp_path / NAME
    older(path, f'"{table}"').close()
    assert (look(path).standing, look(path).table, look(path).rows) == (Standing.OLD, table, 1)
    assert import_old_rows(history, path) == 1
    assert rows(path) == [ROW]
    assert look(path).standing is Standing.OURS


def test_what_lies_in_a_write_ahead_log_is_taken_in_and_kept(history: History, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with closing(older(path, log=True)):
        assert path.with_name(f"{NAME}-wal").stat().st_size > 0
        assert import_old_rows(history, path) == 1
    assert rows(path) == [ROW]
    (kept,) = (history.path.parent / "backups").glob("sync_history-*.db")
    assert rows(kept) == [ROW]
    assert [one.name for one in tmp_path.glob(f"{NAME}*")] == [NAME]


def test_another_tools_database_keeps_its_tables_and_init_says_so(bench: Any) -> None:
    path = bench.write(f".sync/{NAME}", b"")
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (agent TEXT, page TEXT)")
        other.execute("INSERT INTO bookmarks VALUES ('ada', 'p')")
        other.commit()
    action = next(one for one in init(bench.repository, InitOptions()).actions if one.what == f".sync/{NAME}")
    assert (action.kind, "bookmarks" in action.why) == (ActionKind.APPENDED, True)
    with closing(sqlite3.connect(path)) as both:
        assert both.execute("SELECT * FROM bookmarks").fetchall() == [("ada", "p")]
        assert "record_key" in columns_of(both)
    assert not init(bench.repository, InitOptions()).changed


def test_a_ruin_is_put_aside_and_init_says_so(bench: Any) -> None:
    path = bench.write(f".sync/{NAME}", b"")
    older(path).close()
    path.write_bytes(path.read_bytes()[:5000])
    action = next(one for one in init(bench.repository, InitOptions()).actions if one.what == f".sync/{NAME}")
    assert (action.kind, "put aside" in action.why) == (ActionKind.CREATED, True)
    assert look(path).standing is Standing.OURS
    assert len(list(path.parent.glob(f"{NAME}-damaged-*"))) == 1
    assert not init(bench.repository, InitOptions()).changed


def test_a_locked_file_or_a_folder_in_its_place_stops_init_before_anything_is_written(bench: Any) -> None:
    path = bench.write(f".sync/{NAME}", b"")
    with closing(older(path)) as other:
        other.isolation_level = None
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Failed) as locked:
            init(bench.repository, InitOptions())
    assert locked.value.code == "sync_history.busy"
    path.unlink()
    path.mkdir()
    with pytest.raises(Invalid) as folder:
        init(bench.repository, InitOptions())
    assert folder.value.code == "sync_history.place"
    assert not (bench.folder / "ecluse.toml").exists()
    assert not (bench.repository.state_dir / "history.db").exists()


def test_a_copy_that_is_not_there_yet_is_made(history: History, tmp_path: Path) -> None:
    path = tmp_path / NAME
    assert look(path).standing is Standing.ABSENT
    refresh(history, path)
    assert (look(path).standing, look(path).rows) == (Standing.OURS, 0)
