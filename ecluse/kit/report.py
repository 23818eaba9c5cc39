"""What ``ecluse init`` did, or would do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ecluse.doctor import Check


class ActionKind(StrEnum):
    """``KEPT`` was there already and is right; ``SKIPPED`` was not done, for the reason given."""

    CREATED = "created"
    APPENDED = "appended"
    SET = "set"
    KEPT = "kept"
    SKIPPED = "skipped"

    @property
    def changes(self) -> bool:
        return self in (ActionKind.CREATED, ActionKind.APPENDED, ActionKind.SET)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that init takes care of: a path, a setting; and why it was left alone, when it was."""

    kind: ActionKind
    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class InitReport:
    """What was checked, what was done (with ``dry_run``: what would be done), and the commands to go on with."""

    trunk: str
    dry_run: bool
    checks: tuple[Check, ...]
    actions: tuple[Action, ...]
    next: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be."""
        return any(action.kind.changes for action in self.actions)
