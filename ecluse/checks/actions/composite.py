"""Composite actions: steps of their own, with their own inputs, outputs and step results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.manifest import Manifest, complete
from ecluse.checks.evaluate import interpolate
from ecluse.checks.naming import split_reference
from ecluse.checks.session import Frame
from ecluse.checks.values import to_text
from ecluse.errors import Invalid
from ecluse.model import Result

if TYPE_CHECKING:
    from ecluse.checks.session import Session

MAX_DEPTH = 10


def inner_frame(call: ActionCall, manifest: Manifest, say: Any) -> Frame:
    """Where the steps of the action run. Raises :class:`Invalid` when actions use one another without end."""
    if call.frame.depth >= MAX_DEPTH:
        raise Invalid(
            "checks.action_depth",
            f"Actions use one another more than {MAX_DEPTH} levels deep.",
            "look for an action that uses itself",
        )
    named = split_reference(manifest.uses)
    is_local = manifest.uses.startswith((".", "$"))
    return Frame(
        inputs=complete(manifest, call.inputs, call.session.scope(call.frame), say),
        env=call.frame.env | call.env,
        action_path=str(manifest.folder),
        depth=call.frame.depth + 1,
        trail=call.key,
        source=call.frame.source if is_local else (named.repository, named.ref),
        may_outlast=call.frame.outlasts,
    )


def run_main(call: ActionCall, manifest: Manifest) -> Outcome:
    """Run the action's steps and compute its outputs."""
    from ecluse.checks.steps import run_steps

    frame = inner_frame(call, manifest, call.say)
    results = run_steps(call.session, frame, manifest.steps)
    _compute_outputs(call, call.session, frame, manifest)
    if frame.status == "cancelled":
        return Outcome(Result.CANCELLED)
    failed = next((result for result in results if result.conclusion is Result.FAILURE), None)
    if frame.status == "failure" and failed is not None:
        return Outcome(Result.FAILURE, failed.exit_code, f"step '{failed.name}' of {call.step.uses} failed")
    return Outcome(Result.SUCCESS)


def _compute_outputs(call: ActionCall, session: Session, frame: Frame, manifest: Manifest) -> None:
    scope = session.scope(frame)
    for name, rule in manifest.outputs.items():
        call.outputs[name] = interpolate(to_text(rule.get("value")), scope)
