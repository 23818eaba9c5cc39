"""Runs one job of a workflow, in folders of its own, from its first step to its outputs."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecluse.checks.evaluate import Scope
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.joblog import JobLog, Listener
from ecluse.checks.matrix import resolve
from ecluse.checks.phases import run_after, run_before
from ecluse.checks.planning import cannot_run
from ecluse.checks.remote import Remote
from ecluse.checks.request import RunRequest
from ecluse.checks.session import Frame, Session
from ecluse.checks.steps import StepResult, run_steps
from ecluse.checks.values import is_truthy, text_to_number, to_text
from ecluse.checks.workflow import Job, Workflow
from ecluse.clock import instant
from ecluse.model import Annotation, Result
from ecluse.model import Job as JobRecord
from ecluse.model import Step as StepRecord
from ecluse.secrets.mask import Masker


@dataclass(frozen=True, slots=True)
class Instance:
    """One combination of one job, ready to run. ``key`` names it in events and logs."""

    workflow: Workflow
    job: Job
    key: str
    name: str
    matrix: dict[str, Any]
    contexts: dict[str, Any]
    cancelled: threading.Event
    log_name: str = ""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What an instance came to: the record, its real outputs for dependents, and whether a failure is let pass."""

    record: JobRecord
    outputs: dict[str, str] = field(default_factory=dict)
    is_tolerated: bool = False
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all jobs of a run share. ``folder`` is the run's temporary folder."""

    tree: Path
    folder: Path
    request: RunRequest
    masker: Masker
    listener: Listener | None
    aborted: threading.Event
    remote: Remote


def run_instance(instance: Instance, around: Surroundings) -> JobOutcome:
    """Run a job's steps. A failed step is a result; raises :class:`ecluse.errors.Problem` only for the machine's."""
    started, begun = instant(), time.monotonic()
    request = around.request
    path = request.log_dir / f"{instance.log_name}.log" if request.log_dir else None
    log = JobLog(instance.key, around.masker, around.listener, path)
    masked = around.masker.mask(instance.name)
    record = JobRecord(
        id=instance.job.id,
        name=masked,
        workflow=instance.workflow.path,
        result=Result.CANCELLED,
        started_at=started,
        needs=instance.job.needs,
        matrix=instance.matrix,
        log=str(path or ""),
    )
    log.tell("job.started", id=instance.job.id, name=masked, workflow=instance.workflow.path)
    try:
        if instance.cancelled.is_set():
            outcome = JobOutcome(replace(record, reason="cancelled before it started"))
        else:
            outcome = _run(instance, around, log, record)
    finally:
        log.close()
    done = replace(outcome.record, duration_ms=round((time.monotonic() - begun) * 1000, 3))
    log.tell(
        "job.finished",
        id=done.id,
        name=done.name,
        result=done.result.value,
        duration_ms=done.duration_ms,
        reason=done.reason,
    )
    return replace(outcome, record=done, annotations=tuple(log.annotations))


def _run(instance: Instance, around: Surroundings, log: JobLog, record: JobRecord) -> JobOutcome:
    scope = Scope(instance.contexts)
    try:
        reason = cannot_run(instance.job, scope)
    except ExpressionProblem as problem:
        reason = problem.message
    if reason:
        log.line(f"##[error]{reason}")
        return JobOutcome(replace(record, result=Result.FAILURE, reason=around.masker.mask(reason)))
    session = Session(
        tree=around.tree,
        folder=around.folder / "jobs" / instance.log_name,
        artifacts=around.folder / "artifacts",
        request=around.request,
        workflow=instance.workflow,
        job=instance.job,
        contexts=instance.contexts,
        log=log,
        cancelled=instance.cancelled,
        aborted=around.aborted,
        remote=around.remote,
    )
    try:
        return _run_session(instance, session, record)
    finally:
        session.close()


def _run_session(instance: Instance, session: Session, record: JobRecord) -> JobOutcome:
    frame = Frame(inputs=instance.contexts.get("inputs", {}))
    session.event_file.write_text(json.dumps(session.github["event"]), encoding="utf-8")
    try:
        _prepare(instance, session, frame)
    except ExpressionProblem as problem:
        session.log.line(f"##[error]{problem.message}")
        reason = session.log.masker.mask(f"line {instance.job.line}: {problem.message}")
        return JobOutcome(replace(record, result=Result.FAILURE, reason=reason))
    results = run_before(session, frame, instance.job.steps)
    results += run_steps(session, frame, instance.job.steps)
    results += run_after(session, frame, instance.job.steps)
    result = Result(frame.status)
    outputs = _outputs(instance, session, frame)
    reason, tolerated = "", False
    if session.is_out_of_time and result is Result.CANCELLED:
        reason = f"the job did not end within its limit of {_minutes(instance)} min and was ended"
    if result is Result.FAILURE:
        tolerated = _tolerates(instance, session, frame)
        reason = "continue-on-error: this failure does not fail the run" if tolerated else ""
    if session.summary and session.request.log_dir:
        target = session.request.log_dir / f"{instance.log_name}.summary.md"
        target.write_text("\n".join(session.summary), encoding="utf-8", errors="replace")
    masker = session.log.masker
    done = replace(
        record,
        result=result,
        steps=tuple(_record(step, masker) for step in results),
        outputs={name: masker.mask(value) for name, value in outputs.items()},
        reason=reason,
    )
    return JobOutcome(done, outputs, tolerated)


def _prepare(instance: Instance, session: Session, frame: Frame) -> None:
    """The job's own environment and time limit."""
    for raw in (instance.workflow.env, instance.job.env):
        table = resolve(raw, session.scope(frame)) if raw else {}
        if isinstance(table, dict):
            session.env |= {name: to_text(value) for name, value in table.items()}
    minutes = resolve(instance.job.timeout_minutes, session.scope(frame))
    if minutes is not None:
        session.deadline = time.monotonic() + text_to_number(to_text(minutes)) * 60


def _minutes(instance: Instance) -> str:
    return to_text(instance.job.timeout_minutes or "")


def _outputs(instance: Instance, session: Session, frame: Frame) -> dict[str, str]:
    """The job's outputs; one that holds a secret is not handed on, as on GitHub."""
    found: dict[str, str] = {}
    for name, raw in instance.job.outputs.items():
        try:
            value = to_text(resolve(raw, session.scope(frame)))
        except ExpressionProblem as problem:
            session.log.line(f"##[error]output {name}: {problem.message}")
            frame.status = "failure"
            continue
        if session.log.masker.mask(value) != value:
            session.log.note("warning", f"The output '{name}' holds a secret and is not handed on.")
        else:
            found[name] = value
    return found


def _tolerates(instance: Instance, session: Session, frame: Frame) -> bool:
    try:
        return is_truthy(resolve(instance.job.continue_on_error, session.scope(frame)))
    except ExpressionProblem:
        return False


def _record(result: StepResult, masker: Masker) -> StepRecord:
    return StepRecord(
        number=result.step.number,
        id=result.step.id,
        name=masker.mask(result.name),
        outcome=result.outcome,
        conclusion=result.conclusion,
        duration_ms=result.duration_ms,
        exit_code=result.exit_code,
        reason=masker.mask(result.reason),
        tail=result.tail,
    )
