"""A workflow file as data: read, checked whole, with the line of every job and step.

Texts keep their ``${{ }}``; they are computed when a job or step starts.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecluse.checks.grammar import EVENTS, RULES
from ecluse.checks.limits import Limits, depth_of
from ecluse.checks.problems import Fault, Faults, WorkflowProblem, closest
from ecluse.checks.schedule import is_cron
from ecluse.checks.schema import Checker
from ecluse.checks.values import to_text
from ecluse.files import read_capped
from ecluse.yaml12 import Mapping, Node, Scalar, Sequence, YamlProblem, parse, plain

MAX_FILE_BYTES = 1 << 20
GITHUB = Limits()
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}\Z")


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

    ``warnings`` are faults that GitHub would not let pass and that do no harm here.
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
    try:
        document = parse(data)
    except YamlProblem as problem:
        raise WorkflowProblem([Fault(path, problem.line, problem.column, problem.text)]) from problem
    if depth_of(document) > limits.depth:
        raise WorkflowProblem([Fault(path, 0, 0, "Maximum object depth exceeded")])
    faults = Faults(path)
    Checker(RULES, faults).check(document, "workflow")
    if isinstance(document, Mapping):
        _check_filters(document.get("on"), faults)
        _check_schedule(document.get("on"), faults)
        _check_jobs(document, faults)
    if faults.found or not isinstance(document, Mapping):
        raise WorkflowProblem(faults.found)
    return _workflow(document, path)


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


def _check_filters(triggers: Node | None, faults: Faults) -> None:
    """A filter and its ``-ignore`` form exclude each other."""
    for _, event in triggers.entries if isinstance(triggers, Mapping) else ():
        for kind in ("branches", "tags", "paths"):
            both = isinstance(event, Mapping) and event.get(kind) is not None and f"{kind}-ignore"
            entries = event.entries if isinstance(event, Mapping) and both else ()
            place = next((key for key, _ in entries if key.text == both), None)
            if place is not None:
                hint = f"write the ignored ones as '!...' below {kind}"
                faults.add(place, f"you may only define one of `{kind}` and `{kind}-ignore` for a single event", hint)


def _check_schedule(triggers: Node | None, faults: Faults) -> None:
    times = triggers.get("schedule") if isinstance(triggers, Mapping) else None
    for entry in times.items if isinstance(times, Sequence) else ():
        cron = entry.get("cron") if isinstance(entry, Mapping) else None
        if isinstance(cron, Scalar) and cron.text and not is_cron(cron.text):
            faults.add(cron, "Invalid cron expression. Expected format: '* * * * *' (minute hour day month weekday)")


def _check_jobs(document: Mapping, faults: Faults) -> None:
    """What the rules cannot say: identifiers, references between jobs, the form of ``uses``."""
    jobs = document.get("jobs")
    if not isinstance(jobs, Mapping):
        return
    known = {key.text for key, _ in jobs.entries}
    lowered = {name.lower() for name in known}
    starts = False
    for key, job in jobs.entries:
        _check_identifier(key, faults)
        if not isinstance(job, Mapping):
            continue
        needs = list(_texts(job.get("needs")))
        starts = starts or not needs
        for need in needs:
            if need.text.lower() not in lowered:
                message = f"Job '{key.text}' depends on unknown job '{need.text}'."
                faults.add(need, message, closest(need.text, sorted(known - {key.text})))
        _check_group(job.get("runs-on"), faults)
        _check_steps(job.get("steps"), faults)
        _check_matrix(job.get("strategy"), faults)
    if not starts:
        place = jobs.entries[0][0] if jobs.entries else jobs
        faults.add(place, "The workflow must contain at least one job with no dependencies.")
    elif not faults.found:
        _check_cycles(jobs, faults)


def _check_group(runs_on: Node | None, faults: Faults) -> None:
    """A runner group is a name, or one of an organization or enterprise behind its prefix."""
    group = runs_on.get("group") if isinstance(runs_on, Mapping) else None
    if not isinstance(group, Scalar) or "/" not in group.text or "${{" in group.text:
        return
    prefix, _, name = group.text.partition("/")
    if not name:
        faults.add(group, f"Invalid runs-on group name '{group.text}'.")
    elif prefix.lower() not in ("org", "organization", "ent", "enterprise") or "/" in name:
        faults.add(
            group,
            f"Invalid runs-on group name '{group.text}'. "
            "Please use 'organization/' or 'enterprise/' prefix to target a single runner group.",
        )


def _check_identifier(node: Scalar, faults: Faults) -> None:
    if node.text.startswith("__"):
        faults.add(node, f"The identifier '{node.text}' is invalid. IDs starting with '__' are reserved.")
    elif not _IDENTIFIER.match(node.text):
        faults.add(
            node,
            f"The identifier '{node.text}' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. "
            "IDs must start with a letter or '_' and and must be less than 100 characters.",
        )


def _check_steps(steps: Node | None, faults: Faults, seen: set[str] | None = None) -> None:
    if not isinstance(steps, Sequence):
        return
    seen = set() if seen is None else seen
    for step in steps.items:
        if not isinstance(step, Mapping):
            continue
        _check_steps(step.get("parallel"), faults, seen)
        _check_targets(step, seen, faults)
        identifier, uses = step.get("id"), step.get("uses")
        if isinstance(identifier, Scalar) and identifier.text:
            _check_identifier(identifier, faults)
            if identifier.text.lower() in seen:
                faults.add(
                    identifier,
                    f"The identifier '{identifier.text}' may not be used more than once within the same scope.",
                )
            seen.add(identifier.text.lower())
        if isinstance(uses, Scalar) and uses.text:
            _check_uses(uses, faults)


def _check_targets(step: Mapping, earlier: set[str], faults: Faults) -> None:
    """What ``wait`` and ``cancel`` name must be steps before them."""
    own = step.get("id")
    for target in (*_texts(step.get("wait")), *_texts(step.get("cancel"))):
        if target.text.startswith("__"):
            faults.add(target, f"The identifier '{target.text}' is invalid. IDs starting with '__' are reserved.")
        elif isinstance(own, Scalar) and own.text.lower() == target.text.lower():
            faults.add(target, f"Step '{own.text}' cannot reference itself")
        elif target.text.lower() not in earlier:
            hint = closest(target.text, sorted(earlier))
            faults.add(target, f"Step references unknown step ID '{target.text}'", hint)
    every = step.get("wait-all")
    if isinstance(every, Scalar) and every.value is False:
        faults.add(every, "The value of 'wait-all' must be true or omitted")


def _check_uses(uses: Scalar, faults: Faults) -> None:
    text = uses.text
    if text.startswith(("./", ".\\", "docker://", "$/")):
        return
    name, _, ref = text.partition("@")
    if "/" not in name.strip("/") or not ref:
        faults.add(
            uses,
            f"Expected format {{owner}}/{{repo}}[/{{path}}]@{{ref}}. Actual '{text}'",
            "name a version after @" if "/" in name else "",
        )


def _check_matrix(strategy: Node | None, faults: Faults) -> None:
    matrix = strategy.get("matrix") if isinstance(strategy, Mapping) else None
    if not isinstance(matrix, Mapping):
        return
    for key, values in matrix.entries:
        if key.text not in ("include", "exclude") and isinstance(values, Sequence) and not values.items:
            faults.add(values, f"Matrix vector '{key.text}' does not contain any values")


def _check_cycles(jobs: Mapping, faults: Faults) -> None:
    needs = {
        key.text.lower(): [need.text.lower() for need in _texts(job.get("needs"))]
        for key, job in jobs.entries
        if isinstance(job, Mapping)
    }
    done: set[str] = set()
    while ready := [name for name, wanted in needs.items() if name not in done and done.issuperset(wanted)]:
        done.update(ready)
    for key, _ in jobs.entries:
        if key.text.lower() not in done:
            waiting = sorted(set(needs) - done)
            faults.add(key, f"Job '{key.text}' can never start: its needs form a circle ({', '.join(waiting)}).")


def _texts(node: Node | None) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Scalar))


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


def _action_name(uses: str, taken: dict[str, int]) -> str:
    """The name of a step without an id, in GitHub's form: ``__run``, ``__actions_checkout``, ``__run_2``."""
    if uses.startswith(("./", ".\\", "$/")):
        base = "self"
    elif uses.startswith("docker://"):
        base = uses.removeprefix("docker://")
    else:
        base = "/".join(uses.partition("@")[0].split("/")[:2]) or "run"
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
        action=to_text(raw.get("id")) or _action_name(to_text(raw.get("uses")), taken),
    )
