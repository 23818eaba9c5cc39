"""The end of a run: what is kept of it, and its report."""

from __future__ import annotations

import itertools
import platform
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ecluse import __version__
from ecluse.checks.jobs import JobOutcome, masked_coverage
from ecluse.checks.linecoverage import Lines, join, summarise
from ecluse.checks.nodes import Node
from ecluse.checks.planning import Plan
from ecluse.checks.remote import LOCK_FILE, Remote, write_lock
from ecluse.checks.request import RunRequest
from ecluse.checks.results import gather, not_run_here
from ecluse.clock import instant
from ecluse.errors import Problem
from ecluse.model import Annotation, Job, Report, Result
from ecluse.secrets.mask import Masker


def keep_pins(tree: Path, request: RunRequest, remote: Remote, masker: Masker) -> list[Annotation]:
    """Write down which commits the refs of other repositories stood for; return what is to be known of those."""
    found = [Annotation("notice", masker.mask(text)) for text in dict.fromkeys(remote.notes)]
    if remote.pins and request.lock_actions:
        try:
            write_lock(tree / LOCK_FILE, remote.pins)
        except Problem as problem:  # the run itself is done; what it found stays true
            found.append(Annotation("warning", f"The actions used could not be pinned: {problem.message}"))
    return found


def keep_artifacts(source: Path, log_dir: Path | None, masker: Masker) -> None:
    """Copy the artifacts beside the logs; a name that holds a secret is masked first, here as everywhere."""
    for folder in sorted(source.iterdir()) if source.is_dir() else ():
        masked = masker.mask(folder.name)
        if masked != folder.name:
            free = (f"{masked}-{number}" if number else masked for number in itertools.count())
            folder.rename(next(source / name for name in free if not (source / name).exists()))
    if log_dir is not None and source.is_dir():
        shutil.copytree(source, log_dir / "artifacts", symlinks=True, dirs_exist_ok=True)


def ended(nodes: Iterable[Node]) -> list[JobOutcome]:
    """What every job and combination came to, also those that never started; ``job_result`` is what they count as."""
    found: list[JobOutcome] = []
    for node in nodes:
        if node.skipped is not None:
            found.append(JobOutcome(replace(node.skipped, job_result=node.result)))
        for instance in node.instances:
            one = node.records.get(instance.key)
            if one is not None:
                found.append(replace(one, record=replace(one.record, job_result=node.result or one.record.result)))
    return found


def masked_lines(outcome: JobOutcome, masker: Masker) -> Lines:
    """Which lines a job's tests went through, with masked names of files."""
    return {masker.mask(name): lines for name, lines in outcome.results.lines.items()}


def report(request: RunRequest, results: set[Result | None], done: Sequence[JobOutcome], masker: Masker) -> Report:
    """The report of a run whose jobs came to ``results``, without the run's own times and notes."""
    bad = Result.FAILURE in results or Result.CANCELLED in results
    ran = Result.SUCCESS in results
    jobs = tuple(one.record for one in done)
    return Report(
        result=Result.FAILURE if bad else Result.SUCCESS,
        event=request.event,
        commit=request.commit,
        tree=request.tree,
        started_at="",
        duration_ms=0.0,
        jobs=jobs,
        environment=describe_environment(),
        reason="" if bad or ran else "every job was skipped",
        tests=gather(
            [(one.record.key, one.results) for one in done],
            masker,
            [one.record.tests for one in done if one.record.reused and one.record.tests is not None],
        ),
        coverage=masked_coverage(summarise(join(one.results.lines for one in done)), masker),
        artifacts=tuple(artifact for one in done for artifact in one.artifacts),
        not_run_here=not_run_here([(one.record, one.not_run_here) for one in done]),
        cause=next((job.cause for job in jobs if job.cause and job.result is not Result.SUCCESS), ""),
    )


def dry_report(request: RunRequest, plan: Plan) -> Report:
    """The report of a run that was only planned."""
    jobs = tuple(
        Job(
            id=job.id,
            name=job.name,
            workflow=job.workflow,
            result=Result.SKIPPED,
            needs=job.needs,
            matrix=job.matrix,
            reason=job.reason or "dry run",
            job_result=Result.SKIPPED,
        )
        for job in plan.jobs
    )
    return Report(
        result=Result.SUCCESS,
        event=request.event,
        commit=request.commit,
        tree=request.tree,
        started_at=instant(),
        duration_ms=0.0,
        jobs=jobs,
        environment=describe_environment(),
        reason="dry run: nothing was run",
    )


def describe_environment() -> dict[str, str]:
    """What a report says of the machine."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "ecluse": __version__,
        "isolation": "none",
    }
