"""The verbs of landing and the order of the queue: one candidate at a time for each target, first come first served."""

from __future__ import annotations

import dataclasses

from ecluse.clock import instant
from ecluse.errors import Invalid, Refused, Waits
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.requests import request_landing
from ecluse.history.wakes import wake
from ecluse.model import Change, ChangeState, Event, Landing, LandingState
from ecluse.trunk import open_trunk

ACTIVE = (LandingState.TESTING, LandingState.MOVING)


def enqueue(repository: Repository, history: History, key: str, *, actor: str, parent: str = "") -> Landing:
    """Ask for a change to land. An unfinished landing of it is returned, or woken when it was blocked.

    Raises :class:`Invalid` for an unknown or finished change, :class:`Waits` for one that a person must review
    first, :class:`Refused` for one that was rejected or whose target may not be landed on.
    """
    change = history.get(Change, key)
    if change is None:
        raise Invalid("change.unknown", f"There is no change {key!r} here.", "ecluse history list")
    _check_state(change)
    _check_target(repository, change)
    with history.transaction():
        landing = request_landing(history, change, actor=actor, parent=parent)
        if landing.state is LandingState.BLOCKED:
            again = dataclasses.replace(landing, state=LandingState.QUEUED, blocked_paths=(), updated_at=instant())
            history.record(again, Event("landing.queued", landing.subject, f"landing of {key} asked for again", actor))
            wake(history, landing.subject, "asked again")
            return again
    return landing


def cancel(history: History, landing_id: str, *, actor: str, why: str) -> Landing:
    """Take a landing out of the queue. Raises :class:`Invalid` when it is unknown, or already moving or over."""
    landing = history.get(Landing, landing_id)
    if landing is None:
        raise Invalid("landing.unknown", f"There is no landing {landing_id!r}.", "ecluse queue")
    if landing.state.is_terminal or landing.state is LandingState.MOVING:
        raise Invalid("landing.over", f"{landing_id} is {landing.state} already.", f"ecluse show {landing_id}")
    over = dataclasses.replace(landing, state=LandingState.CANCELLED, reason=why, updated_at=instant())
    with history.transaction():
        history.record(
            over, Event("landing.cancelled", landing.subject, f"landing of {landing.change} cancelled: {why}", actor)
        )
        wake_next(history, landing.target)
    return over


def standing(history: History) -> list[Landing]:
    """Landings that are not over: the active one of each target first, then in order of arrival."""
    found = [one for state in LandingState if not state.is_terminal for one in history.find(Landing, state=state)]
    return sorted(found, key=lambda one: (one.state not in ACTIVE, one.created_at, one.id))


def is_next(history: History, landing: Landing) -> bool:
    """Whether nobody else is being tested or moved for this target, and nobody queued came before."""
    others = [one for one in standing(history) if one.target == landing.target and one.id != landing.id]
    if any(one.state in ACTIVE for one in others):
        return False
    return not any(
        one.state is LandingState.QUEUED and (one.created_at, one.id) < (landing.created_at, landing.id)
        for one in others
    )


def wake_next(history: History, target: str) -> None:
    """Have the first queued landing of ``target`` looked at; part of the transaction that ends another."""
    queued = [one for one in standing(history) if one.target == target and one.state is LandingState.QUEUED]
    if queued:
        wake(history, queued[0].subject, "next in the queue")


def _check_state(change: Change) -> None:
    if change.state is ChangeState.REJECTED:
        raise Refused("change.rejected", f"{change.key} was rejected: {change.reason}", f"ecluse show {change.key}")
    if change.state is ChangeState.QUARANTINED:
        raise Waits(
            "change.quarantined",
            f"{change.key} waits for a person: {change.reason}",
            f"ecluse show {change.key}, then: ecluse review {change.key} --accept --why TEXT",
        )
    if change.state is ChangeState.CONFLICT:
        raise Waits(
            "change.conflict", f"{change.key} conflicts with its target: {change.reason}", f"ecluse show {change.key}"
        )
    if change.state is not ChangeState.READY:
        raise Invalid("change.over", f"{change.key} is {change.state} and cannot land.", f"ecluse show {change.key}")
    if not change.trusted_by:
        raise Waits(
            "change.untrusted",
            f"{change.key} comes from nobody whose key is known here, and there is no sandbox to run its code in.",
            f"ecluse review {change.key} --accept --why TEXT (or, for all changes: ecluse init --trust all)",
        )


def _check_target(repository: Repository, change: Change) -> None:
    trunk = open_trunk(repository)
    allowed = {trunk.ref, *(f"refs/heads/{name}" for name in trunk.config.landing.targets)}
    if change.target not in allowed:
        raise Refused(
            "landing.target",
            f"{change.target} is not a branch that changes may land on ({', '.join(sorted(allowed))}).",
            "add it to targets in [landing] of ecluse.toml on the trunk, or import with --target",
        )
