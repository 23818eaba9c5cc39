"""Reusable workflows: finds what a job calls, checks what it hands over, and computes inputs and secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.checks.evaluate import Scope
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.limits import Limits, text_size
from ecluse.checks.matrix import resolve
from ecluse.checks.naming import split_reference
from ecluse.checks.problems import Fault, WorkflowProblem, closest
from ecluse.checks.rights import Rights, default_rights, excess, rights_of
from ecluse.checks.values import text_to_number, to_text
from ecluse.checks.workflow import GITHUB, MAX_FILE_BYTES, Job, Workflow, read
from ecluse.files import read_capped

if TYPE_CHECKING:
    from ecluse.checks.remote import Remote

_UNDECLARED = "Invalid secret, "

_LONGEST = 500
"""Characters of a fault with its place, after which GitHub cuts it."""

Fetch = Callable[[str, str], "tuple[str, bytes] | None"]
"""From a ``uses`` and the path of the workflow that says it: the called file's name and bytes, or nothing."""


def fetch_from(tree: Path, local_actions: Mapping[str, str], remote: Remote | None = None) -> Fetch:
    """Finds called workflows in ``tree``, in the folders that stand for other repositories, and by ``remote``."""

    def fetch(uses: str, caller: str) -> tuple[str, bytes] | None:
        base, name = tree, uses
        origin = split_reference(caller)
        if uses.startswith(("./", "$/")):
            name = uses[2:]
            if origin.ref:  # a path inside another repository's workflow means that repository
                return fetch(f"{origin.repository}/{name}@{origin.ref}", "")
            shown = name
        else:
            named = split_reference(uses)
            name, stand_in = named.path, f"{named.name}@{named.ref}"
            if stand_in not in local_actions:
                data = remote.read(named.repository, named.ref, name) if remote is not None else None
                return None if data is None else (uses, data)
            base, shown = Path(local_actions[stand_in]), uses
        path = (base / name).resolve()
        if not path.is_relative_to(base.resolve()) or not path.is_file():
            raise FileNotFoundError(name)
        return shown, read_capped(path, MAX_FILE_BYTES)

    return fetch


def link(workflow: Workflow, fetch: Fetch, *, strict: bool = True, limits: Limits = GITHUB) -> Workflow:
    """``workflow`` with every job that calls another one joined to what it calls, at any depth.

    Raises :class:`WorkflowProblem` with all faults of the calls and of the called files. What ``fetch`` does not
    have stays open; such a job says when it runs that it cannot. Without ``strict`` a secret that the called
    workflow does not declare is a warning: nothing here can go wrong by it.
    """
    if not any(job.calls for job in workflow.jobs):
        return workflow
    faults: list[Fault] = []
    rights = rights_of(workflow.permissions)
    allowed = default_rights(limits.permissions) if rights is None else rights
    linking = _Linking(fetch, limits, faults, files={workflow.path}, size=text_size(workflow.path) + workflow.size)
    linked = _link(workflow, linking, (workflow.path,), allowed)
    if (count := count_jobs(linked)) > limits.jobs and not faults:
        told = f"The workflow may not contain more than {limits.jobs} jobs"
        faults.append(Fault("", 0, 0, told, f"{workflow.path} comes to {count}"))
    warnings = () if strict else tuple(fault for fault in faults if fault.message.startswith(_UNDECLARED))
    faults = [fault for fault in faults if fault not in warnings]
    if faults:
        raise WorkflowProblem(faults)
    return replace(linked, warnings=(*linked.warnings, *warnings))


@dataclass(slots=True)
class _Linking:
    """What is found while calls are followed down: ``files`` are those read, ``size`` what they come to together."""

    fetch: Fetch
    limits: Limits
    faults: list[Fault]
    files: set[str]
    size: int

    def add(self, called: Workflow) -> str:
        """Count one more call of ``called``; returns what GitHub says of it when that is too much."""
        self.size += called.size + (0 if called.path in self.files else text_size(called.path))
        self.files.add(called.path)
        if len(self.files) > self.limits.files:
            return f"The maximum file count of {self.limits.files} has been exceeded"
        return "Maximum object size exceeded" if self.size > self.limits.size else ""


def count_jobs(workflow: Workflow) -> int:
    """How many jobs a workflow stands for: its own, calls among them, and those of the workflows it calls."""
    return sum(1 + (count_jobs(job.target) if job.target is not None else 0) for job in workflow.jobs)


def _link(workflow: Workflow, linking: _Linking, above: tuple[str, ...], allowed: Rights | None) -> Workflow:
    jobs = []
    for job in workflow.jobs:
        if job.calls:
            own = allowed if job.permissions is None else rights_of(job.permissions)
            job = replace(job, target=_target(workflow.path, job, linking, above, own))
        jobs.append(job)
    return replace(workflow, jobs=tuple(jobs))


def _target(path: str, job: Job, linking: _Linking, above: tuple[str, ...], allowed: Rights | None) -> Workflow | None:
    faults, limits = linking.faults, linking.limits
    line, column = job.places.get("uses", (job.line, job.column))
    try:
        found = linking.fetch(job.calls, path)
    except FileNotFoundError as error:
        faults.append(Fault(path, line, column, f"There is no workflow {error} to call", "check the path after uses:"))
        return None
    if found is None:
        return None
    name, data = found
    if name in above:
        chain = " -> ".join((*above, name))
        faults.append(Fault(path, line, column, f"Workflows call one another without end: {chain}"))
        return None
    if len(above) > limits.calls:
        told = f"Nested reusable workflow depth exceeded {limits.calls}."
        faults.append(Fault("", 0, 0, told, " -> ".join((*above, name))))
        return None
    try:
        called = read(data, name, limits)
    except WorkflowProblem as problem:
        faults += problem.faults
        return None
    if "workflow_call" not in called.triggers:
        message = f"{name} is not reusable as it is missing a `on.workflow_call` trigger"
        faults.append(Fault(path, line, column, message, "add workflow_call: below its on:"))
        return None
    if excessive := linking.add(called):
        faults.append(Fault(path, line, column, f"Error from called workflow {name}: {excessive}"))
        return None
    _check_handed(path, job, called, faults)
    if allowed is not None:
        room = _LONGEST - len(f"{path} (Line: {job.line}, Col: {job.column}): ")
        for text in excess(job.calls, called, allowed):
            text = text if len(text) <= room else f"{text[:room]}[...]"
            faults.append(Fault(path, job.line, job.column, text))
    inner = allowed if called.permissions is None else rights_of(called.permissions)
    return _link(called, linking, (*above, name), inner)


def _declared(called: Workflow, kind: str) -> dict[str, dict[str, Any]]:
    rules = called.triggers["workflow_call"].get(kind) or {}
    return {name: rule or {} for name, rule in rules.items()}


def _check_handed(path: str, job: Job, called: Workflow, faults: list[Fault]) -> None:
    """Note inputs and secrets that are missing, not declared, or of the wrong kind."""
    line, column = job.places.get("uses", (job.line, job.column))
    wanted = _declared(called, "inputs")
    given = {name.lower(): (name, value) for name, value in job.inputs.items()}
    for name, rule in wanted.items():
        if rule.get("required") and "default" not in rule and name.lower() not in given:
            message = f"Input {name} is required, but not provided while calling."
            faults.append(Fault(path, line, column, message, f"add {name}: below with:"))
    known = {name.lower(): rule for name, rule in wanted.items()}
    for name, value in given.values():
        place = job.places.get(f"with.{name}", (line, column))
        if name.lower() not in known:
            message = f"Invalid input, {name} is not defined in the referenced workflow."
            faults.append(Fault(path, *place, message, closest(name, sorted(wanted))))
        elif not _may_be(value, known[name.lower()].get("type", "string")):
            faults.append(Fault(path, *place, f"Unexpected value '{to_text(value)}'"))
    _check_secrets(path, job, called, faults)


def _check_secrets(path: str, job: Job, called: Workflow, faults: list[Fault]) -> None:
    if job.secrets == "inherit":
        return
    line, column = job.places.get("uses", (job.line, job.column))
    wanted = _declared(called, "secrets")
    given = job.secrets if isinstance(job.secrets, dict) else {}
    lowered = {name.lower() for name in given}
    for name, rule in wanted.items():
        if rule.get("required") and name.lower() not in lowered:
            message = f"Secret {name} is required, but not provided while calling."
            faults.append(Fault(path, line, column, message, f"add {name}: below secrets:, or write secrets: inherit"))
    for name in given:
        if name.lower() not in {one.lower() for one in wanted}:
            place = job.places.get(f"secrets.{name}", (line, column))
            message = f"{_UNDECLARED}{name} is not defined in the referenced workflow."
            faults.append(Fault(path, *place, message, closest(name, sorted(wanted))))


def _may_be(value: Any, kind: str) -> bool:
    """Whether a value as written can be of a kind; an expression can be of any."""
    if isinstance(value, str) and "${{" in value:
        return True
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return True


def inputs_of(job: Job, called: Workflow, scope: Scope) -> dict[str, Any]:
    """The ``inputs`` context of a called workflow: what the job hands over, else defaults, each of its kind.

    Raises :class:`ExpressionProblem` when a computed value does not fit its kind.
    """
    given = {name.lower(): resolve(value, scope) for name, value in job.inputs.items()}
    inside = scope.with_contexts(inputs={}, needs={}, matrix=None, strategy=None)
    found: dict[str, Any] = {}
    for name, rule in _declared(called, "inputs").items():
        kind = rule.get("type", "string")
        value = given.get(name.lower())
        if name.lower() not in given:
            value = resolve(rule.get("default"), inside)
        found[name] = _typed(name, value, kind, called.path)
    return found


def _typed(name: str, value: Any, kind: str, path: str) -> Any:
    if value is None:
        return {"boolean": False, "number": 0}.get(kind, "")
    text = to_text(value)
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ExpressionProblem("evaluation", f"The input '{name}' of {path} is '{text}', and must be a boolean")
        return text == "true"
    if kind == "number":
        number = text_to_number(text)
        if number != number:
            raise ExpressionProblem("evaluation", f"The input '{name}' of {path} is '{text}', and must be a number")
        return number
    return text


def secrets_of(job: Job, scope: Scope) -> dict[str, str]:
    """The secrets that a called workflow gets: all of them, those named, and always ``GITHUB_TOKEN``."""
    held = scope.contexts.get("secrets")
    held = held if isinstance(held, dict) else {}
    if job.secrets == "inherit":
        return dict(held)
    given = job.secrets if isinstance(job.secrets, dict) else {}
    token = {"GITHUB_TOKEN": held["GITHUB_TOKEN"]} if "GITHUB_TOKEN" in held else {}
    return {**token, **{name: to_text(resolve(value, scope)) for name, value in given.items()}}


def outputs_of(called: Workflow, scope: Scope, jobs: dict[str, Any]) -> dict[str, str]:
    """The outputs that a called workflow declares, from those of its ``jobs``. Raises :class:`ExpressionProblem`."""
    inside = scope.with_contexts(jobs=jobs)
    return {name: to_text(resolve(rule.get("value"), inside)) for name, rule in _declared(called, "outputs").items()}
