"""May this release reach its environment now? Asked before every step that goes live, whichever action it is.

Approval, branch, freeze and lock are looked at in the trunk and the history of this moment; a step that was begun
already is not asked again, so that a freeze never leaves half a deployment behind.
"""

from __future__ import annotations

from ecluse import clock
from ecluse.errors import Refused
from ecluse.history import wakes
from ecluse.model import Gate, GateState
from ecluse.release import gates, holds, votes
from ecluse.release.context import Context
from ecluse.release.plans import check_branch
from ecluse.release.steps.shape import Blocked

LOOK_AGAIN_S = 300.0
"""How often a release that is kept out looks again, in seconds, besides being woken."""


def check(context: Context) -> Blocked | None:
    """Take the environment's lock for this release; who or what keeps it out, or ``None``.

    Raises :class:`Refused` when there is no approval that holds, or the branch may not be released there.
    """
    release = context.release
    known = context.trunk.config.environments.get(release.environment)
    if known is not None:
        check_branch(known, release.environment, str(context.plan.get("branch", "")))
    if gates.is_production(context) and gates.approval_for(context) is None:
        raise Refused(
            "deploy.not_approved",
            f"No approval holds for commit {release.commit[:12]} in {release.environment}: it was never given, has expired, or commit, plan or policy have changed since.",
            f"have people asked again: ecluse release retry {release.id}",
        )
    if context.playbook.digest != release.digest:
        raise Refused(
            "deploy.playbook_altered",
            f"The playbook kept with {release.id} is not the one it started with; nothing was deployed.",
            f"ecluse release start {release.playbook}",
        )
    said = _kept_out(context)
    if said is not None and not is_overridden(context):
        wakes.wake_in(context.history, release.subject, LOOK_AGAIN_S, "still kept out")
        return said
    if said is None:
        hours = context.trunk.config.release.lock_hours
        why = f"release {release.version or release.commit[:12]} is under way"
        until = clock.after(hours * 3600)
        holds.lock(context.history, release.environment, holder=release.id, until=until, why=why)
    return None


def _kept_out(context: Context) -> Blocked | None:
    release = context.release
    frozen = holds.frozen(context.trunk, context.history, release.environment)
    hint = f"ecluse release override {release.id} --why TEXT --key FILE"
    if frozen is not None:
        if frozen.until != holds.FOREVER:
            wakes.at(context.history, release.subject, frozen.until, "the freeze is over")
        return Blocked(
            f"{release.environment} is frozen {holds.ending(frozen.until)}: {frozen.why}. It goes on by itself then; in an emergency: {hint}"
        )
    held = holds.lock_of(context.history, release.environment)
    if held is not None and held.holder != release.id:
        return Blocked(
            f"{held.holder} has the lock of {release.environment} {holds.ending(held.until)}: {held.why}. Given back with: ecluse release unlock {release.environment} --why TEXT; in an emergency: {hint}"
        )
    return None


def kept_out(context: Context) -> str:
    """What would keep this release out now, in a sentence; empty when nothing does."""
    said = _kept_out(context)
    return said.said if said else ""


def is_overridden(context: Context) -> bool:
    """Whether people have let this release through, for this commit, plan and policy, and not too long ago."""
    gate = gates.current(context, gates.OVERRIDE)
    if gate is None:
        return False
    if gate.state is GateState.OPEN and gate.expires_at <= clock.instant():
        gates.close(context.history, gate, GateState.EXPIRED, f"nobody answered until {clock.shown(gate.expires_at)}")
    if gate.state is not GateState.ANSWERED or not gates.goes_on(gate) or gates.is_stale(context, gate):
        return False
    return gate.binding == gates.binding_of(context, gates.OVERRIDE) and votes.still_count(context, gate)


def ask_override(context: Context, *, who: str, why: str) -> Gate:
    """Open the gate that lets this release through a freeze or a lock; two people have to say so."""
    gate = gates.current(context, gates.OVERRIDE)
    if gate is not None and gate.state is GateState.OPEN:
        if gate.expires_at > clock.instant() and gate.binding == gates.binding_of(context, gates.OVERRIDE):
            return gate
        gates.close(context.history, gate, GateState.VOID, "asked anew")
    release = context.release
    text = f"Emergency: let {release.version or release.commit[:12]} into {release.environment} although it is kept out? {who} says: {why}"
    question = gates.Question(gates.OVERRIDE, text, needs=2, silence="stay out")
    return gates.open_gate(context, question, waiting=False)
