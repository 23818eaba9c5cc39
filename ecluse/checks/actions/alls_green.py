"""``re-actors/alls-green``: one result for all the jobs that a job needs."""

from __future__ import annotations

import json

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.model import Result


def run(call: ActionCall) -> Outcome:
    """Fail unless every job succeeded, apart from those that may fail or may be skipped."""
    try:
        jobs = json.loads(call.input("jobs", "{}"))
    except ValueError as error:
        return Outcome(
            Result.FAILURE, reason=f"the input jobs is not JSON: {error}; write jobs: ${{{{ toJSON(needs) }}}}"
        )
    if not isinstance(jobs, dict) or not jobs:
        return Outcome(Result.FAILURE, reason="the input jobs is empty; write jobs: ${{ toJSON(needs) }}")
    may_fail, may_skip = _names(call, "allowed-failures"), _names(call, "allowed-skips")
    bad = []
    for name, job in jobs.items():
        result = str(job.get("result") if isinstance(job, dict) else job)
        rule = "required to succeed"
        if name in may_fail:
            rule, is_good = "allowed to fail", True
        elif name in may_skip:
            rule, is_good = "required to succeed or be skipped", result in ("success", "skipped")
        else:
            is_good = result == "success"
        call.say(f"{name} -> {result} [{rule}]")
        if not is_good:
            bad.append(f"{name} ({result})")
    call.outputs["failure"] = "true" if bad else "false"
    call.outputs["success"] = "false" if bad else "true"
    call.outputs["result"] = "failure" if bad else "success"
    if bad:
        return Outcome(Result.FAILURE, 1, f"some of the required jobs did not succeed: {', '.join(bad)}")
    return Outcome(Result.SUCCESS, 0)


def _names(call: ActionCall, name: str) -> set[str]:
    """A list of job ids, written as JSON or with commas."""
    text = call.input(name)
    try:
        found = json.loads(text or "[]")
        return {str(one) for one in found} if isinstance(found, list) else {str(found)}
    except ValueError:
        return {word.strip() for word in text.split(",")}
