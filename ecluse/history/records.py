"""Nouns to rows and back. A noun's table has exactly the noun's fields as columns; a test holds them equal.

Text, whole numbers, fractions and booleans are stored as such; enums as their value; tuples and dicts as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from enum import StrEnum
from typing import Any

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


_COLUMNS = {noun: tuple(f'"{field.name}"' for field in dataclasses.fields(noun)) for noun in TABLES}
_HINTS: dict[type[Any], dict[str, Any]] = {}


def columns(noun: type[Any]) -> tuple[str, ...]:
    """The column names of ``noun``'s table, in the order of its fields, quoted."""
    return _COLUMNS[noun]


def _types(noun: type[Any]) -> dict[str, Any]:
    if noun not in _HINTS:
        _HINTS[noun] = typing.get_type_hints(noun)
    return _HINTS[noun]


def to_row(record: Record) -> list[object]:
    """The values of a record for its table's columns."""
    return [_encode(getattr(record, field.name)) for field in dataclasses.fields(record)]


def from_row(noun: type[Any], row: tuple[Any, ...]) -> Any:
    """The record that :func:`to_row` wrote."""
    hints = _types(noun)
    values = {f.name: _decode(value, hints[f.name]) for f, value in zip(dataclasses.fields(noun), row, strict=True)}
    return noun(**values)


def event_of(row: tuple[Any, ...]) -> Event:
    """The event of a row ``number, at, kind, subject, text, actor, data``."""
    number, at, kind, subject, text, actor, data = row
    return Event(kind=kind, subject=subject, text=text, actor=actor, data=json.loads(data), at=at, number=number)


def plain(value: Any) -> Any:
    """``value`` as JSON material: dataclasses become objects, enums their value, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
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


def _decode(value: Any, hint: Any) -> Any:
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        origin = typing.get_origin(hint)
    if origin is tuple:
        return tuple(_revive(item, typing.get_args(hint)[0]) for item in json.loads(value))
    if origin is dict:
        return json.loads(value)
    if hint is bool:
        return bool(value)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(value)
    return value


def _revive(item: Any, hint: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = _types(hint)
        return hint(**{name: (hints[name](v) if _is_enum(hints[name]) else v) for name, v in item.items()})
    return item


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)
