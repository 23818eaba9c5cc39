"""Nouns to rows and back. A noun's table has exactly the noun's fields as columns; a test holds them equal.

Text, whole numbers, fractions and booleans are stored as such; enums as their value; tuples and dicts as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from ecluse import model
from ecluse.dataclass import names_of
from ecluse.model import Change, Deployment, Event, Gate, Hold, Landing, Release, Run

Record = Change | Run | Landing | Release | Gate | Deployment | Hold

TABLES: dict[type[Any], tuple[str, str]] = {
    Change: ("changes", "key"),
    Run: ("runs", "id"),
    Landing: ("landings", "id"),
    Release: ("releases", "id"),
    Gate: ("gates", "id"),
    Deployment: ("deployments", "id"),
    Hold: ("holds", "id"),
}
"""Noun -> (table, primary key column)."""


Reader = Callable[[Any], Any]
"""Makes a field's value of what the database, or JSON, holds."""

_COLUMNS: dict[type[Any], tuple[str, ...]] = {}
_READERS: dict[type[Any], dict[str, Reader]] = {}


def columns(noun: type[Any]) -> tuple[str, ...]:
    """The column names of ``noun``'s table, in the order of its fields, quoted."""
    if noun not in _COLUMNS:
        _COLUMNS[noun] = tuple(f'"{name}"' for name in names_of(noun) or ())
    return _COLUMNS[noun]


def to_row(record: Record) -> list[object]:
    """The values of a record for its table's columns."""
    return [_encode(getattr(record, name)) for name in names_of(record) or ()]


def from_row(noun: type[Any], row: tuple[Any, ...]) -> Any:
    """The record that :func:`to_row` wrote."""
    readers = _readers(noun)
    made = (None if value is None else read(value) for read, value in zip(readers.values(), row, strict=True))
    return noun(*made)


def event_of(row: tuple[Any, ...]) -> Event:
    """The event of a row ``number, at, kind, subject, text, actor, data``."""
    number, at, kind, subject, text, actor, data = row
    return Event(kind=kind, subject=subject, text=text, actor=actor, data=json.loads(data), at=at, number=number)


def plain(value: Any) -> Any:
    """``value`` as JSON material: dataclasses become objects, enums their value, tuples lists."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if not isinstance(value, type) and (names := names_of(value)) is not None:
        return {name: plain(getattr(value, name)) for name in names}
    return value


def _encode(value: Any) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str):
        return storable(value)
    return json.dumps(plain(value), ensure_ascii=True, separators=(",", ":"))


def storable(text: str) -> str:
    """Text that a database takes: what is not valid UTF-8 (undecodable file names) is shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8") if not text.isascii() else text


def _readers(noun: type[Any]) -> dict[str, Reader]:
    """How each field of ``noun`` is read, by the type that it is declared with."""
    if noun not in _READERS:
        _READERS[noun] = {name: _reader(hint) for name, hint in noun.__annotations__.items()}
    return _READERS[noun]


def _reader(hint: str) -> Reader:
    """The reader for one of the types that :mod:`ecluse.model` declares, as it stands there."""
    hint = hint.removesuffix(" | None")
    if hint.startswith("tuple["):
        kind = _noun(hint[6:].partition(",")[0])
        revive = (lambda item: _revive(kind, item)) if names_of(kind) else _as_it_is
        return lambda text: tuple(map(revive, json.loads(text)))
    if hint.startswith("dict["):
        return json.loads
    kind = bool if hint == "bool" else _noun(hint)
    return kind if kind is bool or issubclass(kind, StrEnum) else _as_it_is


def _noun(word: str) -> type[Any]:
    """The class that ``word`` names in :mod:`ecluse.model`; ``object`` when it is none of ours."""
    found = vars(model).get(word)
    return found if isinstance(found, type) else object


def _revive(noun: type[Any], item: dict[str, Any]) -> Any:
    readers = _readers(noun)
    return noun(**{name: readers[name](value) if isinstance(value, str) else value for name, value in item.items()})


def _as_it_is(value: Any) -> Any:
    return value
