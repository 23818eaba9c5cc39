"""Conventional commits: what a commit's message says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"([A-Za-z]+)(?:\(([^()]*)\))?(!)?:\s+(\S.*)\Z")
_BREAKING = re.compile(r"^BREAKING[ -]CHANGE:\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Conventional:
    """``kind(scope)!: text``. ``breaking`` also by a footer ``BREAKING CHANGE:``."""

    kind: str
    scope: str
    text: str
    breaking: bool


def read(message: str) -> Conventional | None:
    """The parts of a conventional commit's message, or ``None`` for any other message."""
    head = _HEAD.match(message.split("\n", 1)[0].strip())
    if head is None:
        return None
    breaking = bool(head[3]) or _BREAKING.search(message) is not None
    return Conventional(head[1].lower(), head[2] or "", head[4].strip(), breaking)
