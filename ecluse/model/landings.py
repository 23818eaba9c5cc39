"""An attempt to bring a change to its target."""

from __future__ import annotations

from enum import StrEnum

from ecluse.dataclass import dataclass, field
from ecluse.model.events import Instant


class LandingState(StrEnum):
    """Where a landing stands. ``MOVING`` is the journalled compare-and-swap; ``BLOCKED`` waits for a person."""

    QUEUED = "queued"
    TESTING = "testing"
    MOVING = "moving"
    LANDED = "landed"
    RED = "red"
    BLOCKED = "blocked"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (LandingState.LANDED, LandingState.RED, LandingState.FAILED, LandingState.CANCELLED)

    @property
    def waits_for_person(self) -> bool:
        return self is LandingState.BLOCKED


@dataclass(frozen=True, slots=True)
class Landing:
    """One attempt to bring a change to its target ref: exactly ``tree`` was tested, exactly ``tree`` lands.

    ``change`` is a change's key, ``base`` the target's tip it was built on, ``heads`` the commits merged in order,
    ``basis`` what the decision rests on (``workflows`` or ``validation``), ``parent`` the subject that waits for it.
    """

    id: str
    change: str
    state: LandingState
    target: str
    created_at: Instant
    updated_at: Instant
    base: str = ""
    heads: tuple[str, ...] = ()
    candidate: str = ""
    tree: str = ""
    run: str = ""
    attempt: int = 0
    basis: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    blocked_paths: tuple[str, ...] = ()
    reason: str = ""
    agent: str = ""
    parent: str = ""

    @property
    def subject(self) -> str:
        return f"landing/{self.id}"
