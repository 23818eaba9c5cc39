"""The inputs of a run started by hand: which a workflow declares, their kinds and defaults, and what was given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecluse.checks.problems import closest
from ecluse.checks.request import RunRequest
from ecluse.checks.values import text_to_number, to_text
from ecluse.checks.workflow import Workflow
from ecluse.errors import Invalid

STARTED_WITH_INPUTS = ("workflow_dispatch", "workflow_call")
"""Events that hand inputs over; for any other event the ``inputs`` context is empty, as on GitHub."""


def declared_inputs(workflow: Workflow, event: str) -> dict[str, dict[str, Any]]:
    """The inputs a workflow declares for ``event``: name -> description, type, required, default, options."""
    rules = (workflow.triggers.get(event) or {}).get("inputs") or {}
    return {name: rule or {} for name, rule in rules.items()}


def dispatch_inputs(request: RunRequest, workflow: Workflow, payload: dict[str, Any]) -> dict[str, Any]:
    """The ``inputs`` context of a run started by hand, with defaults and kinds applied.

    Raises :class:`Invalid` when required inputs are missing or a value does not fit its kind.
    """
    if request.event not in STARTED_WITH_INPUTS:
        return {}
    declared = declared_inputs(workflow, request.event)
    held = payload.get("inputs")
    given = {**(held if isinstance(held, dict) else {}), **request.inputs}
    lowered = {name.lower(): value for name, value in given.items()}
    missing = [
        name
        for name, rule in declared.items()
        if rule.get("required") and to_text(lowered.get(name.lower(), rule.get("default"))) == ""
    ]
    if missing:
        raise Invalid(
            "workflow.input_missing",
            f"{workflow.path} needs the input{'s' if len(missing) > 1 else ''} "
            f"{', '.join(repr(name) for name in missing)}, which {'were' if len(missing) > 1 else 'was'} not given.",
            f"add: {' '.join(f'--input {name}={_example(declared[name])}' for name in missing)}",
        )
    known = {name.lower() for name in declared}
    found: dict[str, Any] = {name: value for name, value in given.items() if name.lower() not in known}
    for name, rule in declared.items():
        found[name] = _typed(name, lowered.get(name.lower(), rule.get("default")), rule, workflow)
    return found


def check_given(workflows: Iterable[Workflow], request: RunRequest) -> None:
    """Raises :class:`Invalid` when ``--input`` names what no chosen workflow declares for the event."""
    if not request.inputs:
        return
    if request.event not in STARTED_WITH_INPUTS:
        raise Invalid(
            "workflow.input_unknown",
            f"Inputs belong to workflow_dispatch and workflow_call; the event '{request.event}' has none.",
            "ecluse run --event workflow_dispatch, with the same inputs",
        )
    known = sorted({name for workflow in workflows for name in declared_inputs(workflow, request.event)})
    for name in request.inputs:
        if name.lower() not in {one.lower() for one in known}:
            near = closest(name, known)
            raise Invalid(
                "workflow.input_unknown",
                f"There is no input '{name}'" + (f" ({near})." if near else ": the workflow declares none."),
                f"leave out --input {name}=..., or declare it below on.{request.event}.inputs",
            )


def _example(rule: dict[str, Any]) -> str:
    options = rule.get("options")
    if options:
        return to_text(options[0])
    return {"boolean": "true", "number": "1"}.get(rule.get("type", ""), "VALUE")


def _typed(name: str, value: Any, rule: dict[str, Any], workflow: Workflow) -> Any:
    kind = rule.get("type", "string")
    text = to_text(value)
    if kind == "boolean":
        if text not in ("", "true", "false"):
            raise _misfit(name, text, "true or false", workflow)
        return text == "true"
    if kind == "number":
        number = text_to_number(text)
        if number != number:
            raise _misfit(name, text, "a number", workflow)
        return number
    options = [to_text(option) for option in rule.get("options") or []]
    if kind == "choice" and options and text and text not in options:
        raise _misfit(name, text, "one of " + ", ".join(options), workflow)
    return text


def _misfit(name: str, text: str, wanted: str, workflow: Workflow) -> Invalid:
    return Invalid(
        "workflow.input_wrong",
        f"The input '{name}' of {workflow.path} is '{text}', and must be {wanted}.",
        f"give it again with: --input {name}=VALUE",
    )
