"""Lengths of time as people write them: ``90 s``, ``30 min``, ``24 h``, ``2 days``, ``2 jours``."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconde": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "heure": 3600,
    "d": 86400,
    "day": 86400,
    "j": 86400,
    "jour": 86400,
    "w": 604800,
    "week": 604800,
    "semaine": 604800,
}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\Z", re.ASCII)
MOST_S = 36_525 * 86_400.0


def seconds(text: str) -> float | None:
    """The seconds that ``text`` says, or ``None`` when it is no length of time. A bare number is seconds.

    More than a hundred years is a slip of the finger, and no length that a calendar can add.
    """
    found = _LENGTH.match(text.strip().lower())
    if found is None:
        return None
    unit = _UNITS.get(found[2]) or _UNITS.get(found[2].removesuffix("s"))
    length = float(found[1]) * unit if unit else MOST_S + 1
    return length if length <= MOST_S else None
