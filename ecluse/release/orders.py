"""The verbs of a release. Each stores what is asked for and wakes the release; the course does the rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ecluse import clock, signing
from ecluse.errors import Invalid, Refused
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.journal import EffectState, effect_of, effects_of, forget
from ecluse.history.journal import settle as settle_effect
from ecluse.history.wakes import wake
from ecluse.model import Deployment, DeploymentState, Event, GateState, Release, ReleaseState
from ecluse.release import deployments, gates, moves
from ecluse.release.canonical import canonical
from ecluse.release.context import Context, live_in
from ecluse.release.plans import ReleasePlan, plan
from ecluse.release.playbook import GateCall, RollbackRule, compile_playbook
from ecluse.trunk import open_trunk


def start(
    repository: Repository,
    history: History,
    *,
    playbook: str = "release",
    inputs: dict[str, str] | None = None,
    environment: str | None = None,
    branch: str | None = None,
    starter: str,
    starter_key: Path | None = None,
    machine: bool = False,
    played: bool = False,
    digest: str = "",
) -> Release:
    """Start a release of the trunk's tip, or of ``branch``'s. Raises :class:`Refused` while another is unfinished there.

    ``starter_key`` proves who starts it (any key that the trunk lists); unproved, a production gate needs one person
    more. ``machine`` says that the line starts it by the policy's word. ``digest`` (or its beginning) is the plan that was
    read: any other is refused. Raises :class:`Invalid` for whatever
    :func:`ecluse.release.plan` refuses.
    """
    made = plan(repository, history, playbook, inputs or {}, environment, branch)
    _refuse_other(made, digest)
    moment = clock.instant()
    release_id = clock.new_id("rel")
    who = _starter(repository, made, release_id, starter, starter_key, machine=machine)
    outputs: dict[str, Any] = {"plan": made.as_dict(), "steps": {}, "named": {}, "starter": who}
    seconds = _deadline_s(repository, made)
    if seconds:
        outputs["deadline"] = clock.after(seconds)
    release = Release(
        id=release_id,
        state=ReleaseState.RUNNING,
        playbook=made.playbook,
        digest=made.playbook_digest,
        source=made.text,
        commit=made.commit,
        environment=made.environment,
        starter=starter,
        created_at=moment,
        updated_at=moment,
        version=made.version,
        previous=made.previous,
        inputs=made.inputs,
        outputs=outputs,
        played=played,
    )
    what = f"release {made.version or 'without a version'} of {made.commit[:12]}"
    where = f" to {made.environment}" if made.environment else ""
    proof = f" (key of {who['principal']})" if who["principal"] else ""
    text = f"{what}{where} started by {starter}{proof} with the playbook {made.playbook} (plan {made.digest[:12]})"
    data = {"version": made.version, "commit": made.commit, "plan": made.digest, "played": played}
    with history.transaction():
        _refuse_second(history, _places(made.environment, made.playbook, made.as_dict()))
        history.record(release, Event("release.started", release.subject, text, starter, data))
        wake(history, release.subject, "started")
    return release


def _refuse_other(made: ReleasePlan, digest: str) -> None:
    """Raises :class:`Refused` when the plan is not the one that was read."""
    if not made.digest.startswith(digest.lower()):
        raise Refused(
            "plan.changed",
            f"The plan is {made.digest[:12]} by now, not {digest[:12]}: commits, policy, page or people have changed since.",
            f"read it again: ecluse release plan {made.playbook}",
        )


def _deadline_s(repository: Repository, made: ReleasePlan) -> float:
    """How long the release may take to go live: as the page says, else the policy. 0: for ever."""
    said = compile_playbook(made.text, made.path).deadline_s
    return said or open_trunk(repository).config.release.deadline_hours * 3600


def _starter(
    repository: Repository, made: ReleasePlan, release_id: str, name: str, key: Path | None, *, machine: bool
) -> dict[str, Any]:
    """Who starts it: what git says, and, with a key, who the trunk says it is. Raises :class:`Refused` for a stranger."""
    identity = repository.identity()
    found = {"name": name, "email": identity.email if identity and not machine else "", "machine": machine}
    if key is None:
        return {**found, "principal": "", "key": "", "signature": ""}
    statement = canonical({"kind": "start", "release": release_id, "commit": made.commit, "plan": made.digest})
    signature = signing.sign(statement, key, signing.BUNDLE)
    principal = signing.verify(statement, signature, open_trunk(repository).signers, signing.BUNDLE)
    return {
        **found,
        "principal": principal.name,
        "key": signing.fingerprint(principal),
        "signature": signature,
    }


def abort(history: History, release_id: str, *, who: str, why: str) -> Release:
    """Ask for a release to be stopped: before it went live it ends aborted, afterwards it is rolled back first."""
    release = find(history, release_id)
    if release.state.is_terminal or release.state is ReleaseState.ROLLING_BACK:
        raise Invalid(
            "release.over", f"{release_id} is {release.state} already.", f"ecluse release status {release_id}"
        )
    return _ask_for(history, release, "abort", who, why)


def rollback(history: History, release_id: str, *, who: str, why: str, row: str = "") -> Release:
    """Ask for the previous version to come back. Only the release that is live, or on its way there, can be left.

    ``row`` names a row `by hand: WORD` of the playbook's rollback table, whose moves are done instead. Raises
    :class:`Invalid` when this release is not live, or has no such row, :class:`Refused` while another one is under way.
    """
    release = find(history, release_id)
    made = history.find(Deployment, release=release_id, newest_first=True, limit=1)
    if not made or release.state in (ReleaseState.ROLLED_BACK, ReleaseState.ABORTED, ReleaseState.ROLLING_BACK):
        raise Invalid(
            "release.not_live",
            f"{release_id} is {str(release.state).replace('_', ' ')} and has nothing live to leave.",
            "ecluse release status",
        )
    live = live_in(history, release.environment)
    newest = history.find(Deployment, environment=release.environment, newest_first=True, limit=1)[0]
    stands = made[0].state is DeploymentState.BEGUN or (live is not None and live.id == made[0].id)
    if not stands and not (made[0].state is DeploymentState.FAILED and newest.id == made[0].id):
        now = f"{live.version or live.commit[:12]} of {live.release}" if live else "nothing"
        raise Invalid(
            "release.not_live",
            f"{release_id} is not what runs in {release.environment}; that is {now}.",
            f"ecluse release rollback {live.release}" if live else "ecluse release status",
        )
    _refuse_second(history, _places_of(release), but=release_id)
    rule = _row_of(release, row) if row else None
    if rule is not None and (rule.ask or moves.is_careful(rule)):
        return _ask_first(history, release, rule, who, why)
    return _ask_for(history, release, "rollback", who, why, rule)


def _row_of(release: Release, word: str) -> RollbackRule:
    """The row of the release's own playbook that a person may ask for by this word."""
    page = compile_playbook(release.source, str(release.outputs.get("plan", {}).get("path", release.playbook)))
    rule = page.rollback_by_hand(word)
    if rule is None:
        known = ", ".join(one.when for one in page.rollback if one.by_hand) or "none"
        raise Invalid(
            "rollback.row",
            f"The playbook of {release.id} has no row `by hand: {word}` (it has: {known}).",
            f"ecluse release rollback {release.id} --why TEXT",
        )
    return rule


def _ask_first(history: History, release: Release, rule: RollbackRule, who: str, why: str) -> Release:
    """What the table wants to be asked first, or cannot be taken back, is a question before it is done."""
    failure = {
        "unit": "",
        "row": rule.when,
        "why": f"{rule.when}, said by {who}: {why.rstrip('.')}.",
        "careful": moves.is_careful(rule),
        "before": release.state.value,
        "gate": gates.next_rollback(history, release.id),
    }
    asking = dataclasses.replace(
        release,
        state=ReleaseState.RUNNING,
        outputs={**release.outputs, "failure": failure},
        updated_at=clock.instant(),
    )
    with history.transaction():
        text = f"way back `{rule.when}` asked for by {who}: {why}"
        history.record(asking, Event("release.rollback_asked", release.subject, text, who))
        wake(history, release.subject, "rollback")
    return asking


def settle(history: History, release_id: str, step: str, happened: bool, *, who: str = "") -> Release:
    """Tell a release that asks whether a step that was cut short has happened. Raises :class:`Invalid` for another step."""
    release = find(history, release_id)
    effect = effect_of(history, release.subject, step)
    if effect is None or effect.state is EffectState.DONE:
        open_ones = [e.step for e in effects_of(history, release.subject) if e.state is EffectState.BEGUN]
        raise Invalid(
            "settle.step",
            f"The step {step!r} of {release_id} is not in question (open: {', '.join(open_ones) or 'none'}).",
            f"ecluse release status {release_id}",
        )
    word = "happened" if happened else "did not happen"
    with history.transaction():
        if happened:
            settle_effect(
                history, release.subject, step, {**effect.plan, "settled_by": who}, found=f"seen by {who or 'a person'}"
            )
        else:
            forget(history, release.subject, step, f"seen by {who or 'a person'}")
        paused = release.state is ReleaseState.PAUSED
        state = ReleaseState.PAUSED if paused else ReleaseState.RUNNING
        reason = release.reason if paused else ""
        running = dataclasses.replace(release, state=state, reason=reason, updated_at=clock.instant())
        history.record(running, Event("release.settled", release.subject, f"{step} {word}", who))
        wake(history, release.subject, "settled")
    return running


def pause(history: History, release_id: str, *, who: str, why: str) -> Release:
    """Have a release begin nothing more until it is resumed. What is under way outside goes on, gates can be answered.

    Raises :class:`Invalid` for one that is over or paused, :class:`Refused` for one on its way back.
    """
    release = find(history, release_id)
    if release.state.is_terminal or release.state is ReleaseState.PAUSED:
        raise Invalid(
            "release.over", f"{release_id} is {release.state} already.", f"ecluse release status {release_id}"
        )
    if release.state is ReleaseState.ROLLING_BACK:
        raise Refused(
            "pause.rollback",
            f"{release_id} is on its way back to a version that works, and that is not held up.",
            f"ecluse release status {release_id} --follow",
        )
    kept = {**release.outputs, "paused": {"who": who, "why": why, "at": clock.instant()}}
    because = f": {why}" if why else ""
    reason = f"paused by {who}{because}"
    paused = dataclasses.replace(
        release, state=ReleaseState.PAUSED, reason=reason, outputs=kept, updated_at=clock.instant()
    )
    history.record(paused, Event("release.paused", release.subject, f"{release.id} is {reason}", who))
    return paused


def resume(history: History, release_id: str, *, who: str) -> Release:
    """Have a paused release go on where it stands. Raises :class:`Invalid` for one that is not paused."""
    release = find(history, release_id)
    if release.state is not ReleaseState.PAUSED:
        raise Invalid(
            "release.not_paused",
            f"{release_id} is {release.state}, not paused.",
            f"ecluse release status {release_id}",
        )
    kept = {name: value for name, value in release.outputs.items() if name != "paused"}
    running = dataclasses.replace(
        release, state=ReleaseState.RUNNING, reason="", outputs=kept, updated_at=clock.instant()
    )
    with history.transaction():
        history.record(running, Event("release.resumed", release.subject, f"{release.id} is resumed by {who}", who))
        wake(history, release.subject, "resumed")
    return running


def retry(repository: Repository, history: History, release_id: str, *, who: str, why: str = "") -> Release:
    """Try the step that failed once more, after its cause is gone; people are asked again where no approval holds.

    Only a release that failed and was not rolled back can go on. Raises :class:`Invalid` for another one, and when
    something else has gone live there since, :class:`Refused` while another release is under way.
    """
    release = find(history, release_id)
    context = Context(repository, history, release)
    if release.state is not ReleaseState.FAILED or context.progress.get("state") != "failed":
        raise Invalid(
            "retry.state",
            f"{release_id} is {str(release.state).replace('_', ' ')}: only a release that failed at a step, and was not rolled back, can be tried again.",
            f"ecluse release start {release.playbook}"
            if release.state.is_terminal
            else f"ecluse release status {release_id}",
        )
    made = context.deployment
    _refuse_overtaken(context)
    position = release.position
    if context.progress.get("code") == "deploy.not_approved":
        units = context.playbook.units[:position]
        position = max((at for at, (_, unit) in enumerate(units) if isinstance(unit, GateCall)), default=position)
    outputs = {name: value for name, value in release.outputs.items() if name not in ("asked", "failure", "deadline")}
    steps = {at: kept for at, kept in release.outputs["steps"].items() if int(at) < position}
    retries = {**outputs.get("retries", {}), str(release.position): context.retries + 1}
    again = dataclasses.replace(
        release,
        state=ReleaseState.RUNNING,
        reason="",
        position=position,
        outputs={**outputs, "steps": steps, "retries": retries},
        updated_at=clock.instant(),
    )
    because = f": {why}" if why else ""
    text = f"{release.id} is tried again from step {context.playbook.units[position][0].number} by {who}{because}"
    with history.transaction():
        _refuse_second(history, _places_of(release), but=release.id)
        if made is not None and made.state is DeploymentState.FAILED:
            deployments.change(history, made, DeploymentState.BEGUN, "tried again")
        for gate in gates.gates_of(history, release.id):
            if position < release.position and gate.state is GateState.ANSWERED:
                gates.close(history, gate, GateState.VOID, "people are asked again")
        history.record(again, Event("release.retried", release.subject, text, who))
        wake(history, release.subject, "retry")
    return again


def _refuse_overtaken(context: Context) -> None:
    """A release that failed long ago must not replace what has gone live after it, nor one that went back go on."""
    release, live = context.release, context.live
    why = ""
    if "rollback" in release.outputs:
        why = "it was on its way back already"
    elif live is not None and live.release != release.id and live.created_at > release.created_at:
        why = f"{live.version} has gone live since"
    if why:
        raise Invalid(
            "retry.overtaken",
            f"{release.id} cannot be tried again in {release.environment}: {why}.",
            f"ecluse release start {release.playbook}",
        )


def find(history: History, release_id: str) -> Release:
    """The release with this id, or the only one whose id begins so. Raises :class:`Invalid` otherwise."""
    exact = history.get(Release, release_id)
    if exact is not None:
        return exact
    close = history.match(Release, release_id) if release_id else []
    if len(close) == 1:
        return close[0]
    said = "is not the beginning of one release only" if close else "is no release here"
    raise Invalid("release.unknown", f"{release_id!r} {said}.", "ecluse release status")


def _places(environment: str, playbook: str, plan: dict[str, Any]) -> set[str]:
    """What a release has to itself: its environment, and its page's ``concurrency`` (or, without either, its page)."""
    group = str(plan.get("concurrency", ""))
    return {f"environment {environment}" if environment else f"group {group or playbook}"} | (
        {f"group {group}"} if group else set()
    )


def _places_of(release: Release) -> set[str]:
    return _places(release.environment, release.playbook, release.outputs.get("plan", {}))


def _refuse_second(history: History, wanted: set[str], but: str = "") -> None:
    for state in ReleaseState:
        for other in [] if state.is_terminal else history.find(Release, state=state):
            shared = wanted & _places_of(other)
            if shared and other.id != but:
                raise Refused(
                    "release.busy",
                    f"{other.id} ({other.version or 'no version'}) is unfinished in the {sorted(shared)[0]}: it is {other.state}.",
                    f"ecluse release status {other.id}, or end it: ecluse release abort {other.id} --why TEXT",
                )


def _ask_for(
    history: History, release: Release, what: str, who: str, why: str, rule: RollbackRule | None = None
) -> Release:
    kept = {**release.outputs, "asked": {"what": what, "who": who, "why": why}}
    state = release.state
    if state.is_terminal or rule is not None:
        state = ReleaseState.ROLLING_BACK
        del kept["asked"]
        kept["rollback"] = {
            "began": clock.instant(),
            "why": f"asked for by {who}: {why}",
            "by": who,
            "attempt": int(release.outputs.get("rollback", {}).get("attempt", 0)) + 1,
            "moves": moves.kept(rule),
            "at": 0,
        }
    changed = dataclasses.replace(release, state=state, outputs=kept, updated_at=clock.instant())
    with history.transaction():
        history.record(
            changed, Event(f"release.{what}_asked", release.subject, f"{what} asked for by {who}: {why}", who)
        )
        wake(history, release.subject, what)
    return changed
