"""Conventional commits: what a commit's message says of itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecluse.git import Commit

_HEAD = re.compile(r"([A-Za-z]+)(?:\(([^()]*)\))?(!)?:\s+(\S.*)\Z")
_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)
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


def standing(since: Sequence[Commit]) -> list[Commit]:
    """The commits of ``since`` (oldest first) that hold: without those that a later one reverted, and these reverts.

    ``git revert`` names what it takes back. A revert of what came before ``since`` holds like any commit.
    """
    gone: set[str] = set()
    for commit in reversed(since):
        named = [] if commit.id in gone else _REVERTS.findall(commit.message)
        found = [one.id for one in since if one.id.startswith(tuple(named))] if named else []
        if found:
            gone |= {*found, commit.id}
    return [commit for commit in since if commit.id not in gone]
