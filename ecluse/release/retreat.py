"""The way back: the previous version that was live comes back, or, where there was none, the service is stopped."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

from ecluse import clock, notify, process
from ecluse.errors import Failed, Problem, Waits
from ecluse.history import perform, wakes
from ecluse.history.journal import Probed
from ecluse.model import (
    Change,
    ChangeState,
    Deployment,
    DeploymentState,
    Event,
    Landing,
    LandingState,
    Release,
    ReleaseState,
)
from ecluse.process import JobState
from ecluse.release import deployments, folder
from ecluse.release import target as targets
from ecluse.release.context import Context
from ecluse.release.probes import look_at_health
from ecluse.release.target import Target

POLL_S = 0.2


def begin(context: Context, why: str, failed: str) -> None:
    """Turn round: from now on the release only goes back. ``failed`` is the action that failed, or empty."""
    moment = clock.instant()
    kept = {**context.release.outputs, "rollback": {"began": moment, "why": why, "failed": failed}}
    turned = dataclasses.replace(
        context.release, state=ReleaseState.ROLLING_BACK, reason=why, outputs=kept, updated_at=moment
    )
    with context.history.transaction():
        context.history.record(turned, Event("release.rolling_back", turned.subject, f"rolling back: {why}"))
        wakes.wake(context.history, turned.subject, "rollback")
    context.release = turned


def advance(context: Context) -> None:
    """Do the next thing on the way back. A way back that fails ends the release as failed, and says so loudly."""
    let_go(context)
    made = context.deployment
    if made is None:
        end(context, ReleaseState.ABORTED, _why(context))
        return
    try:
        previous = context.history.get(Deployment, made.previous) if made.previous else None
        if previous is None:
            _stop_all(context, made)
        elif _go_back(context, previous):
            _arrive(context, made, previous)
        else:
            wakes.wake_in(context.history, context.release.subject, POLL_S, "health of the previous version")
    except Waits:
        raise
    except Problem as problem:
        if problem.code.startswith("history."):
            raise
        _give_up(context, made, problem)


def let_go(context: Context) -> None:
    """End what this release still has under way: a watch, and a landing that nobody has begun to test."""
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
    home = Path(previous.location)
    if not home.is_dir():
        raise Failed(
            "rollback.folder_gone",
            f"The folder {home} of version {previous.version} is gone, there is nothing to go back to.",
            f"ls {home.parent}, then release a version that works: ecluse release start",
        )
    job = folder.service_folder(target, context.release.id, 2)
    _stop(context, target, job)
    _switch(context, target, home)
    _start(context, target, home, job)
    seen = look_at_health(target.address(target.health), previous.version)
    if seen.well:
        return True
    gone = folder.ended(job)
    started = context.history.events(subject=context.release.subject, kind="effect.done", newest_first=True, limit=1)
    late = bool(started) and clock.now() > clock.parse(started[0].at) + timedelta(seconds=target.timeout_s)
    if gone or late:
        raise Failed(
            "rollback.unwell",
            f"Version {previous.version} was started again and is not well: {gone or seen.said}.",
            f"look at {job / 'output.log'}",
        )
    return False


def _stop(context: Context, target: Target, keep: Path | None) -> None:
    perform(
        context.history,
        context.release.subject,
        "rollback.stop",
        lambda plan: {"stopped": folder.stop_others(target, keep)},
        probe=lambda plan: Probed(not [f for f in folder.running(target) if f != keep]),
        plan={"environment": target.name},
    )


def _switch(context: Context, target: Target, home: Path | None) -> None:
    def do(plan: dict[str, Any]) -> dict[str, Any]:
        folder.switch(target, home)
        return plan

    perform(
        context.history,
        context.release.subject,
        "rollback.switch",
        do,
        probe=lambda plan: Probed(folder.current_of(target) == home, plan),
        plan={"current": str(home or "")},
    )


def _start(context: Context, target: Target, home: Path, job: Path) -> None:
    def do(plan: dict[str, Any]) -> dict[str, Any]:
        folder.start(target, home, job)
        return plan

    perform(
        context.history,
        context.release.subject,
        "rollback.start",
        do,
        probe=lambda plan: Probed(process.job_status(job).state is not JobState.ABSENT, plan),
        plan={"job": str(job)},
    )


def _stop_all(context: Context, made: Deployment) -> None:
    target = _target_of(context, made)
    _stop(context, target, None)
    _switch(context, target, None)
    deployments.change(context.history, made, DeploymentState.ROLLED_BACK, _why(context))
    why = f"{_why(context)} There was no version before it to go back to; the service in {made.environment} is stopped."
    end(context, ReleaseState.ROLLED_BACK, why)


def _arrive(context: Context, made: Deployment, previous: Deployment) -> None:
    with context.history.transaction():
        deployments.change(context.history, made, DeploymentState.ROLLED_BACK, _why(context))
        deployments.change(context.history, previous, DeploymentState.LIVE, f"back after {made.version}")
        why = f"{_why(context)} Version {previous.version} answers again in {made.environment}."
        store_end(context, ReleaseState.ROLLED_BACK, why)
    _tell_end(context)


def _give_up(context: Context, made: Deployment, problem: Problem) -> None:
    why = f"THE ROLLBACK FAILED: {problem.message} It was begun because: {_why(context)}"
    deployments.change(context.history, made, DeploymentState.FAILED, why)
    end(context, ReleaseState.FAILED, f"{why} Next: {problem.hint}")


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
        context.history.record(over, Event(f"release.{state}", over.subject, text, data=data))
        wakes.cancel(context.history, over.subject)
    context.release = over


def _tell_end(context: Context) -> None:
    release = context.release
    facts = {"release": release.id, "version": release.version, "environment": release.environment}
    notify.send(context.history, context.trunk.config.notify, f"release.{release.state}", release.reason, facts)
