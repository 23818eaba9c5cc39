"""Words and widths of a run on a terminal: durations, safe text, text cut to a width, bars of time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ecluse.patterns import expression

_ESCAPES = expression(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def took(milliseconds: Any) -> str:
    """A duration as people say it."""
    value = float(milliseconds)
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.1f} s"
    return f"{int(value // 60_000)} min {value % 60_000 / 1000:.0f} s"


def clean(text: str) -> str:
    """A line that other people's programs printed, without anything that steers a terminal.

    What a carriage return overwrote is gone, as it would be on the screen; tabs become spaces.
    """
    if text.isprintable():
        return text
    text = _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2].expandtabs(4)
    return "".join(character for character in text if character.isprintable())


_LABEL = expression(r"##\[(error|warning|notice|debug|group|command)\]")


def said(text: str) -> str:
    """A line of a log as a reader wants it: safe, and with words for the runner's own marks."""
    text = clean(text)
    found = _LABEL.match(text)
    if found is None:
        return "" if text.startswith("##[endgroup]") else text
    word = {"group": "", "command": ""}.get(found[1], f"{found[1].capitalize()}: ")
    return word + text[found.end() :]


def width(text: str) -> int:
    """How many columns ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def cut(text: str, columns: int) -> str:
    """``text`` in at most ``columns`` columns; what is cut off is shown by a mark."""
    if width(text) <= columns:
        return text
    mark = full("…", "~")
    while text and width(text) + 1 > columns:
        text = text[: max(0, min(len(text) - 1, columns - 1))]
    return text + mark if columns > 0 else ""


def pad(text: str, columns: int) -> str:
    """``text`` in exactly ``columns`` columns, cut or filled with spaces."""
    text = cut(text, columns)
    return text + " " * max(0, columns - width(text))


def full(text: str, plain: str) -> str:
    """``text`` where standard error can print it, else ``plain``."""
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return text


def bar(start: float, end: float, whole: float, columns: int) -> str:
    """A stretch of time from ``start`` to ``end`` inside ``whole``, drawn in ``columns`` columns; never nothing."""
    if whole <= 0 or columns < 1:
        return ""
    left = min(columns - 1, int(start / whole * columns))
    right = min(columns, max(left + 1, round(end / whole * columns)))
    return full("·", ".") * left + full("━", "#") * (right - left)


def listed(names: Sequence[str], limit: int) -> str:
    """Names in a row, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
