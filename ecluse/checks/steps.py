"""Runs steps: whether, with which environment, by which shell or action, and what came of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecluse import process
from ecluse.checks import shells
from ecluse.checks.actions import ActionCall, Outcome, run_action
from ecluse.checks.background import Background
from ecluse.checks.choosing import chosen_steps
from ecluse.checks.evaluate import Scope, condition, condition_source, evaluate, interpolate, status_functions
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.matrix import resolve
from ecluse.checks.output import StepOutput
from ecluse.checks.planning import step_title
from ecluse.checks.session import FailedStep, Frame, Session
from ecluse.checks.values import is_truthy, text_to_number, to_text
from ecluse.checks.workflow import Step
from ecluse.clock import instant
from ecluse.errors import Problem
from ecluse.model import Result


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one step: before (``outcome``) and after (``conclusion``) ``continue-on-error``."""

    step: Step
    name: str
    outcome: Result
    conclusion: Result
    duration_ms: float = 0.0
    exit_code: int | None = None
    reason: str = ""
    tail: tuple[str, ...] = ()
    started_at: str = ""


def run_steps(session: Session, frame: Frame, steps: tuple[Step, ...]) -> list[StepResult]:
    """Run ``steps`` in order; ``frame.status`` tells afterwards whether they succeeded."""
    results = []
    background = Background(session, frame, run_step)
    chosen = None if frame.depth else chosen_steps(session.job, session.request)
    try:
        for step in steps:
            if chosen is not None and step.number not in chosen:
                results.append(StepResult(step, step_title(step), Result.SKIPPED, Result.SKIPPED, reason="not chosen"))
                continue
            if session.aborted.is_set():
                frame.status = "cancelled"
                results.append(StepResult(step, step_title(step), Result.CANCELLED, Result.CANCELLED))
                continue
            if session.is_cancelled:
                frame.status = "cancelled"
            if step.background:
                background.start(step)
            else:
                results.append(run_step(session, frame, step, background))
        background.drain()
        if frame.outlasts and session.is_cancelled:
            frame.status = "cancelled"
    finally:
        background.close()
    return sorted([*results, *background.results], key=lambda result: result.step.number)


def run_step(session: Session, frame: Frame, step: Step, background: Background | None = None) -> StepResult:
    """Run one step, or skip it; its outcome enters the ``steps`` context. Failures are results, not exceptions.

    Steps that steer ``background`` run whatever happened before them: what was started must not be left alone.
    """
    log = session.log
    frame.action = step.action
    started_at, started = instant(), time.monotonic()
    name, step_env, outcome = step_title(step), {}, None
    try:
        step_env = environment_of(step.env, session, frame)
        scope = session.scope(frame, step_env)
        name = _title(step, scope)
        should_run = bool(step.other) or condition(step.condition, scope)
        frame.outlasts = (
            bool(step.condition) and frame.may_outlast and outlasts(condition_source(step.condition), scope)
        )
    except ExpressionProblem as problem:
        should_run, outcome = True, Outcome(Result.FAILURE, reason=f"line {step.line}: {problem.message}")
    if not should_run:
        return keep_result(session, frame, StepResult(step, name, Result.SKIPPED, Result.SKIPPED), {})
    if not frame.depth:
        log.begin_step(step.number, name)
        log.tell("step.started", step=step.number, name=name)
    outputs: dict[str, str] = {}
    if outcome is None:
        try:
            if step.other:
                outcome = _steer(step, background)
            else:
                outcome = _carry_out(session, frame, step, step_env, outputs)
        except ExpressionProblem as problem:
            outcome = Outcome(Result.FAILURE, reason=f"line {step.line}: {problem.message}")
        except Problem as problem:
            outcome = Outcome(Result.FAILURE, reason=f"{problem.message} {problem.hint}".strip())
    result = concluded(session, frame, step, name, outcome, step_env, (started, started_at))
    if result.conclusion is Result.FAILURE:
        look_around(session, frame, step, name, step_env)
    return keep_result(session, frame, result, outputs)


def outlasts(source: str, scope: Scope) -> bool:
    """Whether a step with the condition ``source`` goes on when its job is cancelled: GitHub asks it again then."""
    try:
        return is_truthy(evaluate(source, Scope(scope.contexts, {**scope.functions, **status_functions("cancelled")})))
    except ExpressionProblem:
        return False


def concluded(
    session: Session,
    frame: Frame,
    step: Step,
    name: str,
    outcome: Outcome,
    env: dict[str, str],
    since: tuple[float, str],
) -> StepResult:
    """The record of a step that has ended, its reason told; ``since`` is when it began, by both clocks."""
    for part in outcome.reason.splitlines():
        session.log.line(f"##[{'error' if outcome.result is Result.FAILURE else 'notice'}]{part}")
    failed = outcome.result is Result.FAILURE
    return StepResult(
        step=step,
        name=name,
        outcome=outcome.result,
        conclusion=Result.SUCCESS if failed and continues(session, frame, step, env) else outcome.result,
        duration_ms=round((time.monotonic() - since[0]) * 1000, 3),
        exit_code=outcome.exit_code,
        reason=outcome.reason,
        tail=session.log.tail() if failed else (),
        started_at=since[1],
    )


def look_around(session: Session, frame: Frame, step: Step, name: str, step_env: dict[str, str]) -> None:
    """Let the asker look at the place of a failed step, once: not again for the action that it is part of."""
    if session.on_failure is None or (step.uses and session.looked_at and session.looked_at[-1] == session.log.step):
        return
    session.looked_at.append(session.log.step)
    folder = session.workspace
    with suppress(ExpressionProblem):
        named = working_folder(session, frame, step, session.scope(frame, step_env))
        folder = named if named.is_dir() else folder
    begun = time.monotonic()
    title = session.log.masker.mask(name)
    session.on_failure(FailedStep(session.log.key, title, folder, session.environment(frame, step_env)))
    session.deadline += time.monotonic() - begun


def environment_of(raw: Any, session: Session, frame: Frame) -> dict[str, str]:
    """The variables of an ``env:``, computed."""
    table = resolve(raw, session.scope(frame)) if raw else {}
    return {name: to_text(value) for name, value in table.items()} if isinstance(table, dict) else {}


def _one_line(text: str) -> str:
    """The first line that says something; a title of several lines would tear every list that shows it."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _title(step: Step, scope: Any) -> str:
    """The title of a step, with its expressions computed where they can be: a title that cannot be fails nothing."""
    title = step_title(step)
    try:
        return _one_line(interpolate(title, scope))
    except ExpressionProblem:
        return _one_line(title)


def keep_result(session: Session, frame: Frame, result: StepResult, outputs: dict[str, str]) -> StepResult:
    """Enter what a step came to into its frame, and tell of it."""
    if result.step.id:
        frame.steps[result.step.id] = {
            "outputs": outputs,
            "outcome": result.outcome.value,
            "conclusion": result.conclusion.value,
        }
    if result.conclusion is Result.FAILURE and frame.status == "success":
        frame.status = "failure"
    elif result.conclusion is Result.CANCELLED:
        frame.status = "cancelled"
    if not frame.depth:
        session.log.tell(
            "step.finished",
            step=result.step.number,
            name=result.name,
            outcome=result.outcome.value,
            conclusion=result.conclusion.value,
            duration_ms=result.duration_ms,
            exit_code=result.exit_code,
            reason=result.reason,
        )
    return result


def continues(session: Session, frame: Frame, step: Step, step_env: dict[str, str]) -> bool:
    """Whether a failure of the step is let pass (``continue-on-error``)."""
    try:
        return is_truthy(resolve(step.continue_on_error, session.scope(frame, step_env)))
    except ExpressionProblem as problem:
        session.log.line(f"##[error]{problem.message}")
        return False


def _carry_out(
    session: Session, frame: Frame, step: Step, step_env: dict[str, str], outputs: dict[str, str]
) -> Outcome:
    limit = step_limit(step, session.scope(frame, step_env))
    if step.uses:
        call = action_call(session, frame, step, step_env, outputs, limit)
        return guarded(session, limit, lambda: run_action(call))
    return guarded(session, limit, lambda: _run_script(session, frame, step, step_env, outputs, limit))


def step_limit(step: Step, scope: Any) -> float | None:
    """The seconds a step may take, as its ``timeout-minutes`` says. Raises :class:`ExpressionProblem`."""
    minutes = resolve(step.timeout_minutes, scope)
    limit = None if minutes is None else text_to_number(to_text(minutes)) * 60
    if limit is not None and not limit > 0:
        text = f"timeout-minutes is '{to_text(minutes)}' and must be a number above 0"
        raise ExpressionProblem("evaluation", text)
    return limit


def action_call(
    session: Session, frame: Frame, step: Step, step_env: dict[str, str], outputs: dict[str, str], limit: float | None
) -> ActionCall:
    """The use of an action by ``step``, its inputs computed. Raises :class:`ExpressionProblem`."""
    scope = session.scope(frame, step_env)
    inputs = {name: interpolate(to_text(value), scope) for name, value in _inputs(step, scope).items()}
    return ActionCall(session, frame, step, inputs, step_env, outputs, limit)


def _steer(step: Step, background: Background | None) -> Outcome:
    if background is None:
        return Outcome(Result.FAILURE, reason=f"a `{step.other}` step cannot stand inside `parallel`")
    return background.parallel(step.children) if step.other == "parallel" else background.control(step)


def _inputs(step: Step, scope: Any) -> dict[str, Any]:
    table = resolve(step.inputs, scope)
    return table if isinstance(table, dict) else {}


def guarded(session: Session, limit: float | None, work: Any) -> Outcome:
    """Run ``work``, turning a passed deadline and a cancellation into outcomes."""
    try:
        outcome: Outcome = work()
    except TimeoutError:
        if session.is_out_of_time:
            return Outcome(Result.CANCELLED, reason="the job has used up its time and was ended")
        return Outcome(Result.FAILURE, reason=f"the step did not end within {(limit or 0) / 60:g} min and was ended")
    except InterruptedError:
        return Outcome(Result.CANCELLED, reason="cancelled")
    return outcome


def _run_script(
    session: Session,
    frame: Frame,
    step: Step,
    step_env: dict[str, str],
    outputs: dict[str, str],
    limit: float | None,
) -> Outcome:
    scope = session.scope(frame, step_env)
    env = session.environment(frame, step_env)
    named = step.shell or ("" if frame.depth else session.job.shell or session.workflow.shell)
    shell = shells.choose(interpolate(named, scope), lambda program: process.which(program, env.get("PATH")))
    program = shell.argv[0]
    if process.which(program, env.get("PATH")) is None:
        return Outcome(Result.FAILURE, reason=f"the program `{program}` of shell '{named or program}' is not here")
    folder = working_folder(session, frame, step, scope)
    if not folder.is_dir():
        return Outcome(Result.FAILURE, reason=f"the working directory {folder} does not exist")
    said = StepOutput(session, env)
    script = session.new_file(shell.suffix)
    body = interpolate(step.run, scope.with_contexts(github=said.github(scope.contexts["github"])))
    script.write_text(shell.before + body + shell.after, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        code = session.start(
            shell.command(str(script)),
            said.line,
            frame=frame,
            cwd=folder,
            env=env | said.variables,
            timeout_s=limit,
        )
    finally:
        said.close()
        outputs |= said.outputs
    if code != 0:
        return Outcome(Result.FAILURE, exit_code=code, reason=f"Process completed with exit code {code}.")
    if said.failure:
        return Outcome(Result.FAILURE, exit_code=code, reason=said.failure)
    return Outcome(Result.SUCCESS, exit_code=code)


def working_folder(session: Session, frame: Frame, step: Step, scope: Any) -> Path:
    """Where a ``run`` step works: its own folder, else the defaults of job and workflow, else the workspace."""
    named = step.folder or ("" if frame.depth else session.job.folder or session.workflow.folder)
    return session.workspace / interpolate(named, scope)
