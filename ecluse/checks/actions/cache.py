"""``actions/cache`` and its restore and save parts: always a miss, and nothing is kept, which the step says."""

from __future__ import annotations

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.model import Result

REASON = "there is no cache in this version: nothing was restored and nothing will be saved"


def run(call: ActionCall) -> Outcome:
    """Report a miss as GitHub does: empty outputs, or a failure where the step asks for one."""
    if call.name.endswith("/save"):
        return Outcome(Result.SUCCESS, reason="there is no cache in this version: nothing was saved")
    call.outputs["cache-hit"] = ""
    if call.name.endswith("/restore"):
        call.outputs["cache-primary-key"] = call.input("key")
        call.outputs["cache-matched-key"] = ""
    if call.flag("fail-on-cache-miss"):
        return Outcome(Result.FAILURE, reason=f"{REASON}, and fail-on-cache-miss is set")
    return Outcome(Result.SUCCESS, reason=REASON)
