"""Composite actions: steps of their own, with their own inputs, outputs and step results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.evaluate import interpolate
from ecluse.checks.grammar import RULES
from ecluse.checks.problems import Fault, Faults, WorkflowProblem
from ecluse.checks.schema import Checker
from ecluse.checks.values import to_text
from ecluse.checks.workflow import MAX_FILE_BYTES, read_steps
from ecluse.errors import Invalid, Unsupported
from ecluse.files import read_capped
from ecluse.model import Result
from ecluse.yaml12 import Mapping, YamlProblem, parse, plain

MAX_DEPTH = 10


def run_folder(call: ActionCall, folder: Path) -> Outcome:
    """Run the action that lies in ``folder``.

    Raises :class:`Invalid` when there is none or it is wrong, :class:`Unsupported` when it is not a composite one.
    """
    if call.frame.depth >= MAX_DEPTH:
        raise Invalid(
            "checks.action_depth",
            f"Actions use one another more than {MAX_DEPTH} levels deep.",
            "look for an action that uses itself",
        )
    document, raw = _read(call, folder)
    using = to_text((raw.get("runs") or {}).get("using")).lower()
    if using != "composite":
        raise Unsupported(
            "checks.action_kind",
            f"The action {call.step.uses} runs with '{using or 'nothing'}'; only composite actions run here yet.",
            "Rewrite it as a composite action, or call its script in a `run` step.",
        )
    faults = Faults(f"{call.step.uses}/action.yml")
    Checker(RULES, faults).check(document, "action")
    if faults.found:
        raise WorkflowProblem(faults.found)
    return _run(call, folder, document, raw)


def _read(call: ActionCall, folder: Path) -> tuple[Mapping, dict[str, Any]]:
    path = next((folder / name for name in ("action.yml", "action.yaml") if (folder / name).is_file()), None)
    if path is None:
        raise Invalid(
            "checks.action_missing",
            f"There is no action.yml in {call.step.uses}.",
            "Check the path, and that actions/checkout runs before it.",
        )
    try:
        document = parse(read_capped(path, MAX_FILE_BYTES))
    except YamlProblem as problem:
        name = f"{call.step.uses}/{path.name}"
        raise WorkflowProblem([Fault(name, problem.line, problem.column, problem.text)]) from problem
    if not isinstance(document, Mapping):
        raise Invalid("checks.action_wrong", f"{call.step.uses}/{path.name} is not a mapping.", "Correct the file.")
    return document, plain(document)


def _run(call: ActionCall, folder: Path, document: Mapping, raw: dict[str, Any]) -> Outcome:
    from ecluse.checks.session import Frame
    from ecluse.checks.steps import run_steps

    runs = document.get("runs")
    steps = read_steps(runs.get("steps") if isinstance(runs, Mapping) else None)
    frame = Frame(
        inputs=_inputs(call, raw.get("inputs") or {}),
        env=call.frame.env | call.env,
        action_path=str(folder),
        depth=call.frame.depth + 1,
    )
    results = run_steps(call.session, frame, steps)
    scope = call.session.scope(frame)
    for name, rule in (raw.get("outputs") or {}).items():
        call.outputs[name] = interpolate(to_text((rule or {}).get("value")), scope)
    if frame.status == "cancelled":
        return Outcome(Result.CANCELLED)
    failed = next((result for result in results if result.conclusion is Result.FAILURE), None)
    if frame.status == "failure" and failed is not None:
        return Outcome(Result.FAILURE, failed.exit_code, f"step '{failed.name}' of {call.step.uses} failed")
    return Outcome(Result.SUCCESS)


def _inputs(call: ActionCall, declared: dict[str, Any]) -> dict[str, Any]:
    """The inputs as given, completed by defaults; a missing required one is said, as on GitHub, and stays empty."""
    scope = call.session.scope(call.frame)
    given = {name.lower(): value for name, value in call.inputs.items()}
    found: dict[str, Any] = {}
    for name, rule in declared.items():
        rule = rule if isinstance(rule, dict) else {}
        if name.lower() in given:
            found[name] = given.pop(name.lower())
        else:
            found[name] = interpolate(to_text(rule.get("default")), scope)
            if rule.get("required") and "default" not in rule:
                call.say(f"##[warning]Input required and not supplied: {name}")
    for name in given:
        call.say(f"##[warning]Unexpected input '{name}', valid inputs are: {', '.join(declared)}")
    return found
