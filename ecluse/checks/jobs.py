"""Runs one job of a workflow, in folders of its own, from its first step to its outputs."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecluse.checks.background import Linked
from ecluse.checks.causes import cause_of
from ecluse.checks.evaluate import Scope
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.joblog import JobLog, Listener
from ecluse.checks.labels import Placement
from ecluse.checks.linecoverage import summarise
from ecluse.checks.matrix import resolve
from ecluse.checks.phases import run_after, run_before
from ecluse.checks.planning import permissions_of, placement
from ecluse.checks.remote import Remote
from ecluse.checks.request import RunRequest
from ecluse.checks.results import JobResults, collect, count
from ecluse.checks.session import MAX_JOB_MINUTES, Frame, OnFailure, Session
from ecluse.checks.steps import StepResult, run_steps
from ecluse.checks.values import is_truthy, text_to_number, to_text
from ecluse.checks.workflow import Job, Workflow
from ecluse.clock import instant, now, parse
from ecluse.measured import Coverage
from ecluse.model import Annotation, Artifact, NotRunHere, Result
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
    cancelled: Linked
    log_name: str = ""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What an instance came to: the record, its real outputs for dependents, and whether a failure is let pass."""

    record: JobRecord
    outputs: dict[str, str] = field(default_factory=dict)
    is_tolerated: bool = False
    annotations: tuple[Annotation, ...] = ()
    results: JobResults = field(default_factory=JobResults)
    artifacts: tuple[Artifact, ...] = ()
    not_run_here: tuple[NotRunHere, ...] = ()


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
    on_failure: OnFailure | None = None


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
        key=instance.key,
        permissions=permissions_of(instance.workflow, instance.job) or {},
    )
    log.tell("job.started", id=instance.job.id, name=masked, workflow=instance.workflow.path)
    try:
        if instance.cancelled.is_set():
            outcome = JobOutcome(replace(record, reason=instance.cancelled.reason or "cancelled before it started"))
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
    return replace(
        outcome,
        record=done,
        annotations=tuple(log.annotations),
        artifacts=tuple(log.artifacts.values()),
        not_run_here=tuple(log.not_run_here),
    )


def _run(instance: Instance, around: Surroundings, log: JobLog, record: JobRecord) -> JobOutcome:
    scope = Scope(instance.contexts)
    try:
        placed = placement(instance.job, scope, around.request)
    except ExpressionProblem as problem:
        placed = Placement("fail", problem.message)
    reason = around.masker.mask(placed.reason)
    if placed.choice != "here":
        failed = placed.choice == "fail"
        log.line(f"##[{'error' if failed else 'notice'}]{reason}")
        log.not_here(f"job {instance.name}", reason)
        return JobOutcome(replace(record, result=Result.FAILURE if failed else Result.SKIPPED, reason=reason))
    if reason:
        log.note("warning", f"{record.name} {reason}")
        record = replace(record, reason=reason)
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
        on_failure=around.on_failure,
        remote=around.remote,
    )
    try:
        return _run_session(instance, session, record)
    finally:
        session.close()


def _run_session(instance: Instance, session: Session, record: JobRecord) -> JobOutcome:
    frame = Frame(inputs=instance.contexts.get("inputs", {}))
    since = now().timestamp()
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
    environment, url = _environment(instance, session, frame)
    reason, tolerated = record.reason, False
    if result is Result.CANCELLED:
        reason = instance.cancelled.reason or reason
    if session.is_out_of_time and result is Result.CANCELLED:
        reason = f"the job did not end within its limit of {_minutes(instance, session, frame)} min and was ended"
    if result is Result.FAILURE:
        tolerated = _tolerates(instance, session, frame)
        reason = "continue-on-error: this failure does not fail the run" if tolerated else reason
    if session.summary and session.request.log_dir:
        target = session.request.log_dir / f"{instance.log_name}.summary.md"
        target.write_text("\n".join(session.summary), encoding="utf-8", errors="replace")
    masker = session.log.masker
    found = collect((session.workspace, session.temp), session.tree, since, session.request.results)
    for name, why in found.refused:
        session.log.note("warning", f"The result file {name} is not read: {why}.")
    steps = tuple(_record(step, session.log, found) for step in results)
    done = replace(
        record,
        result=result,
        steps=steps,
        cause=_cause(result, steps),
        tests=count(found.cases) if found.cases else None,
        coverage=masked_coverage(summarise(found.lines), masker),
        outputs={name: masker.mask(value) for name, value in outputs.items()},
        reason=reason,
        environment=masker.mask(environment),
        environment_url=masker.mask(url),
    )
    return JobOutcome(done, outputs, tolerated, results=found)


def _cause(result: Result, steps: tuple[StepRecord, ...]) -> str:
    """What made the job fail: the cause of the first step that failed it."""
    if result is Result.SUCCESS:
        return ""
    return next((step.cause for step in steps if step.conclusion is not Result.SUCCESS and step.cause), "")


def masked_coverage(coverage: Coverage | None, masker: Masker) -> Coverage | None:
    """The same with masked file names."""
    if coverage is None:
        return None
    return replace(coverage, files=tuple(replace(one, name=masker.mask(one.name)) for one in coverage.files))


def _prepare(instance: Instance, session: Session, frame: Frame) -> None:
    """The job's own environment and time limit."""
    for raw in (instance.workflow.env, instance.job.env):
        table = resolve(raw, session.scope(frame)) if raw else {}
        if isinstance(table, dict):
            session.env |= {name: to_text(value) for name, value in table.items()}
    minutes = resolve(instance.job.timeout_minutes, session.scope(frame))
    if minutes is not None:
        session.deadline = time.monotonic() + _positive(minutes, "timeout-minutes") * 60
    grace = resolve(instance.job.cancel_timeout_minutes, session.scope(frame))
    if grace is not None:
        session.grace_s = _positive(grace, "cancel-timeout-minutes") * 60


def _positive(value: Any, name: str) -> float:
    number = text_to_number(to_text(value))
    if not number > 0:
        raise ExpressionProblem("evaluation", f"{name} is '{to_text(value)}' and must be a number above 0")
    return number


def _minutes(instance: Instance, session: Session, frame: Frame) -> str:
    return to_text(resolve(instance.job.timeout_minutes, session.scope(frame)) or MAX_JOB_MINUTES)


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


def _environment(instance: Instance, session: Session, frame: Frame) -> tuple[str, str]:
    """Name and address of the deployment environment that the job names, or nothing."""
    try:
        found = resolve(instance.job.environment, session.scope(frame))
    except ExpressionProblem as problem:
        session.log.note("warning", f"environment: {problem.message}")
        return "", ""
    table = found if isinstance(found, dict) else {"name": found}
    return to_text(table.get("name")), to_text(table.get("url"))


def _tolerates(instance: Instance, session: Session, frame: Frame) -> bool:
    try:
        return is_truthy(resolve(instance.job.continue_on_error, session.scope(frame)))
    except ExpressionProblem:
        return False


def _record(result: StepResult, log: JobLog, found: JobResults) -> StepRecord:
    masker = log.masker
    begun = parse(result.started_at).timestamp() if result.started_at else 0.0
    wrote = any(begun - 0.05 <= at <= begun + result.duration_ms / 1000 + 0.05 for at in found.times)
    cause = cause_of(result.outcome, result.reason, result.exit_code, result.tail, tests_failed=wrote)
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
        started_at=result.started_at,
        cause=cause or "",
        summary=log.summaries.get(result.step.number, ""),
    )
