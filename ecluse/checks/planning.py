"""What a run would do: workflows read whole, jobs in the order of their needs, combinations unfolded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecluse.checks.calls import fetch_from, inputs_of, link
from ecluse.checks.contexts import event_payload, github_context
from ecluse.checks.evaluate import Scope
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.grammar import EVENTS
from ecluse.checks.inputs import check_given, dispatch_inputs
from ecluse.checks.labels import Placement, check_platforms, place_labels
from ecluse.checks.matrix import display_name, expand, names_context, resolve
from ecluse.checks.naming import split_reference
from ecluse.checks.problems import Fault, WorkflowProblem, closest
from ecluse.checks.remote import Remote
from ecluse.checks.request import RunRequest
from ecluse.checks.rights import Rights, rights_of
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
    """One job to be. ``reason`` says why it cannot run here, ``note`` what is unlike GitHub when it does.

    ``open_matrix`` says that its needs decide the matrix. ``permissions`` are those of its token on GitHub, and
    ``environment`` the name of the deployment environment, as written.
    """

    id: str
    name: str
    workflow: str
    needs: tuple[str, ...] = ()
    matrix: dict[str, Any] = field(default_factory=dict)
    condition: str = ""
    steps: tuple[PlannedStep, ...] = ()
    reason: str = ""
    note: str = ""
    open_matrix: bool = False
    permissions: Rights | None = None
    environment: str = ""


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
    from ecluse.checks.choosing import cut, narrow

    workflows = load_workflows(tree, request)
    return cut(plan_workflows(workflows, narrow(workflows, request)), workflows, request)


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
    payload = event_payload(request, workflow)
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
    check_platforms(request.platforms)
    if request.event not in EVENTS:
        near = closest(request.event, sorted(EVENTS))
        raise Invalid(
            "workflow.event_unknown",
            f"There is no event '{request.event}'" + (f" ({near})." if near else "."),
            "name one that GitHub has, for example: ecluse run --event pull_request",
        )
    if request.workflows:
        paths = resolve_paths(tree, request.workflows, request.event)
    else:
        action = str(request.event_payload.get("action") or "")
        paths = select(tree, event=request.event, branch=request.branch, changed=request.changed, action=action)
    if not paths:
        raise _nothing_to_run(tree, request)
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
    check_given(found, request)
    _check_matrix_keys(found, request)
    return tuple(found)


def _nothing_to_run(tree: Path, request: RunRequest) -> Invalid:
    where = request.workflows or (FOLDER,)
    known = [path for folder in where for path in list_workflows(tree, folder)]
    if not known:
        told = f"There is no workflow in {', '.join(where)}."
        return Invalid("workflow.none", told, f"write one to {FOLDER}/ci.yml, or name its folder")
    return Invalid(
        "workflow.none",
        f"No workflow of {', '.join(where)} is started by the event '{request.event}'"
        + ("." if request.workflows else f" on {request.branch}."),
        f"name a file, for example: ecluse run {known[0]}",
    )


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


def _check_matrix_keys(workflows: Sequence[Workflow], request: RunRequest) -> None:
    """Refuse a ``--matrix`` key that no job has, where the keys are written down and not computed."""
    known: set[str] = set()
    for job in (job for workflow in workflows for job in _all_jobs(workflow)):
        matrix = job.strategy.get("matrix", job.strategy.get(""))
        parts = [matrix, *_included(matrix)]
        if any(isinstance(part, str) for part in parts):
            return
        known |= {key for part in parts if isinstance(part, dict) for key in part}
    for key in request.matrix:
        if key not in known - {"include", "exclude"}:
            near = closest(key, sorted(known - {"include", "exclude"}))
            raise Invalid(
                "workflow.matrix_unknown",
                f"No job has the matrix key '{key}'" + (f" ({near})." if near else "."),
                "list the combinations with: ecluse run --dry-run",
            )
    for key, wanted in request.matrix.items():
        values = _written_values(workflows, key)
        if values and not values & set(wanted):
            near = closest(wanted[0], sorted(values))
            raise Invalid(
                "workflow.matrix_unknown",
                f"No combination has {key}: {', '.join(wanted)}" + (f" ({near})." if near else "."),
                "list the combinations with: ecluse run --dry-run",
            )


def _written_values(workflows: Sequence[Workflow], key: str) -> set[str]:
    """The values that a matrix key has in any job, as texts; none where one of them is computed."""
    found: set[str] = set()
    for job in (job for workflow in workflows for job in _all_jobs(workflow)):
        matrix = job.strategy.get("matrix", job.strategy.get(""))
        for part in (matrix, *_included(matrix)):
            values = part.get(key) if isinstance(part, dict) else None
            for value in values if isinstance(values, list) else [] if values is None else [values]:
                if isinstance(value, list | dict) or "${{" in to_text(value):
                    return set()
                found.add(to_text(value))
    return found


def _all_jobs(workflow: Workflow) -> list[Job]:
    """The jobs of a workflow and of those it calls."""
    inner = [job for caller in workflow.jobs if caller.target is not None for job in _all_jobs(caller.target)]
    return [*workflow.jobs, *inner]


def _included(matrix: Any) -> list[Any]:
    more = matrix.get("include") if isinstance(matrix, dict) else None
    return more if isinstance(more, list) else [more] if more else []


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


def _planned(
    workflow: Workflow, job: Job, scope: Scope, request: RunRequest, *, has_open_inputs: bool = False
) -> list[PlannedJob]:
    raw = job.strategy.get("matrix", job.strategy.get(""))
    is_open = (bool(job.needs) and names_context(raw, "needs")) or (has_open_inputs and names_context(raw, "inputs"))
    combinations = [{}] if is_open or "" in job.strategy else expand(resolve(raw, scope), request.matrix)
    made = []
    for combination in combinations:
        inner = scope.with_contexts(matrix=combination, strategy={})
        if job.target is not None:
            made += _planned_call(job, job.target, combination, inner, request)
            continue
        placed = placement(job, inner, request)
        made.append(
            PlannedJob(
                id=job.id,
                name=display_name(job.name or job.id, combination, inner),
                workflow=workflow.path,
                needs=job.needs,
                matrix=combination,
                condition=job.condition,
                steps=tuple(PlannedStep(step.number, step.id, step_title(step), step.uses) for step in job.steps),
                reason=placed.reason if placed.choice != "here" else "",
                note=placed.reason if placed.choice == "here" else "",
                open_matrix=is_open,
                permissions=permissions_of(workflow, job),
                environment=environment_name(job),
            )
        )
    return made


def _planned_call(
    job: Job, target: Workflow, combination: dict[str, Any], scope: Scope, request: RunRequest
) -> list[PlannedJob]:
    """The jobs of a called workflow, named after the calling one; those without needs wait for what it needs."""
    title = display_name(job.name or job.id, combination, scope)
    unknown = {name for name, value in job.inputs.items() if job.needs and names_context(value, "needs")}
    known = {name: value for name, value in job.inputs.items() if name not in unknown}
    inputs = inputs_of(replace(job, inputs=known), target, scope) | dict.fromkeys(unknown)
    inside = scope.with_contexts(inputs=inputs, needs={}, matrix=None)
    found = []
    for inner in chosen_jobs(target, replace(request, jobs=())):
        for planned in _planned(target, inner, inside, request, has_open_inputs=bool(unknown)):
            name, needs = f"{title} / {planned.name}", planned.needs or job.needs
            found.append(replace(planned, name=name, needs=needs, condition=planned.condition or job.condition))
    return found


def permissions_of(workflow: Workflow, job: Job) -> Rights | None:
    """What a job's token may do on GitHub, as the job, else its workflow says; ``None`` when neither does."""
    return rights_of(workflow.permissions if job.permissions is None else job.permissions)


def environment_name(job: Job) -> str:
    """The deployment environment a job names, as written."""
    written = job.environment.get("name") if isinstance(job.environment, dict) else job.environment
    return to_text(written)


_KINDS = {"wait": "Wait", "wait-all": "Wait for all", "cancel": "Cancel", "parallel": "Run in parallel"}


def step_title(step: Step) -> str:
    """A step's name as GitHub shows it: the given one, else what it runs."""
    if step.name:
        return step.name
    if step.uses:
        return f"Run {step.uses}"
    first = next((line.strip() for line in step.run.splitlines() if line.strip()), "")
    return f"Run {first}" if step.run else _KINDS.get(step.other, "step")


def placement(job: Job, scope: Scope, request: RunRequest) -> Placement:
    """Whether this job can run on this machine; when not, why and what to do about it."""
    if job.calls and job.target is None:
        named = split_reference(job.calls)
        return Placement(
            "fail",
            f"calls the reusable workflow {job.calls} of another repository, which is not fetched here: "
            f"give a folder with it by --local-action {named.name}@{named.ref}=DIR",
        )
    if job.target is not None:
        return Placement()
    placed = place_labels(resolve(job.runs_on, scope), request.platforms)
    if placed.choice != "here":
        return placed
    services = _images(resolve(job.services, scope))
    if services:
        return Placement(
            "fail",
            f"needs the service containers {', '.join(services)}: no container engine is used here; "
            "start what they offer in a step instead",
        )
    for image in _images({"": resolve(job.container, scope)}).values():
        said = f"runs in the container {image}: no container engine is used here; remove `container:` to run directly"
        return Placement("fail", said)
    return placed


def _images(containers: Any) -> dict[str, str]:
    """Names and images of containers; GitHub leaves out those whose image is empty."""
    found = {}
    for name, container in containers.items() if isinstance(containers, dict) else ():
        image = to_text(container.get("image") if isinstance(container, dict) else container)
        if image.removeprefix("docker://"):
            found[name] = image
    return found
