"""Lengths of time as people write them: ``90 s``, ``30 min``, ``24 h``, ``2 days``, ``2 jours``."""

from __future__ import annotations

import re

_UNITS = {
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
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\Z")


def seconds(text: str) -> float | None:
    """The seconds that ``text`` says, or ``None`` when it is no length of time. A bare number is seconds."""
    said = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return float(said)
    found = _LENGTH.match(said)
    if found is None:
        return None
    unit = _UNITS.get(found[2]) or _UNITS.get(found[2].removesuffix("s"))
    return float(found[1]) * unit if unit else None
