"""Values of the expression language and GitHub's rules for turning one kind into another.

Values are ``None``, ``bool``, ``float`` or ``int``, ``str``, ``list`` and ``dict``. Keys of objects are found without
regard to case, except in :class:`CaseSensitive` objects (the ``env`` context, as on GitHub's Linux runners).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

Value = Any

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_INFINITE = {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}


class CaseSensitive(dict[str, Any]):
    """An object whose keys are found only as they are written."""


class Filtered(list[Any]):
    """What ``.*`` selects: indexing it again indexes each of its members."""


def kind(value: Value) -> str:
    """GitHub's name for the kind of ``value``."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int | float):
        return "Number"
    if isinstance(value, str):
        return "String"
    return "Array" if isinstance(value, list) else "Object"


def is_primitive(value: Value) -> bool:
    return not isinstance(value, list | dict)


def to_number(value: Value) -> float:
    """``value`` as a number; NaN for what is none."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    return text_to_number(value) if isinstance(value, str) else math.nan


def text_to_number(text: str) -> float:
    """The number a text stands for: decimal, ``0x``, ``0o`` or Infinity; empty is 0, anything else NaN."""
    text = text.strip()
    if not text:
        return 0.0
    if text in _INFINITE:
        return _INFINITE[text]
    if _DECIMAL.match(text):
        return float(text)
    if text[:2] in ("0x", "0o") and re.fullmatch(r"0x[0-9a-fA-F]+|0o[0-7]+", text):
        return float(int(text, 0))
    return math.nan


def number_to_text(number: float) -> str:
    """A number as GitHub's runner prints it: 15 significant digits, exponents from 1E+15 on."""
    if isinstance(number, int) and abs(number) < 10**15:
        return str(number)
    number = float(number)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"
    return format(number, ".15g").replace("e", "E")


def to_text(value: Value) -> str:
    """``value`` as it appears in text: null is empty, lists and objects are their kind's name."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_to_text(value)
    return kind(value)


def is_truthy(value: Value) -> bool:
    if isinstance(value, list | dict):
        return True
    return bool(value) and value == value  # NaN is the value that differs from itself


def coerce(left: Value, right: Value) -> tuple[Value, Value]:
    """Bring two values of different kinds to comparable ones, where GitHub does."""
    first, second = kind(left), kind(right)
    if first == second:
        return left, right
    if {first, second} == {"Number", "String"}:
        return to_number(left), to_number(right)
    if first in ("Boolean", "Null"):
        return coerce(to_number(left), right)
    if second in ("Boolean", "Null"):
        return coerce(left, to_number(right))
    return left, right


def fold(text: str) -> str:
    """``text`` in the form in which case does not count: one character for one, and the dotless i apart from I."""
    if text.isascii():
        return text.upper()
    return "".join(up if len(up := character.upper()) == 1 and character != "ı" else character for character in text)


def equals(left: Value, right: Value) -> bool:
    """GitHub's ``==``: texts without regard to case, lists and objects only when they are the same one."""
    left, right = coerce(left, right)
    first = kind(left)
    if first != kind(right):
        return False
    if first == "String":
        return fold(left) == fold(right)
    if first in ("Array", "Object"):
        return left is right
    return bool(left == right)


def is_greater(left: Value, right: Value) -> bool:
    """GitHub's ``>``; false for kinds that have no order."""
    left, right = coerce(left, right)
    first = kind(left)
    if first != kind(right) or first in ("Null", "Array", "Object"):
        return False
    if first == "String":
        return fold(left) > fold(right)
    return bool(left > right)


def lookup(container: dict[str, Any], name: str) -> Value:
    """The member ``name`` of an object, or ``None``."""
    if name in container:
        return container[name]
    if isinstance(container, CaseSensitive):
        return None
    wanted = fold(name)
    return next((value for key, value in container.items() if fold(key) == wanted), None)


def has(container: dict[str, Any], name: str) -> bool:
    if name in container:
        return True
    wanted = fold(name)
    return not isinstance(container, CaseSensitive) and any(fold(key) == wanted for key in container)


def position(index: Value) -> int | None:
    """The place in a list that ``index`` names, or ``None`` when it names none."""
    if not is_primitive(index):
        return None
    number = to_number(index)
    return None if math.isnan(number) or math.isinf(number) or number < 0 else math.floor(number)


def to_json(value: Value) -> str:
    """``value`` as ``toJSON`` prints it: two spaces of indent, empty lists and objects closed at once."""
    return _json(value, "")


def _json(value: Value, indent: str) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    if is_primitive(value):
        return to_text(value)
    if not value:
        return "[]" if isinstance(value, list) else "{}"
    deeper = indent + "  "
    if isinstance(value, list):
        parts = [_json(item, deeper) for item in value]
        opening, closing = "[]"
    else:
        parts = [f"{json.dumps(str(key), ensure_ascii=False)}: {_json(item, deeper)}" for key, item in value.items()]
        opening, closing = "{}"
    body = ",\n".join(deeper + part for part in parts)
    return f"{opening}\n{body}\n{indent}{closing}"
