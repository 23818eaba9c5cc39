"""``health.http``: the service answers that it is well, in the expected version, within its time."""

from __future__ import annotations

from datetime import timedelta

from ecluse import clock
from ecluse.errors import Failed
from ecluse.release import deployments
from ecluse.release.context import Context
from ecluse.release.deploy import carrier_of
from ecluse.release.probes import look_at_health
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

POLL_S = 0.2


def run(context: Context) -> Outcome:
    """Look once. Well: the deployment is live. Not well in time, or the service gone: raises :class:`Failed`."""
    target, made = context.target, context.deployment
    address = target.address(context.argument("path", target.health))
    seen = look_at_health(address, made.version if made else "")
    if seen.well:
        deployments.mark_live(context)
        return Done(seen.said, {"address": address})
    gone = carrier_of(target).ended(context, 1) if made else ""
    began = clock.parse(context.progress["began"])
    if not gone and clock.now() <= began + timedelta(seconds=target.timeout_s):
        return Again(POLL_S, "health")
    why = gone or f"not well within {target.timeout_s:g} s"
    raise Failed("health.unwell", f"{why}; the last look: {seen.said}", f"curl -i {address}")


SHAPE = Shape(
    "health.http",
    "waits until the service answers 200 in the expected version; then the deployment counts as live",
    run,
    keys={"path": "the path to ask, when not the environment's own"},
    environment=True,
    outputs={"address": "what was asked"},
)
