"""``deploy.folder``: the release's files beside the earlier ones, the link switched, the service started anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecluse import process
from ecluse.errors import Refused
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.model import Deployment
from ecluse.process import JobState
from ecluse.release import deployments, folder
from ecluse.release.context import Context
from ecluse.release.gates import approval_for
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Bring the release to its environment; every part is done once and probed after a death.

    Raises :class:`Refused` for production without an approval that holds for exactly this commit and plan.
    """
    if context.deployment is None:
        _check(context)
        _prune(context)
    made = deployments.begin(context)
    target, home = context.target, Path(made.location)
    job = folder.service_folder(target, context.release.id, 1)
    _effect(context, "fill", lambda: folder.fill(context.repository, made.commit, made.version, home), home.is_dir)
    _effect(
        context,
        "stop",
        lambda: folder.stop_others(target, job),
        lambda: not [other for other in folder.running(target) if other != job],
    )
    _effect(context, "switch", lambda: folder.switch(target, home), lambda: folder.current_of(target) == home)
    _effect(
        context,
        "start",
        lambda: folder.start(target, home, job),
        lambda: process.job_status(job).state is not JobState.ABSENT,
    )
    return Done(f"{target.current} is {home.name}, the service was started", _facts(made, job))


def _facts(made: Deployment, job: Path) -> dict[str, Any]:
    return {"deployment": made.id, "location": made.location, "service": str(job), "previous": made.previous}


def _check(context: Context) -> None:
    release = context.release
    tagged = context.repository.resolve(f"refs/tags/v{release.version}") if release.version else None
    if tagged is not None and tagged != release.commit:
        raise Refused(
            "deploy.tag_elsewhere",
            f"v{release.version} is on {tagged[:12]}, this release is of {release.commit[:12]}; nothing was deployed.",
            f"git show v{release.version}",
        )
    if context.target.production and approval_for(context) is None:
        raise Refused(
            "deploy.not_approved",
            f"No approval holds for commit {release.commit[:12]} in {release.environment}: it was never given, or commit, plan or policy have changed since.",
            f"start again, so that people are asked about what is there now: ecluse release start {release.playbook}",
        )


def _prune(context: Context) -> None:
    """Make room: the oldest folders beyond the number kept go, never the live one."""
    live, current = context.live, folder.current_of(context.target)
    protected = {Path(live.location)} if live else set()
    folder.prune(context.target, protected | ({current} if current else set()))


def _effect(context: Context, part: str, do: Any, is_there: Any) -> None:
    def act(plan: dict[str, Any]) -> dict[str, Any]:
        do()
        return plan

    perform(
        context.history,
        context.release.subject,
        context.effect(part),
        act,
        probe=lambda plan: Probed(bool(is_there()), plan),
    )


SHAPE = Shape(
    "deploy.folder", "fills a release folder, switches `current`, starts the service anew", run, goes_live=True
)
