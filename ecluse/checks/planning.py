"""What a run would do: workflows read whole, jobs in the order of their needs, combinations unfolded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecluse.checks.calls import fetch_from, inputs_of, link
from ecluse.checks.contexts import dispatch_inputs, event_payload, github_context
from ecluse.checks.evaluate import Scope
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.matrix import display_name, expand, names_context, resolve
from ecluse.checks.problems import Fault, WorkflowProblem, closest
from ecluse.checks.remote import Remote
from ecluse.checks.request import RunRequest
from ecluse.checks.triggers import FOLDER, list_workflows, resolve_paths, select
from ecluse.checks.values import to_text
from ecluse.checks.workflow import Job, Step, Workflow, load
from ecluse.errors import Invalid


@dataclass(frozen=True, slots=True)
class PlannedStep:
    number: int
    id: str
    name: str
    uses: str = ""


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One job to be. ``reason`` says why it cannot run here; ``open_matrix`` that its needs decide the matrix."""

    id: str
    name: str
    workflow: str
    needs: tuple[str, ...] = ()
    matrix: dict[str, Any] = field(default_factory=dict)
    condition: str = ""
    steps: tuple[PlannedStep, ...] = ()
    reason: str = ""
    open_matrix: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Every job that would run, each after what it needs."""

    event: str
    workflows: tuple[str, ...]
    jobs: tuple[PlannedJob, ...]


def plan(tree: Path, request: RunRequest) -> Plan:
    """What ``request`` would run in ``tree``, without running anything.

    Raises :class:`WorkflowProblem` with all faults of all files, and :class:`Invalid` when nothing is triggered.
    """
    return plan_workflows(load_workflows(tree, request), request)


def plan_workflows(workflows: Sequence[Workflow], request: RunRequest) -> Plan:
    """As :func:`plan`, for workflows that were read already."""
    jobs: list[PlannedJob] = []
    faults: list[Fault] = []
    for workflow in workflows:
        scope = workflow_scope(request, workflow)
        for job in chosen_jobs(workflow, request):
            try:
                jobs += _planned(workflow, job, scope, request)
            except ExpressionProblem as problem:
                faults.append(Fault(workflow.path, job.line, job.column, problem.message))
    if faults:
        raise WorkflowProblem(faults)
    return Plan(request.event, tuple(workflow.path for workflow in workflows), tuple(jobs))


def workflow_scope(request: RunRequest, workflow: Workflow) -> Scope:
    """What expressions of a workflow see before any job has run."""
    payload = event_payload(request)
    inputs = dispatch_inputs(request, workflow, payload)
    if request.event == "workflow_dispatch":
        payload = {**payload, "inputs": {**(payload.get("inputs") or {}), **_as_texts(inputs)}}
    return Scope(
        {
            "github": github_context(request, workflow, payload),
            "inputs": inputs,
            "vars": dict(request.vars),
            "secrets": dict(request.secrets),
            "needs": {},
        }
    )


def _as_texts(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in inputs.items()}


def load_workflows(tree: Path, request: RunRequest, remote: Remote | None = None) -> tuple[Workflow, ...]:
    """The workflows of a request, read, with those of other repositories that ``remote`` has or may fetch.

    Without ``remote`` only what was fetched before is found. Raises :class:`WorkflowProblem` with all faults.
    """
    if request.workflows:
        paths = resolve_paths(tree, request.workflows, request.event)
    else:
        action = str(request.event_payload.get("action") or "")
        paths = select(tree, event=request.event, branch=request.branch, changed=request.changed, action=action)
    if not paths:
        where = ", ".join(request.workflows) or FOLDER
        count = len(list_workflows(tree)) if not request.workflows else 0
        raise Invalid(
            "workflow.none",
            f"No workflow of {where} is started by the event '{request.event}'"
            + (f" on {request.branch}" if count else "")
            + ".",
            f"name a file, for example: ecluse run {FOLDER}/ci.yml" if count else f"write one to {FOLDER}/ci.yml",
        )
    found: list[Workflow] = []
    faults: list[Fault] = []
    fetch = fetch_from(
        tree.resolve(), request.local_actions, remote or Remote(tree, request.actions_url, network=False)
    )
    for path in paths:
        try:
            found.append(link(load(tree, path), fetch, strict=False))
        except WorkflowProblem as problem:
            faults += problem.faults
    if faults:
        raise WorkflowProblem(faults)
    _check_chosen(found, request)
    return tuple(found)


def _check_chosen(workflows: Sequence[Workflow], request: RunRequest) -> None:
    known = sorted({job.id for workflow in workflows for job in workflow.jobs})
    for name in request.jobs:
        if name not in known:
            near = closest(name, known)
            raise Invalid(
                "workflow.job_unknown",
                f"There is no job '{name}' in {', '.join(workflow.path for workflow in workflows)}"
                + (f" ({near})." if near else "."),
                "list the jobs with: ecluse run --dry-run",
            )


def chosen_jobs(workflow: Workflow, request: RunRequest) -> tuple[Job, ...]:
    """The jobs of a workflow that the request wants, with all they need, each after its needs."""
    wanted = {job.id for job in workflow.jobs}
    if request.jobs:
        wanted = {name for name in request.jobs if name in wanted}
        while missing := {need for name in wanted for need in workflow.job(name).needs} - wanted:
            wanted |= missing
    ordered: list[Job] = []
    placed: set[str] = set()
    remaining = [job for job in workflow.jobs if job.id in wanted]
    while remaining:
        ready = [job for job in remaining if placed.issuperset(job.needs)]
        ordered += ready
        placed.update(job.id for job in ready)
        remaining = [job for job in remaining if job.id not in placed]
    return tuple(ordered)


def _planned(workflow: Workflow, job: Job, scope: Scope, request: RunRequest) -> list[PlannedJob]:
    raw = job.strategy.get("matrix", job.strategy.get(""))
    is_open = bool(job.needs) and names_context(raw, "needs")
    combinations = [{}] if is_open or "" in job.strategy else expand(resolve(raw, scope), request.matrix)
    made = []
    for combination in combinations:
        inner = scope.with_contexts(matrix=combination, strategy={})
        if job.target is not None:
            made += _planned_call(job, job.target, combination, inner, request)
            continue
        made.append(
            PlannedJob(
                id=job.id,
                name=display_name(job.name or job.id, combination, inner),
                workflow=workflow.path,
                needs=job.needs,
                matrix=combination,
                condition=job.condition,
                steps=tuple(PlannedStep(step.number, step.id, step_title(step), step.uses) for step in job.steps),
                reason=cannot_run(job, inner),
                open_matrix=is_open,
            )
        )
    return made


def _planned_call(
    job: Job, target: Workflow, combination: dict[str, Any], scope: Scope, request: RunRequest
) -> list[PlannedJob]:
    """The jobs of a called workflow, named after the calling one; those without needs wait for what it needs."""
    title = display_name(job.name or job.id, combination, scope)
    inputs = dict.fromkeys(job.inputs) if job.needs else inputs_of(job, target, scope)
    inside = scope.with_contexts(inputs=inputs, needs={}, matrix=None)
    found = []
    for inner in chosen_jobs(target, replace(request, jobs=())):
        for planned in _planned(target, inner, inside, request):
            name, needs = f"{title} / {planned.name}", planned.needs or job.needs
            found.append(replace(planned, name=name, needs=needs, condition=planned.condition or job.condition))
    return found


_KINDS = {"wait": "Wait", "wait-all": "Wait for all", "cancel": "Cancel", "parallel": "Run in parallel"}


def step_title(step: Step) -> str:
    """A step's name as GitHub shows it: the given one, else what it runs."""
    if step.name:
        return step.name
    if step.uses:
        return f"Run {step.uses}"
    first = next((line.strip() for line in step.run.splitlines() if line.strip()), "")
    return f"Run {first}" if step.run else _KINDS.get(step.other, "step")


def cannot_run(job: Job, scope: Scope) -> str:
    """Why this job cannot run on this machine, with what to do about it; empty when it can."""
    if job.calls and job.target is None:
        location, _, ref = job.calls.partition("@")
        return (
            f"calls the reusable workflow {job.calls} of another repository, which is not fetched here: "
            f"give a folder with it by --local-action {'/'.join(location.split('/')[:2])}@{ref}=DIR"
        )
    if job.target is not None:
        return ""
    services = _images(resolve(job.services, scope))
    if services:
        return (
            f"needs the service containers {', '.join(services)}: no container engine is used here; "
            "start what they offer in a step instead"
        )
    for image in _images({"": resolve(job.container, scope)}).values():
        return f"runs in the container {image}: no container engine is used here; remove `container:` to run directly"
    runs_on = resolve(job.runs_on, scope)
    labels = runs_on.get("labels") if isinstance(runs_on, dict) else runs_on
    for label in labels if isinstance(labels, list) else [labels]:
        wanted = _system_of(str(label or "").lower())
        if wanted and wanted != _system_here():
            return f"asks for a {wanted} machine ({label}), and this one runs {_system_here()}"
    return ""


def _images(containers: Any) -> dict[str, str]:
    """Names and images of containers; GitHub leaves out those whose image is empty."""
    found = {}
    for name, container in containers.items() if isinstance(containers, dict) else ():
        image = to_text(container.get("image") if isinstance(container, dict) else container)
        if image:
            found[name] = image
    return found


def _system_of(label: str) -> str:
    if label.startswith(("windows", "win-")):
        return "Windows"
    if label.startswith(("macos", "mac-", "osx")):
        return "macOS"
    return "Linux" if label.startswith(("ubuntu", "linux", "debian")) else ""


def _system_here() -> str:
    return {"win32": "Windows", "darwin": "macOS"}.get(sys.platform, "Linux")
