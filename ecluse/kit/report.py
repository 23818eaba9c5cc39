"""What ``ecluse init`` did, or would do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ecluse.doctor import Check


class ActionKind(StrEnum):
    """``KEPT`` was there already and is right; ``SKIPPED`` was not done, for the reason given; ``RENEWED`` is a file of
    the kit that nobody edited; ``PROPOSED`` is left to a person."""

    CREATED = "created"
    APPENDED = "appended"
    SET = "set"
    KEPT = "kept"
    SKIPPED = "skipped"
    RENEWED = "renewed"
    PROPOSED = "proposed"

    @property
    def changes(self) -> bool:
        return self in (ActionKind.CREATED, ActionKind.APPENDED, ActionKind.SET, ActionKind.RENEWED)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that init takes care of: a path, a setting; and why it was left alone, when it was.

    ``diff`` is what is proposed for a file that somebody wrote.
    """

    kind: ActionKind
    what: str
    why: str = ""
    diff: str = ""


@dataclass(frozen=True, slots=True)
class InitReport:
    """What was checked, what was done (with ``dry_run``: what would be done), and the commands to go on with."""

    trunk: str
    dry_run: bool
    checks: tuple[Check, ...]
    actions: tuple[Action, ...]
    next: tuple[str, ...]
    found: tuple[str, ...] = ()
    """What the look at the repository found, a line each, when a kit was asked for."""
    after: tuple[Check, ...] = ()
    """What the doctor says after a kit was written."""

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be."""
        return any(action.kind.changes for action in self.actions)
