"""A release: one run of a playbook, its gates, what it made live where, and what holds an environment as it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ecluse.dataclass import dataclass, field
from ecluse.model.events import Instant


class ReleaseState(StrEnum):
    """Where a release stands. ``WAITING`` is at a gate; ``ASKING`` is at an effect that cannot be probed; ``PAUSED`` is
    held by a person until they resume it.
    """

    RUNNING = "running"
    WAITING = "waiting"
    ASKING = "asking"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        return self in (ReleaseState.DONE, ReleaseState.ROLLED_BACK, ReleaseState.ABORTED, ReleaseState.FAILED)

    @property
    def waits_for_person(self) -> bool:
        return self in (ReleaseState.WAITING, ReleaseState.ASKING, ReleaseState.PAUSED)


class GateState(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    VOID = "void"

    @property
    def is_terminal(self) -> bool:
        return self is not GateState.OPEN


class DeploymentState(StrEnum):
    """What one attempt to bring a version to an environment came to."""

    BEGUN = "begun"
    LIVE = "live"
    FAILED = "failed"
    REPLACED = "replaced"
    ROLLED_BACK = "rolled_back"

    @property
    def is_terminal(self) -> bool:
        return self not in (DeploymentState.BEGUN, DeploymentState.LIVE)


class HoldKind(StrEnum):
    """A ``FREEZE`` keeps everybody out of an environment, a ``LOCK`` everybody but its holder."""

    FREEZE = "freeze"
    LOCK = "lock"


class HoldState(StrEnum):
    """Whether a hold stands or was lifted; one whose time is over stands no more, without anybody saying so."""

    STANDING = "standing"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True)
class Release:
    """One run of a playbook. The playbook's text and ``digest`` are kept with it; ``position`` is the next step."""

    id: str
    state: ReleaseState
    playbook: str
    digest: str
    source: str
    commit: str
    environment: str
    starter: str
    created_at: Instant
    updated_at: Instant
    position: int = 0
    version: str = ""
    previous: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    played: bool = False

    @property
    def subject(self) -> str:
        return f"release/{self.id}"


@dataclass(frozen=True, slots=True)
class Gate:
    """A question to people. An answer binds to ``binding`` (digest of plan, head and policy) and to ``nonce``.

    ``needs`` people have to let it go on; ``votes`` are their single answers (answer, by, key, how, why, checked,
    signature, at). ``targets`` says where each answer leads: ``go``, ``abort``, ``rollback`` or ``pause``.
    """

    id: str
    release: str
    step: int
    name: str
    question: str
    answers: tuple[str, ...]
    state: GateState
    binding: str
    nonce: str
    created_at: Instant
    updated_at: Instant
    expires_at: Instant = ""
    silence: str = ""
    answer: str = ""
    answered_by: str = ""
    how: str = ""
    why: str = ""
    signature: str = ""
    needs: int = 1
    checklist: tuple[str, ...] = ()
    targets: dict[str, str] = field(default_factory=dict)
    votes: tuple[dict[str, Any], ...] = ()

    @property
    def subject(self) -> str:
        return f"gate/{self.id}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to make ``version`` live in ``environment``; ``previous`` is what a rollback returns to."""

    id: str
    release: str
    environment: str
    version: str
    commit: str
    state: DeploymentState
    location: str
    created_at: Instant
    updated_at: Instant
    previous: str = ""
    reason: str = ""

    @property
    def subject(self) -> str:
        return f"deployment/{self.id}"


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an environment as it is, until ``until`` or until it is lifted.

    ``environment`` is empty for all of them; ``holder`` is a person, or the id of the release that has the lock.
    """

    id: str
    kind: HoldKind
    environment: str
    holder: str
    why: str
    state: HoldState
    until: Instant
    created_at: Instant
    updated_at: Instant
    lifted_by: str = ""
    lifted_why: str = ""

    @property
    def subject(self) -> str:
        return f"hold/{self.id}"
