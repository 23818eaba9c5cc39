"""One step of a workflow instead of all: which jobs have it, and what runs before it.

Earlier steps that use an action still run, because they bring the files and tools that the step works with; earlier
``run`` steps do not. Jobs that a chosen one needs run whole: their outputs are wanted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from ecluse.checks.planning import Plan, step_title
from ecluse.checks.problems import closest
from ecluse.checks.request import RunRequest
from ecluse.checks.workflow import Job, Step, Workflow
from ecluse.errors import Invalid


def narrow(workflows: Sequence[Workflow], request: RunRequest) -> RunRequest:
    """The request with its jobs cut down to those that have one of its steps; the same when it names no step.

    Raises :class:`Invalid` when a step is in none of the jobs.
    """
    if not request.steps:
        return request
    jobs = [job for workflow in workflows for job in workflow.jobs if not request.jobs or job.id in request.jobs]
    for name in request.steps:
        if not any(_is_called(step, name) for job in jobs for step in job.steps):
            known = sorted({one for job in jobs for step in job.steps for one in (step.id, step_title(step)) if one})
            near = closest(name, known)
            where = f"job {', '.join(request.jobs)}" if request.jobs else ", ".join(one.path for one in workflows)
            raise Invalid(
                "run.step_unknown",
                f"There is no step '{name}' in {where}" + (f" ({near})." if near else "."),
                "list the steps with: ecluse run --dry-run",
            )
    return replace(request, jobs=tuple(dict.fromkeys(job.id for job in jobs if chosen_steps(job, request))))


def chosen_steps(job: Job, request: RunRequest) -> frozenset[int] | None:
    """The numbers of the steps that run in ``job``; ``None``: all, because none of its steps was chosen."""
    wanted = {step.number for step in job.steps if any(_is_called(step, name) for name in request.steps)}
    if not wanted:
        return None
    before = itertools.takewhile(lambda step: step.number < max(wanted), job.steps)
    return frozenset(wanted | {step.number for step in before if step.uses})


def cut(plan: Plan, workflows: Sequence[Workflow], request: RunRequest) -> Plan:
    """The plan without the steps that do not run because others were chosen."""
    written = {(workflow.path, job.id): job for workflow in workflows for job in workflow.jobs}
    jobs = []
    for planned in plan.jobs:
        job = written.get((planned.workflow, planned.id))
        chosen = chosen_steps(job, request) if job is not None else None
        steps = planned.steps if chosen is None else tuple(step for step in planned.steps if step.number in chosen)
        jobs.append(replace(planned, steps=steps))
    return replace(plan, jobs=tuple(jobs))


def _is_called(step: Step, name: str) -> bool:
    """A step answers to its id, its name as shown, and its number."""
    return name in (step.id, step.name, step_title(step), str(step.number)) and bool(name)
