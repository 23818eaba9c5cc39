"""The way back: the previous version that was live comes back, or, where there was none, the service is stopped."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from ecluse import clock, notify, process
from ecluse.errors import Failed, Problem, Waits
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.history import perform, wakes
from ecluse.history.journal import Probed
from ecluse.model import (
    Change,
    ChangeState,
    Deployment,
    DeploymentState,
    Event,
    GateState,
    Landing,
    LandingState,
    Release,
    ReleaseState,
    Run,
)
from ecluse.process import JobState
from ecluse.release import deployments, gates, holds, moves, postmortem
from ecluse.release import target as targets
from ecluse.release.context import Context
from ecluse.release.deploy import carrier_of
from ecluse.release.playbook import RollbackRule
from ecluse.release.probes import look_at_health
from ecluse.release.steps.shape import Again, Done
from ecluse.release.target import Target

POLL_S = 0.2
BLOCKED_POLL_S = 5.0


def begin(context: Context, why: str, failed: str, rule: RollbackRule | None = None) -> None:
    """Turn round: from now on the release only goes back, as ``rule`` says. ``failed`` is the action that failed."""
    moment = clock.instant()
    back = {"began": moment, "why": why, "failed": failed, "attempt": next_attempt(context.release)}
    outputs = {name: value for name, value in context.release.outputs.items() if name not in ("failure", "asked")}
    turned = dataclasses.replace(
        context.release,
        state=ReleaseState.ROLLING_BACK,
        reason=why,
        outputs={**outputs, "rollback": {**back, "moves": moves.kept(rule), "at": 0}},
        updated_at=moment,
    )
    with context.history.transaction():
        context.history.record(turned, Event("release.rolling_back", turned.subject, f"rolling back: {why}"))
        wakes.wake(context.history, turned.subject, "rollback")
    context.release = turned


def next_attempt(release: Release) -> int:
    """The number of the next attempt at the way back."""
    return int(release.outputs.get("rollback", {}).get("attempt", 0)) + 1


def advance(context: Context) -> None:
    """Do the next move of the way back. One that fails ends the release as failed, and calls people."""
    let_go(context)
    back = context.release.outputs.get("rollback", {})
    planned, at = back.get("moves") or moves.PREVIOUS, int(back.get("at", 0))
    try:
        if at >= len(planned):
            _arrive(context, planned)
        elif planned[at]["kind"] == "action":
            _act(context, moves.Back(context, at, planned[at]))
        else:
            _bring(context, str(planned[at]["kind"]))
    except Waits:
        raise
    except Problem as problem:
        if problem.code.startswith("history."):
            raise
        _give_up(context, problem)


def _act(context: Context, back: moves.Back) -> None:
    """One action of the library. What it waits for elsewhere is looked at again now and then."""
    if not back.progress:
        context.release = back.release = back.with_progress(state="running", began=clock.instant())
        text = f"on the way back: {back.unit.name}"
        context.history.record(back.release, Event("release.back_step", back.release.subject, text))
    outcome = back.run()
    if isinstance(outcome, Done):
        kept = back.with_progress(state="done", ended=clock.instant(), said=outcome.said, result=outcome.result)
        context.release = kept
        _next(context, f"on the way back: {back.unit.name}: {outcome.said}")
    else:
        seconds = outcome.seconds if isinstance(outcome, Again) and outcome.seconds >= 0 else BLOCKED_POLL_S
        wakes.wake_in(context.history, context.release.subject, seconds, "the way back")


def _next(context: Context, text: str) -> None:
    """Store that a move is done, and be woken for the next one, in one transaction."""
    back = context.release.outputs["rollback"]
    outputs = {**context.release.outputs, "rollback": {**back, "at": int(back.get("at", 0)) + 1}}
    passed = dataclasses.replace(context.release, outputs=outputs, updated_at=clock.instant())
    with context.history.transaction():
        context.history.record(passed, Event("release.back_done", passed.subject, text))
        wakes.wake(context.history, passed.subject, "next move")
    context.release = passed


def _bring(context: Context, kind: str) -> None:
    """Bring the previous version back, or the same once more; where there is none to bring, stop the service."""
    made = context.deployment
    if made is None or kind == "stop":
        _next(context, "nothing had gone live" if made is None else "what is there stays as it is")
        return
    wanted = context.history.get(Deployment, made.previous) if made.previous else None
    if kind == "same":
        wanted = made
    if wanted is None:
        said = carrier_of(_target_of(context, made)).halt(context)
        with context.history.transaction():
            deployments.change(context.history, made, DeploymentState.ROLLED_BACK, _why(context))
            _next(context, f"There was no version before it to go back to; {said}.")
    elif _go_back(context, wanted):
        if kind == "previous":
            _tag(context, made, wanted)
        with context.history.transaction():
            if kind == "previous":
                deployments.change(context.history, made, DeploymentState.ROLLED_BACK, _why(context))
            deployments.change(context.history, wanted, DeploymentState.LIVE, f"back after {made.version}")
            _next(context, f"Version {wanted.version} answers again in {made.environment}.")
    else:
        wakes.wake_in(context.history, context.release.subject, POLL_S, "health of the version that comes back")


def _arrive(context: Context, planned: list[dict[str, Any]]) -> None:
    """Every move is done: the release is over, in the state that the moves lead to."""
    kinds = [str(move["kind"]) for move in planned]
    made = context.deployment
    if made is None:
        state = ReleaseState.ROLLED_BACK if "action" in kinds else ReleaseState.ABORTED
    elif "previous" in kinds:
        state = ReleaseState.ROLLED_BACK
    else:
        state = ReleaseState.DONE if "same" in kinds else ReleaseState.FAILED
    if made is not None and made.state is DeploymentState.BEGUN:
        deployments.change(context.history, made, DeploymentState.FAILED, _why(context))
    events = context.history.events(subject=context.release.subject, kind="release.back_done", limit=1000)
    began = str(context.release.outputs["rollback"]["began"])
    said = [event.text for event in events if event.at >= began and made is not None]
    if state is ReleaseState.ROLLED_BACK and context.trunk.config.release.post_mortems:
        said.append(postmortem.after_rollback(context, _why(context), began))
    end(context, state, " ".join([_why(context), *said]).rstrip())


def let_go(context: Context) -> None:
    """End what this release still has under way: jobs, runs that it asked for, a landing that nobody has begun to test.

    Runs are ended by who carries them out, who finds that their release is over.
    """
    for run in context.history.find(Run, parent=context.release.subject):
        if not run.state.is_terminal:
            wakes.wake(context.history, run.subject, "its release was stopped")
    if context.folder.is_dir():
        for job in sorted(context.folder.iterdir()):
            if job.is_dir() and process.job_status(job).state is JobState.RUNNING:
                process.cancel_job(job)
    for landing in context.history.find(Landing, parent=context.release.subject):
        if landing.state in (LandingState.QUEUED, LandingState.BLOCKED):
            _cancel(context, landing)


def _cancel(context: Context, landing: Landing) -> None:
    moment = clock.instant()
    why = f"{context.release.id} was stopped"
    over = dataclasses.replace(landing, state=LandingState.CANCELLED, reason=why, updated_at=moment)
    change = context.history.get(Change, landing.change)
    with context.history.transaction():
        text = f"landing of {landing.change} cancelled: {why}"
        context.history.record(over, Event("landing.cancelled", landing.subject, text))
        if change is not None and not change.state.is_terminal:
            left = dataclasses.replace(change, state=ChangeState.REJECTED, reason=why, updated_at=moment)
            context.history.record(left, Event("change.rejected", change.subject, f"{change.key}: {why}"))


def _why(context: Context) -> str:
    """Why the release goes back, as a whole sentence."""
    why = str(context.release.outputs.get("rollback", {}).get("why", context.release.reason)).rstrip()
    return why if why.endswith((".", "!", "?")) else f"{why}."


def _target_of(context: Context, deployment: Deployment) -> Target:
    """The environment as the release that made ``deployment`` knew it: its command, its health path."""
    made_by = context.history.get(Release, deployment.release)
    kept: dict[str, Any] | None = made_by.outputs.get("plan", {}).get("target") if made_by else None
    return targets.from_dict(kept) if kept else context.target


def _go_back(context: Context, previous: Deployment) -> bool:
    """Bring ``previous`` back; true when it is well again. Raises :class:`Failed` when that does not come true."""
    target = _target_of(context, previous)
    carrier = carrier_of(target)
    gone = carrier.missing(previous)
    if gone:
        raise Failed(
            "rollback.folder_gone",
            f"Version {previous.version} cannot come back: {gone}.",
            f"ls {previous.location or target.root}, then release a version that works: ecluse release start",
        )
    carrier.back(context, previous)
    seen = look_at_health(target.address(target.health), previous.version)
    if seen.well:
        return True
    ended = carrier.ended(context, 1 + context.back_attempt)
    started = context.history.events(subject=context.release.subject, kind="effect.done", newest_first=True, limit=1)
    late = bool(started) and clock.now() > clock.parse(started[0].at) + timedelta(seconds=target.timeout_s)
    if ended or late:
        raise Failed(
            "rollback.unwell",
            f"Version {previous.version} was started again and is not well: {ended or seen.said}.",
            f"curl -i {target.address(target.health)}",
        )
    return False


def _tag(context: Context, made: Deployment, previous: Deployment) -> None:
    """Where the policy wants it: the tag ``vX.Y.Z-rollback`` of the version that went, on the commit that came back."""
    if not context.trunk.config.release.rollback_tags or not context.release.version:
        return
    name = f"v{made.version}-rollback"
    repository, ref = context.repository, f"refs/tags/{name}"

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        if repository.resolve(ref) is None:
            repository.clear_dead_locks(ref)
            who = repository.identity() or FALLBACK_IDENTITY
            env = {"GIT_COMMITTER_NAME": who.name, "GIT_COMMITTER_EMAIL": who.email, "GIT_COMMITTER_DATE": plan["when"]}
            message = f"Rollback of v{made.version} to v{previous.version}\n\n{_why(context)}\n"
            words = ("tag", "-a", "-F", "-", "--end-of-options", name, previous.commit)
            repository.run(*words, stdin=message.encode("utf-8"), extra_env=env)
        return plan

    perform(
        context.history,
        context.release.subject,
        context.back("tag"),
        do,
        probe=lambda plan: Probed(repository.resolve(ref) is not None, plan),
        plan={"tag": name, "commit": previous.commit, "when": clock.instant()[:19] + "+0000"},
    )


def _give_up(context: Context, problem: Problem) -> None:
    """A way back that failed: nothing more is tried, and people are called, whatever messages the policy sends else."""
    why = f"THE ROLLBACK FAILED: {problem.message} It was begun because: {_why(context)}"
    made = context.deployment
    if made is not None and made.state in (DeploymentState.BEGUN, DeploymentState.LIVE):
        deployments.change(context.history, made, DeploymentState.FAILED, why)
    store_end(context, ReleaseState.FAILED, f"{why} Next: {problem.hint}")
    page(context, f"{why} Look: {problem.hint}. To try again: ecluse release rollback {context.release.id} --why TEXT")


def page(context: Context, why: str) -> None:
    """Call people, whatever messages the policy sends else."""
    release = context.release
    text = f"{release.environment or release.playbook} needs a person now. {why}"
    facts = {"release": release.id, "version": release.version, "environment": release.environment, "urgent": True}
    context.history.note(Event("release.page", release.subject, text, data=facts))
    notify.send(context.history, context.trunk.config.notify, "release.page", text, facts, always=True)


def end(context: Context, state: ReleaseState, why: str) -> None:
    """Store that the release is over, and tell whoever the policy names."""
    store_end(context, state, why)
    _tell_end(context)


def store_end(context: Context, state: ReleaseState, why: str) -> None:
    """Store that the release is over."""
    over = dataclasses.replace(context.release, state=state, reason=why, updated_at=clock.instant())
    text = f"release {over.version or over.commit[:12]} {state.replace('_', ' ')}: {why}"
    data = {"version": over.version, "commit": over.commit, "environment": over.environment}
    with context.history.transaction():
        for gate in gates.open_gates(context.history, over.id):
            gates.close(context.history, gate, GateState.VOID, f"the release is {state.replace('_', ' ')}")
        holds.unlock(context.history, over.environment, holder=over.id, who=over.id, why="it is over")
        context.history.record(over, Event(f"release.{state}", over.subject, text, data=data))
        wakes.cancel(context.history, over.subject)
    context.release = over


def _tell_end(context: Context) -> None:
    release = context.release
    facts = {"release": release.id, "version": release.version, "environment": release.environment}
    notify.send(context.history, context.trunk.config.notify, f"release.{release.state}", release.reason, facts)
