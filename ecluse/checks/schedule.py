"""The times of ``on.schedule``: five fields of cron, checked as GitHub checks them."""

from __future__ import annotations

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
"""Smallest and largest value of minute, hour, day, month and weekday, and the names that stand for values."""


def is_cron(text: str) -> bool:
    """Whether ``text`` is a time that GitHub takes."""
    parts = [part for part in text.split(" ") if part]
    return len(parts) == len(_FIELDS) and all(
        _is_part(part, *field) for part, field in zip(parts, _FIELDS, strict=True)
    )


def _is_part(text: str, low: int, high: int, names: dict[str, int]) -> bool:
    def number(word: str) -> int | None:
        value = names.get(word.lower(), int(word) if word.isdecimal() else None)
        return value if value is not None and low <= value <= high else None

    if "," in text:
        return all(_is_part(part, low, high, names) for part in text.split(","))
    start, slash, step = text.partition("/")
    if slash and not (step.isdecimal() and low <= int(step) <= high and int(step) > 0):
        return False
    if start == "*":
        return True
    first, dash, last = start.partition("-")
    begin, end = number(first), number(last) if dash else None
    return begin is not None and (not dash or (end is not None and end >= begin))
