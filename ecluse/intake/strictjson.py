"""JSON read strictly: what two readers could understand differently is refused before anything looks at it."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from ecluse.errors import Refused
from ecluse.patterns import expression

MAX_BYTES = 16 << 20
MAX_DEPTH = 20
MAX_VALUES = 1_000_000
"""Values (counted by their commas) that one document may hold: small ones take a hundred times their length in memory."""

MAX_INTEGER = 2**53
_STRING = expression(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")


def loads(data: bytes, name: str = "the manifest") -> Any:
    """The value of a JSON document. Raises :class:`Refused` (``meta.*``) for anything not strictly JSON.

    Refused are: more than :data:`MAX_BYTES`, another encoding than UTF-8, nesting deeper than :data:`MAX_DEPTH`,
    duplicate keys, ``NaN`` and infinities, fractions that overflow, integers beyond 2^53, data after the value.
    """
    if len(data) > MAX_BYTES:
        raise refused("meta.size", f"{name} has {len(data):,} bytes, more than {MAX_BYTES:,}")
    if not data.strip():
        raise refused("meta.type", f"{name} is empty")
    if data.count(b",") > MAX_VALUES:
        raise refused("meta.size", f"{name} holds more than {MAX_VALUES:,} values")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused("meta.encoding", f"{name} is not UTF-8 (byte {error.start})") from error
    _check_depth(data, name)
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
    )
    try:
        value, end = decoder.raw_decode(text.lstrip(" \t\r\n"))
    except json.JSONDecodeError as error:
        raise refused("meta.syntax", f"{name} is not JSON: {error.msg} (line {error.lineno})") from error
    if text.lstrip(" \t\r\n")[end:].strip(" \t\r\n"):
        raise refused("meta.trailing", f"{name} goes on after the end of its JSON value")
    return value


def refused(code: str, why: str) -> Refused:
    """The problem for a manifest that cannot be trusted to mean one thing."""
    return Refused(code, f"{why}.", "ask for a fresh bundle made with: ecluse export")


def _check_depth(data: bytes, name: str) -> None:
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NO_BRACKETS):
        if bracket in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise refused("meta.depth", f"{name} is nested deeper than {MAX_DEPTH}")
        else:
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise refused("meta.duplicate_key", f"The manifest says {twice[:60]!r} twice")
    return found


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise refused("meta.number", f"The manifest holds a number that is too large ({text[:20]}...)")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")) or len(text) > 40:
        raise refused("meta.number", f"The manifest holds a number that overflows ({text[:20]})")
    return value


def _constant(text: str) -> NoReturn:
    raise refused("meta.number", f"The manifest holds {text}, which is not JSON")
