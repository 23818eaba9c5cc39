"""The only reader of the wall clock and maker of identifiers, so that both can be replaced in a test."""

from __future__ import annotations

import os
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


def new_id(prefix: str) -> str:
    """A fresh identifier ``prefix-`` + 12 characters: 8 of time (milliseconds) and 4 random; sorts by creation."""
    milliseconds = time.time_ns() // 1_000_000
    text = ""
    for _ in range(8):
        text = _ALPHABET[milliseconds & 31] + text
        milliseconds >>= 5
    return f"{prefix}-{text}{''.join(_ALPHABET[byte & 31] for byte in os.urandom(4))}"
