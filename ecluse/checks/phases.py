"""What runs before a job's first step and after its last one: the pre and post scripts of the actions it uses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from ecluse.checks.actions import ActionCall, Outcome, find_action, javascript
from ecluse.checks.actions.composite import inner_frame
from ecluse.checks.actions.manifest import Manifest
from ecluse.checks.evaluate import evaluate, interpolate
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.planning import step_title
from ecluse.checks.session import Cleanup, Frame, Session
from ecluse.checks.steps import (
    StepResult,
    action_call,
    concluded,
    environment_of,
    guarded,
    keep_result,
    outlasts,
    step_limit,
)
from ecluse.checks.values import is_truthy
from ecluse.checks.workflow import Step
from ecluse.clock import instant
from ecluse.errors import Problem
from ecluse.model import Result

Work = Callable[[ActionCall], Outcome]


def run_before(
    session: Session, frame: Frame, steps: tuple[Step, ...], above: tuple[str, ...] = (), job: Frame | None = None
) -> list[StepResult]:
    """Find the actions that ``steps`` use and run their pre scripts, also those inside composite actions.

    Actions of the workspace have none: it is still empty. What cannot be found is told by the step that needs it, so
    that a step which is skipped does not fail the job. ``above`` are the actions that led here: one that uses itself
    is not followed; ``job`` is the job's own frame where ``frame`` is an action's.
    """
    job = job or frame
    results: list[StepResult] = []
    for step in _flat(steps):
        if not step.uses or step.uses in above or session.aborted.is_set():
            continue
        try:
            manifest = find_action(session, frame, step.uses, ahead=True)
            if manifest is None:
                continue
            if manifest.using == "composite" and any(one.uses for one in manifest.steps):
                call = action_call(session, frame, step, environment_of(step.env, session, frame), {}, None)
                inner = inner_frame(call, manifest, lambda _: None)
                results += run_before(session, inner, manifest.steps, (*above, step.uses), job)
                continue
        except (Problem, ExpressionProblem):
            continue
        if manifest.pre:
            script, found = manifest.pre, manifest

            def work(call: ActionCall, script: str = script, found: Manifest = found) -> Outcome:
                javascript.note_post(call.session, call.frame, call.step, found)
                return javascript.run_script(call, found, script, "pre")

            results.append(_run(session, Cleanup(frame, step, manifest.pre_if, work), "Pre", 0, job))
    return results


def run_after(session: Session, frame: Frame, steps: tuple[Step, ...]) -> list[StepResult]:
    """Clean up after the job's ``steps``, the last one first; the results are numbered after theirs.

    A failure here fails the job, and does not keep the others from running.
    """
    results: list[StepResult] = []
    number = 1 + max((step.number for step in _flat(steps)), default=0)
    while session.cleanups:
        cleanup = session.cleanups.pop()
        if session.aborted.is_set():
            frame.status = "cancelled"
            continue
        if session.is_cancelled:
            frame.status = "cancelled"
        results.append(_run(session, cleanup, "Post", number + len(results), frame))
    return results


def _flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _flat(step.children)


def _run(session: Session, cleanup: Cleanup, word: str, number: int, job: Frame) -> StepResult:
    """Run one such script as a step of the job; ``job`` is the job's own frame, whose state its condition sees."""
    since = time.monotonic(), instant()
    frame = replace(cleanup.frame, status=job.status)
    step = replace(cleanup.step, number=number, id="", condition=cleanup.condition)
    name = f"{word} {step_title(cleanup.step)}"
    env: dict[str, str] = {}
    outcome: Outcome | None = None
    try:
        env = environment_of(step.env, session, frame)
        scope = session.scope(frame, env)
        name = interpolate(name, scope)
        frame.outlasts = outlasts(_bare(cleanup.condition), scope)
        if not is_truthy(evaluate(_bare(cleanup.condition), scope)):
            return keep_result(session, job, StepResult(step, name, Result.SKIPPED, Result.SKIPPED), {})
    except ExpressionProblem as problem:
        outcome = Outcome(Result.FAILURE, reason=problem.message)
    session.log.begin_step(number, name)
    session.log.tell("step.started", step=number, name=name)
    if outcome is None:
        outcome = _carry_out(session, frame, cleanup, env)
    result = concluded(session, frame, step, name, outcome, env, since)
    return keep_result(session, job, result, {})


def _bare(condition: str) -> str:
    text = condition.strip()
    return text[3:-2].strip() if text.startswith("${{") and text.endswith("}}") else text


def _carry_out(session: Session, frame: Frame, cleanup: Cleanup, env: dict[str, str]) -> Outcome:
    try:
        limit = step_limit(cleanup.step, session.scope(frame, env))
        call = action_call(session, frame, cleanup.step, env, {}, limit)
        return guarded(session, limit, lambda: cleanup.work(call))
    except ExpressionProblem as problem:
        return Outcome(Result.FAILURE, reason=problem.message)
    except Problem as problem:
        return Outcome(Result.FAILURE, reason=f"{problem.message} {problem.hint}".strip())
