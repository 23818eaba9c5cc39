"""``wait``: nothing happens for a while, or until a time of the day. It costs nothing and outlives a reboot."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ecluse import clock
from ecluse.errors import Invalid
from ecluse.release import durations
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")


def run(context: Context) -> Outcome:
    """Come back when the time has passed since the step began."""
    began = clock.parse(context.progress["began"])
    until = end_of(began, context.argument("for"), context.argument("until"))
    left = (until - clock.now()).total_seconds()
    if left > 0:
        return Again(left, f"until {clock.instant(until)}")
    return Done(f"waited until {clock.instant(until)[:19]}Z", {"until": clock.instant(until)})


def end_of(began: datetime, span: str, until: str) -> datetime:
    """When the waiting that began at ``began`` is over. Raises :class:`Invalid` unless exactly one of the two is right."""
    seconds, time = durations.seconds(span), _TIME.match(until)
    if bool(span) == bool(until) or (span and seconds is None) or (until and not time):
        raise Invalid(
            "wait.argument",
            f"wait takes for=90s, for=10m, for=2h, for=1d or until=HH:MM (UTC), and not for={span} until={until}.",
            "ecluse playbook lint",
        )
    if seconds is not None:
        return began + timedelta(seconds=seconds)
    assert time is not None  # noqa: S101 - one of the two is there
    at = began.replace(hour=int(time[1]), minute=int(time[2]), second=0, microsecond=0)
    return at if at >= began else at + timedelta(days=1)


SHAPE = Shape(
    "wait",
    "waits for a time, or until a time of the day",
    run,
    keys={"for": "how long: 90s, 10m, 2h, 1d", "until": "or until when: HH:MM in UTC"},
    kinds={"for": "time", "until": "clock"},
    outputs={"until": "when it was over"},
)
