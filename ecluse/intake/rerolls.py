"""What a new revision of a change did to the one before: commit by commit, by ``git range-diff``."""

from __future__ import annotations

import re

from ecluse.dataclass import dataclass
from ecluse.errors import Failed
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Change
from ecluse.patterns import expression

_COMMITS = 200
_LINES = 400
_WIDTH = 400
_TIMEOUT_S = 20.0
_ROW = expression(r"^\s*(?:\d+|-):\s+([0-9a-f]+|-+) ([=!<>])\s+(?:\d+|-):\s+([0-9a-f]+|-+) (.*)$")
_MEANING = {"=": "same", "!": "changed", "<": "dropped", ">": "new"}


@dataclass(frozen=True, slots=True)
class Step:
    """One commit of the two revisions: ``kind`` is same, changed, dropped or new; ids are short, empty where there is none."""

    kind: str
    old: str
    new: str
    title: str


@dataclass(frozen=True, slots=True)
class Reroll:
    """A revision against the one before. ``diff`` is the text of ``git range-diff``, cut where it is long."""

    older: str
    newer: str
    steps: tuple[Step, ...]
    diff: str

    @property
    def summary(self) -> str:
        """One sentence: ``1 commit the same, 1 changed, 1 new``."""
        counted = [(kind, sum(1 for one in self.steps if one.kind == kind)) for kind in _MEANING.values()]
        return ", ".join(f"{number} {kind}" for kind, number in counted if number) or "nothing"


def compare_revisions(repository: Repository, history: History, change: Change) -> Reroll | None:
    """The range-diff of a change against its revision before; ``None`` where there is none that can be compared."""
    older = [
        one
        for one in history.find(Change, id=change.id)
        if one.revision < change.revision and one.ref and one.head != change.head and repository.resolve(one.head)
    ]
    if not older or not change.ref or repository.resolve(change.head) != change.head:
        return None
    before = max(older, key=lambda one: one.revision)
    ranges = [f"{one.base}..{one.head}" if one.base else one.head for one in (before, change)]
    if not before.base or not change.base or max(len(before.commits), len(change.commits)) > _COMMITS:
        return Reroll(before.key, change.key, (), "(too much to be compared)")
    words = ("range-diff", "--no-color", "--creation-factor=80")
    try:
        with repository.temporary_clone() as room:  # nothing that is configured here runs on it
            rows = room.text(*words, "--no-patch", *ranges)
            done = room.run(*words, *ranges, timeout_s=_TIMEOUT_S)
    except Failed:
        return Reroll(before.key, change.key, (), "(it could not be compared)")
    steps = [_step(match) for line in rows.split("\n") if (match := _ROW.match(line))]
    return Reroll(before.key, change.key, tuple(steps), _shown(done.stdout.decode("utf-8", "replace")))


def _step(match: re.Match[str]) -> Step:
    old, sign, new, title = match.groups()
    return Step(_MEANING[sign], old.strip("-"), new.strip("-"), _line(title)[:200])


def _shown(text: str) -> str:
    lines = text.splitlines()
    more = [f"(and {len(lines) - _LINES} more lines)"] if len(lines) > _LINES else []
    return "\n".join([*(_line(line)[:_WIDTH] for line in lines[:_LINES]), *more])


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
