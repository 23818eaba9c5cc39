"""Following a change from a release's step: what intake made of it, and its landing. Not a step of its own."""

from __future__ import annotations

from ecluse.errors import Failed, Red, Refused
from ecluse.history.requests import request_landing
from ecluse.history.wakes import wake_in
from ecluse.model import Change, ChangeState, Landing, LandingState
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Blocked

POLL_S = 0.5
BLOCKED_POLL_S = 5.0


def judged(context: Context, change: Change) -> Again | Blocked | None:
    """``None`` when the change is let in (or landed already); else what to do.

    Raises :class:`Refused` for one that intake refused and :class:`Failed` for one that does not merge.
    """
    if change.state is ChangeState.RECEIVED:
        return Again(POLL_S, f"{change.key} is being judged")
    if change.state is ChangeState.QUARANTINED:
        return blocked(context, f"{change.key} waits for a person: {change.reason}", f"ecluse review {change.key}")
    if change.state is ChangeState.CONFLICT:
        raise Failed("step.conflict", f"{change.key}: {change.reason}", f"ecluse show {change.key}")
    if change.state in (ChangeState.REJECTED, ChangeState.SUPERSEDED, ChangeState.UNDONE):
        raise Refused("step.refused", f"{change.key} is {change.state}: {change.reason}", f"ecluse show {change.key}")
    return None


def landed(context: Context, change: Change) -> Landing | Again | Blocked:
    """The landing when it is over well; asks for it when nobody has.

    Raises :class:`Red` when its checks are red, :class:`Failed` when it ended otherwise.
    """
    found = context.history.find(Landing, change=change.key, newest_first=True, limit=1)
    if not found:
        actor = f"release {context.release.id}"
        request_landing(context.history, change, actor=actor, parent=context.release.subject)
        return Again(POLL_S, f"landing of {change.key}")
    landing = found[0]
    if landing.state is LandingState.LANDED:
        return landing
    if landing.state is LandingState.RED:
        raise Red("step.red", f"The checks are red on {change.key}: {landing.reason}", f"ecluse show {landing.id}")
    if landing.state.is_terminal:
        raise Failed("step.not_landed", f"{change.key} did not land: {landing.reason}", f"ecluse show {landing.id}")
    if landing.state.waits_for_person:
        return blocked(context, f"the landing of {change.key} waits: {landing.reason}", f"ecluse land {change.key}")
    return Again(POLL_S, f"landing {landing.id} is {landing.state}")


def blocked(context: Context, said: str, then: str) -> Blocked:
    """Stand still, and keep looking whether a person has acted."""
    wake_in(context.history, context.release.subject, BLOCKED_POLL_S, "a person is needed")
    return Blocked(f"{said} When that is settled: {then}")


def change_named(context: Context, said: str) -> Change:
    """The change with this key or id (its newest revision). Raises :class:`Failed` when there is none."""
    exact = context.history.get(Change, said)
    if exact is not None:
        return exact
    close = context.history.find(Change, id=said, newest_first=True, limit=1)
    if not close:
        raise Failed("step.no_change", f"There is no change {said!r} here.", "ecluse queue")
    return close[0]
