"""What must be true of a run before its tree may land."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.model import Result, Run, RunState


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a run lets its tree land, on what ground (``workflows`` or ``validation``), and why."""

    green: bool
    basis: str
    reason: str


def judge(run: Run, optional: Sequence[str], validations: Sequence[dict[str, Any]]) -> Judgement:
    """Decide on a finished run. Jobs named in ``optional`` may fail or be unable to run here.

    A repository without workflows is judged on the validation level recorded at intake alone, and says so.
    """
    if not run.workflows and run.state is RunState.GREEN:
        return _by_validation(validations)
    jobs: list[dict[str, Any]] = list(run.report.get("jobs", []))
    bad = [job for job in jobs if not _counts_as_good(job)]
    deciding = [job for job in bad if job.get("id") not in optional]
    if deciding or (run.state is not RunState.GREEN and not bad):
        said = describe_failure(deciding) or run.reason or "the run did not finish"
        tests = failed_tests(run.report, deciding)
        return Judgement(False, "workflows", f"{said}; {tests}" if tests else said)
    waived = [str(job.get("id")) for job in bad]
    ran = sum(1 for job in jobs if job.get("outcome", job.get("result")) == Result.SUCCESS)
    if ran == 0:
        return Judgement(False, "workflows", "every job was skipped, so nothing was tested")
    text = f"{ran} of {len(jobs)} jobs green" + (f"; optional and not green: {', '.join(waived)}" if waived else "")
    return Judgement(True, "workflows", text)


def _counts_as_good(job: dict[str, Any]) -> bool:
    """Whether a combination, or the job that it is part of, is not red: a failure that is let pass is not."""
    good = (Result.SUCCESS, Result.SKIPPED)
    return job.get("result") in good or job.get("outcome", job.get("result")) in good


def _by_validation(validations: Sequence[dict[str, Any]]) -> Judgement:
    red = [str(v.get("name")) for v in validations if v.get("result") == "failure"]
    if red:
        return Judgement(False, "validation", f"no workflow applies, and validation failed: {', '.join(red)}")
    names = ", ".join(str(v.get("name")) for v in validations) or "the structural judgement of intake"
    return Judgement(True, "validation", f"no workflow applies; landed on validation alone: {names}")


def describe_failure(jobs: Sequence[dict[str, Any]]) -> str:
    """One sentence that names the failing jobs and steps, for a person."""
    parts = []
    for job in jobs:
        steps = [s for s in job.get("steps", []) if s.get("conclusion") == Result.FAILURE]
        where = f" at step `{steps[0].get('name')}`" if steps else ""
        why = str(job.get("reason") or (steps[0].get("reason") if steps else "") or "")
        parts.append(
            f"job `{job.get('name') or job.get('id')}` ended {job.get('outcome', job.get('result'))}{where}{': ' + why if why else ''}"
        )
    return "; ".join(parts)


MAX_TESTS = 5


def failed_tests(report: Mapping[str, Any], jobs: Sequence[dict[str, Any]]) -> str:
    """The failed tests of these jobs by name, the first with its message; nothing when none is known."""
    keys = {job.get("key") for job in jobs}
    failures = (report.get("tests") or {}).get("failures") or []
    found = {str(one.get("name")): str(one.get("message")) for one in failures if one.get("job") in keys}
    if not found:
        return ""
    name, message = next(iter(found.items()))
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    names = ", ".join([f"{name} ({first[:200]})" if first else name, *list(found)[1:MAX_TESTS]])
    more = f" and {len(found) - MAX_TESTS} more" if len(found) > MAX_TESTS else ""
    return f"failed test{'s' if len(found) > 1 else ''}: {names}{more}"
