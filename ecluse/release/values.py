"""What an argument of a step has to be, so far as a page can say it before anything runs."""

from __future__ import annotations

import re

from ecluse.release import conditions, durations

_MEANING = {
    "time": "a length of time, such as `15 min`, `2 h` or `1 day`",
    "number": "a positive number",
    "count": "a whole number from 1 on",
    "clock": "a time of the day, such as `08:30`",
}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)


def meaning(kind: str) -> str:
    """A kind in words: one of the four, or the words themselves."""
    return _MEANING.get(kind) or f"one of {', '.join(f'`{word}`' for word in kind.split('|'))}"


def is_one(kind: str, value: str) -> bool:
    """Whether ``value`` is of this kind. One that is empty, or has a word to be filled in, is known only later."""
    said = value.strip()
    if not said or conditions.places(said):
        return True
    if kind == "time":
        return bool(durations.seconds(said))
    if kind in ("number", "count"):
        return _NUMBER.fullmatch(said) is not None and float(said) > 0 and (kind == "number" or "." not in said)
    if kind == "clock":
        return _CLOCK.fullmatch(said) is not None
    return said.lower() in (word.lower() for word in kind.split("|"))
