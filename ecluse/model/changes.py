"""A change, who made it, and what intake says of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ecluse.dataclass import dataclass, field
from ecluse.model.events import Instant


class Verdict(StrEnum):
    """What intake says of a change, from harmless to hostile (HANDOFF contract)."""

    ACCEPT = "accept"
    WARN = "warn"
    NEUTRALISE = "neutralise"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def lets_in(self) -> bool:
        """Whether a change with this verdict may go on to checks without a person."""
        return self in (Verdict.ACCEPT, Verdict.WARN, Verdict.NEUTRALISE)


class ChangeState(StrEnum):
    """Where a change stands. ``READY`` is judged, applied in a temporary clone and kept under its ref."""

    RECEIVED = "received"
    READY = "ready"
    QUARANTINED = "quarantined"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    LANDED = "landed"
    UNDONE = "undone"

    @property
    def is_terminal(self) -> bool:
        return self in (ChangeState.REJECTED, ChangeState.SUPERSEDED, ChangeState.LANDED, ChangeState.UNDONE)


class Role(StrEnum):
    """What a key in the trunk's ``allowed_signers`` may do."""

    AGENT = "agent"
    HUMAN = "human"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who made a change, in its own words (``cost`` with its unit); a claim until a signature proves ``key``."""

    name: str
    tool: str = ""
    model: str = ""
    session: str = ""
    task: str = ""
    key: str = ""
    cost: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing intake saw: the rule's ``code``, the verdict it asks for, where, and a sentence (never a secret)."""

    code: str
    verdict: Verdict
    message: str
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One revision of one change. ``key`` (``id/revision``) is unique; ``id`` is stable over re-exports.

    ``task`` names what several attempts have in common. ``about`` holds what is known besides, each only where it is:
    ``tool``, ``model``, ``session`` (claims), ``signed_by`` and ``key`` (proven), ``people`` (authors and committers
    that no listed key stands for), ``branch`` (where it was made), ``uncommitted`` (the marked tip), ``message_edited``, ``resolved``
    (path and rule of each conflict that rules resolved), ``apart`` (the marked tip, where it is not to land), ``laid``
    (the checkout in which it lies uncommitted: ``folder``, ``head``, ``tree``, ``tip``).
    """

    key: str
    id: str
    revision: int
    state: ChangeState
    title: str
    agent: str
    target: str
    digest: str
    source: str
    created_at: Instant
    updated_at: Instant
    verdict: Verdict | None = None
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    base: str = ""
    head: str = ""
    tree: str = ""
    ref: str = ""
    method: str = ""
    commits: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    not_carried: tuple[dict[str, Any], ...] = ()
    validations: tuple[dict[str, Any], ...] = ()
    note: str = ""
    size_bytes: int = 0
    trusted_by: str = ""
    wants_landing: bool = False
    task: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"change/{self.key}"

    @property
    def agent_name(self) -> str:
        """Who is answerable: the principal whose key signed it, else who it says it is by."""
        return str(self.about.get("signed_by") or self.agent)
