"""The verbs of a release. Each stores what is asked for and wakes the release; the course does the rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NoReturn

from ecluse import clock
from ecluse.errors import Invalid, Refused, Unsupported
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.journal import EffectState, effect_of, effects_of, forget
from ecluse.history.journal import settle as settle_effect
from ecluse.history.wakes import wake
from ecluse.model import Deployment, DeploymentState, Event, Gate, GateState, Release, ReleaseState
from ecluse.release import gates
from ecluse.release.context import Context, live_in
from ecluse.release.plans import plan


def start(
    repository: Repository,
    history: History,
    *,
    playbook: str = "release",
    inputs: dict[str, str] | None = None,
    environment: str | None = None,
    starter: str,
    played: bool = False,
) -> Release:
    """Start a release of the trunk's tip. Raises :class:`Refused` while another one is unfinished in the environment.

    Raises :class:`Invalid` for whatever :func:`ecluse.release.plan` refuses.
    """
    made = plan(repository, history, playbook, inputs or {}, environment)
    moment = clock.instant()
    release = Release(
        id=clock.new_id("rel"),
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
        outputs={"plan": made.as_dict(), "steps": {}, "named": {}},
        played=played,
    )
    what = f"release {made.version or 'without a version'} of {made.commit[:12]}"
    where = f" to {made.environment}" if made.environment else ""
    text = f"{what}{where} started by {starter} with the playbook {made.playbook} (plan {made.digest[:12]})"
    data = {"version": made.version, "commit": made.commit, "plan": made.digest, "played": played}
    with history.transaction():
        _refuse_second(history, made.environment)
        history.record(release, Event("release.started", release.subject, text, starter, data))
        wake(history, release.subject, "started")
    return release


def answer(
    repository: Repository,
    history: History,
    release_id: str,
    gate_name: str | None,
    answer: str,
    *,
    who: str,
    how: str,
    why: str = "",
    key: Path | None = None,
) -> Gate:
    """Answer an open gate. ``answer`` is ``approve``, ``reject`` or one of the gate's own words.

    ``how`` is ``key`` (signed with ``key`` by somebody the trunk lists), ``typed`` (counts only when the policy says
    solo) or ``played`` (a demonstration plays the person, and the record says so). Raises :class:`Refused` for an
    expired or changed question and for missing authority, :class:`Invalid` when nothing is asked.
    """
    context = Context(repository, history, find(history, release_id))
    gate = gates.choose(context, gate_name)
    word = gates.word_of(gate, answer)
    proof = gates.proven(context, gate, word, who, how, key)
    done = dataclasses.replace(
        gate, state=GateState.ANSWERED, answer=word, why=why, updated_at=clock.instant(), **proof
    )
    because = f": {why}" if why else ""
    text = f"gate {gate.name} was answered {word} by {done.answered_by} ({done.how}){because}"
    data = {"gate": gate.id, "answer": word, "how": done.how, "binding": gate.binding}
    with history.transaction():
        standing = history.get(Gate, gate.id)
        if standing is None or standing.state is not GateState.OPEN:
            raise Refused(
                "gate.answered", f"The gate {gate.name} was answered meanwhile.", f"ecluse release status {release_id}"
            )
        history.record(done, Event("gate.answered", context.release.subject, text, done.answered_by, data))
        if how == "played" and not context.release.played:
            marked = dataclasses.replace(context.release, played=True, updated_at=clock.instant())
            history.record(
                marked, Event("release.played", marked.subject, f"{done.answered_by} is played, no person answered")
            )
        wake(history, context.release.subject, "answered")
    return done


def abort(history: History, release_id: str, *, who: str, why: str) -> Release:
    """Ask for a release to be stopped: before it went live it ends aborted, afterwards it is rolled back first."""
    release = find(history, release_id)
    if release.state.is_terminal or release.state is ReleaseState.ROLLING_BACK:
        raise Invalid(
            "release.over", f"{release_id} is {release.state} already.", f"ecluse release status {release_id}"
        )
    return _ask_for(history, release, "abort", who, why)


def rollback(history: History, release_id: str, *, who: str, why: str) -> Release:
    """Ask for the previous version to come back. Only the release that is live, or on its way there, can be left.

    Raises :class:`Invalid` when this release is not live, :class:`Refused` while another one is under way.
    """
    release = find(history, release_id)
    made = history.find(Deployment, release=release_id, newest_first=True, limit=1)
    if not made or release.state in (ReleaseState.ROLLED_BACK, ReleaseState.ABORTED, ReleaseState.ROLLING_BACK):
        raise Invalid(
            "release.not_live",
            f"{release_id} is {release.state} and has nothing live to leave.",
            "ecluse release status",
        )
    live = live_in(history, release.environment)
    newest = history.find(Deployment, environment=release.environment, newest_first=True, limit=1)[0]
    stands = made[0].state is DeploymentState.BEGUN or (live is not None and live.id == made[0].id)
    if not stands and not (made[0].state is DeploymentState.FAILED and newest.id == made[0].id):
        now = f"{live.version} of {live.release}" if live else "nothing"
        raise Invalid(
            "release.not_live",
            f"{release_id} is not what runs in {release.environment}; that is {now}.",
            f"ecluse release rollback {live.release}" if live else "ecluse release status",
        )
    _refuse_second(history, release.environment, but=release_id)
    return _ask_for(history, release, "rollback", who, why)


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
        running = dataclasses.replace(release, state=ReleaseState.RUNNING, reason="", updated_at=clock.instant())
        history.record(running, Event("release.settled", release.subject, f"{step} {word}", who))
        wake(history, release.subject, "settled")
    return running


def refuse_later(verb: str) -> NoReturn:
    """Raise :class:`Unsupported` for a verb that a later version carries out."""
    instead = {
        "pause": "a release stands still at its gates by itself; to stop one: ecluse release abort RELEASE",
        "resume": "a release goes on by itself once its gate is answered: ecluse release approve RELEASE",
        "retry": "start a new one when the cause is removed: ecluse release start",
        "freeze": "do not answer the gate until the day is right: ecluse release status",
    }
    raise Unsupported(
        f"release.{verb}", f"`{verb}` is not supported yet.", instead.get(verb, "ecluse release --help"), {"verb": verb}
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


def _refuse_second(history: History, environment: str, but: str = "") -> None:
    for other in history.find(Release, environment=environment, newest_first=True):
        if not other.state.is_terminal and other.id != but:
            raise Refused(
                "release.busy",
                f"{other.id} ({other.version or 'no version'}) is unfinished in {environment or 'the same place'}: it is {other.state}.",
                f"ecluse release status {other.id}, or end it: ecluse release abort {other.id} --why TEXT",
            )


def _ask_for(history: History, release: Release, what: str, who: str, why: str) -> Release:
    asked = {"what": what, "who": who, "why": why}
    state = ReleaseState.ROLLING_BACK if release.state.is_terminal else release.state
    kept = {**release.outputs, "asked": asked}
    if state is ReleaseState.ROLLING_BACK:
        kept["rollback"] = {"began": clock.instant(), "why": f"asked for by {who}: {why}", "by": who}
    changed = dataclasses.replace(release, state=state, outputs=kept, updated_at=clock.instant())
    with history.transaction():
        history.record(
            changed, Event(f"release.{what}_asked", release.subject, f"{what} asked for by {who}: {why}", who)
        )
        wake(history, release.subject, what)
    return changed
