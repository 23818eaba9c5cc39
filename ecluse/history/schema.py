"""Numbered migrations, each in one transaction, with a backup of the file before each."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from ecluse.clock import now
from ecluse.errors import Failed
from ecluse.history import search

NEWEST = 3
"""Number of the newest migration; a test holds it equal to the scripts, which are read only when there is work."""


def migrations() -> dict[int, str]:
    """The numbered SQL scripts shipped with the package, by number."""
    from importlib import resources

    found = {}
    for entry in resources.files("ecluse.history").joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            found[int(entry.name[:4])] = entry.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def version_of(connection: sqlite3.Connection) -> int:
    """The number of the last migration that this database went through; 0 for an empty one."""
    row = connection.execute("PRAGMA user_version").fetchone()
    return int(row[0])


def migrate(connection: sqlite3.Connection, path: Path, scripts: dict[int, str] | None = None) -> list[int]:
    """Bring the database to the newest schema; return the numbers applied.

    Before each migration of a database that holds anything, a copy is kept in ``backups/`` beside it. Raises
    :class:`Failed` when the file was written by a newer Écluse.
    """
    at = version_of(connection)
    if scripts is None:
        if at == NEWEST:
            return []
        scripts = migrations()
    newest = max(scripts)
    if at > newest:
        raise Failed(
            "history.newer",
            f"{path} has schema {at}; this Écluse knows up to {newest}. It was written by a newer version.",
            "upgrade with: pip install --upgrade ecluse",
        )
    applied = []
    for number, script in scripts.items():
        if number <= at:
            continue
        if at > 0:
            _back_up(connection, path, number)
        _apply(connection, number, script)
        applied.append(number)
    return applied


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) < number:  # another process may have been faster
            for statement in _statements(script):
                connection.execute(statement)
            search.prepare(connection)
            connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split a script at complete statements (``executescript`` would end our transaction)."""
    found, buffer = [], ""
    for part in re.split(r"(?<=;)", script):
        buffer += part
        if sqlite3.complete_statement(buffer):
            found.append(buffer.strip())
            buffer = ""
    if buffer.strip():
        found.append(buffer.strip())
    return found


def _back_up(connection: sqlite3.Connection, path: Path, number: int) -> None:
    folder = path.parent / "backups"
    folder.mkdir(exist_ok=True)
    target = folder / f"{path.stem}-before-{number:04d}-{now():%Y%m%d-%H%M%S}{path.suffix}"
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()
