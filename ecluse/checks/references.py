"""Expressions that name what is not there (a step, a need, a matrix key, an input), and calls that cannot succeed.

GitHub computes the former to nothing and goes on, and fails on the latter only where they are computed, so neither is a
fault; but they are hardly ever meant. The hints go into the report, each with its place and the nearest name that exists.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecluse.checks import expression
from ecluse.checks.evaluate import HOLE, Scope, compute
from ecluse.checks.expression import Call, Context, ExpressionProblem, Index, Literal
from ecluse.checks.problems import Fault, Faults, closest
from ecluse.checks.values import to_text
from ecluse.yaml12 import Mapping, Node, Scalar, Sequence

_EVENTS_WITH_INPUTS = ("workflow_dispatch", "workflow_call")


def hints(document: Mapping, path: str) -> tuple[Fault, ...]:
    """What the expressions of a workflow name in vain."""
    found = Faults(path)
    jobs = document.get("jobs")
    known_inputs = _inputs(document.get("on"))
    for scalar, source in _expressions(document):
        _look(scalar, source, {"inputs": known_inputs}, found)
    for _, job in jobs.entries if isinstance(jobs, Mapping) else ():
        if isinstance(job, Mapping):
            _look_at_job(job, found)
    return tuple(dict.fromkeys(found.found))


def _look_at_job(job: Mapping, found: Faults) -> None:
    known: dict[str, set[str] | None] = {
        "needs": set(_texts(job.get("needs"))),
        "matrix": _matrix_keys(job.get("strategy")),
        "steps": {step.text for step in _step_ids(job.get("steps"))},
    }
    for scalar, source in _expressions(job):
        _look(scalar, source, known, found)


def _look(scalar: Scalar, source: str, known: dict[str, set[str] | None], found: Faults) -> None:
    try:
        tree = expression.parse(source)
    except ExpressionProblem:
        return  # told as a fault already
    for node in expression.walk(tree):
        if isinstance(node, Call):
            _look_at_call(scalar, node, found)
        if not isinstance(node, Index) or not isinstance(node.target, Context) or not isinstance(node.index, Literal):
            continue
        names, wanted = known.get(node.target.name), node.index.value
        if names is None or not isinstance(wanted, str) or wanted.lower() in {name.lower() for name in names}:
            continue
        kind = {"needs": "need", "matrix": "matrix key", "steps": "step with the id", "inputs": "input"}
        message = f"There is no {kind[node.target.name]} '{wanted}' here, so {node.target.name}.{wanted} is empty"
        found.add(scalar, message, closest(wanted, sorted(names)))


def _look_at_call(scalar: Scalar, call: Call, found: Faults) -> None:
    """Note a text of ``format`` or ``fromJSON`` that does not go with the call, where it is written down."""
    name, first = call.name.lower(), call.arguments[0] if call.arguments else None
    if name not in ("format", "fromjson") or not isinstance(first, Literal):
        return
    try:
        compute(Call(call.name, (first, *(Literal("") for _ in call.arguments[1:]))), Scope({}))
    except ExpressionProblem as problem:
        found.add(scalar, problem.message)
        return
    used = {int(hole[1]) for hole in HOLE.finditer(to_text(first.value)) if hole[1]}
    for number in range(len(call.arguments) - 1):
        if number not in used:
            found.add(scalar, f"The text of format() has no {{{number}}}, so the value for it is not used")


def _expressions(node: Node, key: str = "") -> Iterator[tuple[Scalar, str]]:
    """Every expression below ``node``, with the text that holds it; an ``if`` is one without ``${{ }}`` too."""
    if isinstance(node, Mapping):
        for name, value in node.entries:
            yield from _expressions(value, name.text)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _expressions(item)
    elif isinstance(node.value, str) and "${{" in node.value:
        try:
            parts = expression.split(node.value)
        except ExpressionProblem:
            return
        yield from ((node, part[0]) for part in parts if isinstance(part, tuple))
    elif key == "if" and isinstance(node.value, str):
        yield node, node.value.strip()


def _inputs(triggers: Node | None) -> set[str] | None:
    """The inputs that any event declares; nothing when none does (a run by hand may still hand over some)."""
    known: set[str] = set()
    for event in _EVENTS_WITH_INPUTS:
        rules = triggers.get(event) if isinstance(triggers, Mapping) else None
        declared = rules.get("inputs") if isinstance(rules, Mapping) else None
        known |= {key.text for key, _ in declared.entries} if isinstance(declared, Mapping) else set()
    return known or None


def _matrix_keys(strategy: Node | None) -> set[str] | None:
    """The keys of a matrix that is written down; ``None`` when an expression makes it."""
    matrix = strategy.get("matrix") if isinstance(strategy, Mapping) else None
    if strategy is None:
        return set()
    if not isinstance(matrix, Mapping):
        return None
    known = {key.text for key, _ in matrix.entries} - {"include", "exclude"}
    include = matrix.get("include")
    for item in include.items if isinstance(include, Sequence) else ():
        if not isinstance(item, Mapping):
            return None
        known |= {key.text for key, _ in item.entries}
    is_computed = isinstance(include, Scalar) or any("${{" in name for name in known)
    return None if is_computed else known


def _step_ids(steps: Node | None) -> Iterator[Scalar]:
    for step in steps.items if isinstance(steps, Sequence) else ():
        if isinstance(step, Mapping):
            identifier = step.get("id")
            if isinstance(identifier, Scalar):
                yield identifier
            yield from _step_ids(step.get("parallel"))


def _texts(node: Node | None) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Sequence):
        yield from (item.text for item in node.items if isinstance(item, Scalar))
