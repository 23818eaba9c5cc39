"""A workflow file as data: read, checked whole, with the line of every job and step.

Texts keep their ``${{ }}``; they are computed when a job or step starts.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecluse.checks import semantics
from ecluse.checks.grammar import EVENTS, RULES
from ecluse.checks.limits import Limits, depth_of, size_of, text_size
from ecluse.checks.naming import split_reference
from ecluse.checks.problems import Fault, Faults, WorkflowProblem
from ecluse.checks.references import hints
from ecluse.checks.schema import Checker
from ecluse.checks.values import to_text
from ecluse.files import read_capped
from ecluse.yaml12 import Mapping, Node, Scalar, Sequence, YamlProblem, parse, plain

MAX_FILE_BYTES = 1 << 20
GITHUB = Limits()


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``uses`` or ``run`` is set; ``other`` names another kind of step (``wait``, ``parallel``, ...).

    ``targets`` are the ids that a ``wait`` or ``cancel`` names, ``children`` the steps of a ``parallel``. ``action`` is
    what ``github.action`` says while it runs: its id, or a name made from what it does.
    """

    number: int
    id: str
    line: int
    column: int
    name: str = ""
    condition: str = ""
    run: str = ""
    uses: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    env: Any = None
    shell: str = ""
    folder: str = ""
    continue_on_error: Any = False
    timeout_minutes: Any = None
    background: bool = False
    other: str = ""
    targets: tuple[str, ...] = ()
    children: tuple[Step, ...] = ()
    action: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job as written. ``calls`` is the reusable workflow it stands for, when it has no steps of its own.

    ``target`` is that workflow once it was found; ``places`` are the lines and columns of what is handed to it.
    """

    id: str
    line: int
    column: int
    name: str = ""
    needs: tuple[str, ...] = ()
    condition: str = ""
    runs_on: Any = None
    strategy: dict[str, Any] = field(default_factory=dict)
    env: Any = None
    shell: str = ""
    folder: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    continue_on_error: Any = False
    timeout_minutes: Any = None
    cancel_timeout_minutes: Any = None
    container: Any = None
    services: Any = None
    environment: Any = None
    permissions: Any = None
    concurrency: Any = None
    calls: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    secrets: Any = None
    steps: tuple[Step, ...] = ()
    target: Workflow | None = None
    places: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow file. ``path`` is relative to the tree; ``triggers`` maps events to their filters.

    ``warnings`` are faults that GitHub would not let pass and that do no harm here; ``hints`` are expressions that name
    what is not there, which GitHub lets pass.
    """

    path: str
    name: str
    triggers: dict[str, dict[str, Any]]
    jobs: tuple[Job, ...]
    run_name: str = ""
    env: Any = None
    shell: str = ""
    folder: str = ""
    permissions: Any = None
    concurrency: Any = None
    warnings: tuple[Fault, ...] = ()
    hints: tuple[Fault, ...] = ()
    size: int = 0

    def job(self, name: str) -> Job:
        """The job with the id ``name``. Raises ``KeyError``."""
        for job in self.jobs:
            if job.id == name:
                return job
        raise KeyError(name)


def load(tree: Path, path: str) -> Workflow:
    """The workflow file ``path`` of ``tree``. Raises :class:`WorkflowProblem` with everything wrong in it."""
    return read(read_capped(tree / path, MAX_FILE_BYTES), path)


def read(data: bytes | str, path: str, limits: Limits = GITHUB) -> Workflow:
    """The workflow in ``data``; ``path`` is for messages. Raises :class:`WorkflowProblem`."""
    if len(data) > limits.characters:
        told = f"The maximum file size of {limits.characters} characters has been exceeded"
        raise WorkflowProblem([Fault(path, 0, 0, told)])
    try:
        document = parse(data)
    except YamlProblem as problem:
        raise WorkflowProblem([Fault(path, problem.line, problem.column, problem.text)]) from problem
    if depth_of(document) > limits.depth:
        raise WorkflowProblem([Fault(path, 0, 0, "Maximum object depth exceeded")])
    size = size_of(document)
    if text_size(path) + size > limits.size:
        raise WorkflowProblem([Fault(path, 0, 0, "Maximum object size exceeded")])
    faults = Faults(path)
    Checker(RULES, faults).check(document, "workflow")
    if isinstance(document, Mapping):
        semantics.check(document, faults)
    if faults.found or not isinstance(document, Mapping):
        raise WorkflowProblem(faults.found)
    warnings = semantics.tolerated(document, path)
    return replace(_workflow(document, path), hints=hints(document, path), warnings=warnings, size=size)


def read_triggers(data: bytes | str, path: str) -> dict[str, dict[str, Any]]:
    """Only the triggers of a workflow, for choosing files; a wrong ``on`` raises :class:`WorkflowProblem`."""
    try:
        document = parse(data)
    except YamlProblem as problem:
        raise WorkflowProblem([Fault(path, problem.line, problem.column, problem.text)]) from problem
    node = document.get("on") if isinstance(document, Mapping) else None
    faults = Faults(path)
    if node is None:
        faults.add(document, "Required property is missing: on")
    else:
        Checker(RULES, faults).check(node, "on")
    if faults.found:
        raise WorkflowProblem(faults.found)
    return _triggers(plain(node)) if node is not None else {}


def _triggers(value: Any) -> dict[str, dict[str, Any]]:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, list):
        return {name: {} for name in value}
    found: dict[str, dict[str, Any]] = {}
    for name, filters in value.items():
        if name in EVENTS:
            found[name] = {"entries": filters} if isinstance(filters, list) else dict(filters or {})
    return found


def _workflow(document: Mapping, path: str) -> Workflow:
    top = plain(document)
    defaults = (top.get("defaults") or {}).get("run") or {}
    jobs = document.get("jobs")
    assert isinstance(jobs, Mapping)  # noqa: S101 - the rules were checked before
    return Workflow(
        path=path,
        name=to_text(top.get("name")) or path,
        run_name=to_text(top.get("run-name")),
        triggers=_triggers(top["on"]),
        env=top.get("env"),
        shell=to_text(defaults.get("shell")),
        folder=to_text(defaults.get("working-directory")),
        permissions=top.get("permissions"),
        concurrency=top.get("concurrency"),
        jobs=tuple(_job(key, job, [name.text for name, _ in jobs.entries]) for key, job in jobs.entries),
    )


def _job(key: Scalar, node: Node, known: list[str]) -> Job:
    raw: dict[str, Any] = plain(node)
    defaults = (raw.get("defaults") or {}).get("run") or {}
    needs = raw.get("needs") or ()
    wanted = [str(name).lower() for name in ([needs] if not isinstance(needs, list | tuple) else needs)]
    steps = node.get("steps") if isinstance(node, Mapping) else None
    strategy = raw.get("strategy")
    return Job(
        id=key.text,
        line=key.line,
        column=key.column,
        name=to_text(raw.get("name")),
        needs=tuple(name for name in known if name.lower() in wanted),
        condition=to_text(raw.get("if")),
        runs_on=raw.get("runs-on"),
        strategy=strategy if isinstance(strategy, dict) else {"": strategy} if strategy else {},
        env=raw.get("env"),
        shell=to_text(defaults.get("shell")),
        folder=to_text(defaults.get("working-directory")),
        outputs=raw.get("outputs") or {},
        continue_on_error=raw.get("continue-on-error", False),
        timeout_minutes=raw.get("timeout-minutes"),
        cancel_timeout_minutes=raw.get("cancel-timeout-minutes"),
        container=raw.get("container"),
        services=raw.get("services"),
        environment=raw.get("environment"),
        permissions=raw.get("permissions"),
        concurrency=raw.get("concurrency"),
        calls=to_text(raw.get("uses")),
        inputs=raw.get("with") or {},
        secrets=raw.get("secrets"),
        steps=read_steps(steps),
        places=_places(node) if "uses" in raw else {},
    )


def _places(job: Node) -> dict[str, tuple[int, int]]:
    """Where a calling job's ``uses`` and the values below ``with`` and ``secrets`` stand."""
    found = {}
    for key, value in job.entries if isinstance(job, Mapping) else ():
        if key.text == "uses":
            found["uses"] = (value.line, value.column)
        elif key.text in ("with", "secrets") and isinstance(value, Mapping):
            for name, item in value.entries:
                found[f"{key.text}.{name.text}"] = (item.line, item.column)
    return found


def read_steps(node: Node | None) -> tuple[Step, ...]:
    """The steps of a checked ``steps:`` list, numbered from 1; also of a composite action."""
    if not isinstance(node, Sequence):
        return ()
    numbers = itertools.count(1)
    taken: dict[str, int] = {}
    return tuple(_step(numbers, taken, item) for item in node.items)


def _action_name(uses: str, other: str, taken: dict[str, int]) -> str:
    """The name of a step without an id, in GitHub's form: ``__run``, ``__actions_checkout``, ``__run_2``."""
    if uses.startswith(("./", ".\\", "$/")):
        base = "self"
    elif uses.startswith("docker://"):
        base = uses.removeprefix("docker://")
    else:
        base = split_reference(uses).name or other or "run"
    name = "__" + re.sub(r"[^A-Za-z0-9_-]", "_", base)
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}_{taken[name]}"


def _step(numbers: Iterator[int], taken: dict[str, int], node: Node) -> Step:
    number = next(numbers)
    raw: dict[str, Any] = plain(node)
    other = next((kind for kind in ("wait", "wait-all", "cancel", "parallel") if kind in raw), "")
    inner = node.get("parallel") if isinstance(node, Mapping) else None
    named = raw[other] if other and other != "parallel" else []
    return Step(
        number=number,
        id=to_text(raw.get("id")),
        line=node.line,
        column=node.column,
        name=to_text(raw.get("name")),
        condition=to_text(raw.get("if")),
        run=to_text(raw.get("run")),
        uses=to_text(raw.get("uses")),
        inputs=raw.get("with") or {},
        env=raw.get("env"),
        shell=to_text(raw.get("shell")),
        folder=to_text(raw.get("working-directory")),
        continue_on_error=raw.get("continue-on-error", False),
        timeout_minutes=raw.get("timeout-minutes"),
        background=bool(raw.get("background")),
        other=other,
        targets=tuple(to_text(one) for one in (named if isinstance(named, list) else [named])) if other else (),
        children=tuple(_step(numbers, taken, item) for item in inner.items) if isinstance(inner, Sequence) else (),
        action=to_text(raw.get("id")) or _action_name(to_text(raw.get("uses")), other, taken),
    )
