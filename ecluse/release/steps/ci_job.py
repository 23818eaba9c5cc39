"""``ci.job``: a workflow of the repository is run on exactly the release's commit, and must be green."""

from __future__ import annotations

from typing import Any

from ecluse import clock
from ecluse.errors import Failed, Red
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.history.requests import request_run
from ecluse.model import Run, RunState
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

POLL_S = 1.0


def run(context: Context) -> Outcome:
    """Ask for the run, or look at it. Raises :class:`Red` when it (or the job that is meant) is not green."""
    workflow = _path(context.argument("workflow"))
    asked = perform(
        context.history,
        context.release.subject,
        context.effect(str(context.retries + 1)),
        lambda plan: {**plan, "run": _ask(context, workflow).id},
        probe=lambda plan: _probe(context, plan),
        plan={"workflow": workflow, "asked_at": clock.instant()},
    )
    found = context.history.get(Run, asked["run"])
    if found is None:
        raise Failed("ci.run_gone", f"The run {asked['run']} is gone.", "ecluse doctor")
    if not found.state.is_terminal:
        return Again(POLL_S, f"{found.id} is {found.state}")
    return _outcome(found, workflow, context.argument("job"))


def _ask(context: Context, workflow: str) -> Run:
    release = context.release
    return request_run(
        context.history,
        parent=release.subject,
        commit=release.commit,
        tree=context.repository.tree_id(release.commit),
        event=context.argument("event", "push"),
        workflows=(workflow,),
        actor=f"release {release.id}",
    )


def _probe(context: Context, plan: dict[str, Any]) -> Probed:
    """Whether the run was asked for before we died: the newest of this release since then."""
    for one in context.history.find(Run, parent=context.release.subject, newest_first=True, limit=1):
        if one.created_at >= plan["asked_at"]:
            return Probed(True, {**plan, "run": one.id})
    return Probed(False)


def _path(name: str) -> str:
    return name if "/" in name else f".github/workflows/{name}"


def _outcome(found: Run, workflow: str, job: str) -> Done:
    jobs: list[dict[str, Any]] = found.report.get("jobs", [])
    if job:
        meant = [one for one in jobs if job in (one.get("id"), one.get("name"))]
        if not meant:
            names = ", ".join(str(one.get("id")) for one in jobs) or "none"
            raise Failed("ci.no_job", f"{workflow} ran no job {job!r} (it ran: {names}).", f"ecluse show {found.id}")
        if all(one.get("result") == "success" for one in meant):
            return Done(f"the job {job} of {workflow} is green in {found.id}", {"run": found.id, "job": job})
        raise Red("ci.red", f"The job {job} of {workflow} is {meant[0].get('result')}.", f"ecluse show {found.id}")
    if found.state is RunState.GREEN:
        return Done(f"{workflow} is green in {found.id}: {found.reason}", {"run": found.id, "jobs": len(jobs)})
    raise Red("ci.red", f"{workflow} is {found.state} in {found.id}: {found.reason}", f"ecluse show {found.id}")


SHAPE = Shape(
    "ci.job",
    "runs a workflow of the repository (`.github/workflows/NAME`) on the release's commit; it must be green",
    run,
    keys={
        "workflow": "the workflow's file name, such as e2e.yml",
        "job": "only this job has to be green; all when not given",
        "event": "the event it is run for; push when not given",
    },
    required=("workflow",),
    outputs={"run": "the run's id", "jobs": "how many jobs it had"},
    effect="a run of checks on this machine",
    probe="the run that this step asked for is found in the history",
)
