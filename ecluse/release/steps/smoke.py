"""``smoke``: a few real requests, each with what its answer must be."""

from __future__ import annotations

from ecluse.errors import Failed
from ecluse.release.context import Context
from ecluse.release.probes import look_at_answer
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Send the environment's smoke requests in order. Raises :class:`Failed` at the first that is not as expected."""
    target = context.target
    for request in target.smoke:
        seen = look_at_answer(request.method, target.address(request.path), request.expect, request.contains)
        if not seen.well:
            raise Failed("smoke.failed", seen.said, f"curl -i {target.address(request.path)}")
    count = len(target.smoke)
    if not count:
        return Done(f"{target.name} has no smoke requests in ecluse.toml: nothing was tried", {"requests": 0})
    return Done(f"{count} of {count} requests are answered as expected", {"requests": count})


SHAPE = Shape("smoke", "sends the environment's smoke requests and compares the answers", run)
