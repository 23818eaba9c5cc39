"""Looking at database files without changing them: is it whole, which schema has it, what does an older one hold."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ecluse.dataclass import dataclass
from ecluse.history.schema import migrations, version_of


@dataclass(frozen=True, slots=True)
class Integrity:
    """What a look at a history file found; ``faults`` is empty when the file is whole."""

    schema: int
    newest: int
    events: int
    size_bytes: int
    faults: tuple[str, ...]


def inspect(path: Path) -> Integrity:
    """Check the history file ``path`` (``PRAGMA quick_check``), opened for reading only."""
    newest = max(migrations())
    try:
        size = path.stat().st_size
        with _opened(path) as connection:
            said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
            schema = version_of(connection)
            events = int(connection.execute("SELECT count(*) FROM events").fetchone()[0]) if schema else 0
    except (OSError, sqlite3.Error) as error:
        return Integrity(0, newest, 0, 0, (str(error),))
    return Integrity(schema, newest, events, size, () if said == ["ok"] else tuple(said))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        yield connection
    finally:
        connection.close()
