"""The only reader of the wall clock and maker of identifiers, so that both can be replaced in a test."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u to misread


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def instant(moment: datetime | None = None) -> str:
    """A moment as stored everywhere: ISO 8601, UTC, microseconds, ``Z``; text order is time order."""
    return (moment or now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def after(seconds: float) -> str:
    """The instant that lies ``seconds`` ahead."""
    return instant(now() + timedelta(seconds=seconds))


def parse(text: str) -> datetime:
    """The moment that :func:`instant` wrote. Raises ``ValueError`` for any other form."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def shown(text: str) -> str:
    """The instant ``text`` for people: ``2026-01-31 18:05 UTC``. One of another form is shown as it is."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 16 and text.endswith("Z") else text


def span(text: str) -> float:
    """The seconds of a length of time such as ``30m``, ``45s``, ``2h`` or ``1d``; a bare number is seconds.

    Raises ``ValueError`` for any other form, and for less than a tenth of a second or more than a year.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd]?)", text.strip().lower())
    seconds = float(found.group(1)) * _UNITS[found.group(2) or "s"] if found else 0.0
    if not 0.1 <= seconds <= 366 * 86400:
        raise ValueError(f"{text!r} is not a length of time such as 30m, 45s, 2h")
    return seconds


def new_id(prefix: str) -> str:
    """A fresh identifier ``prefix-`` + 12 characters: 8 of time (milliseconds) and 4 random; sorts by creation."""
    milliseconds = time.time_ns() // 1_000_000
    text = ""
    for _ in range(8):
        text = _ALPHABET[milliseconds & 31] + text
        milliseconds >>= 5
    return f"{prefix}-{text}{''.join(_ALPHABET[byte & 31] for byte in os.urandom(4))}"
