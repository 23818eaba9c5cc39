"""``incident.open``: what happened lately, from the history, for the people who have to stop the hurt."""

from __future__ import annotations

from ecluse.release.context import Context
from ecluse.release.postmortem import incident, timeline
from ecluse.release.steps.shape import Done, Shape

SHOWN = 5


def of(context: Context) -> tuple[str, str, str]:
    """The step's arguments: title, severity and beginning; the beginning is the run's own when none is given."""
    said = {key: context.argument(key).strip() for key in ("title", "severity", "since")}
    return said["title"], said["severity"] or "SEV2", said["since"] or f"{context.release.created_at[:19]}Z"


def run(context: Context) -> Done:
    """Collect the timeline. Raises :class:`Invalid` for a title, severity or time that is none."""
    what = incident(*of(context))
    events = timeline(context.history, what.since)
    lines = [f"{event.at[:16].replace('T', ' ')} {event.text}" for event in events]
    last = "; ".join(lines[-SHOWN:]) or "nothing is on record"
    return Done(f"{what.severity} since {what.since[:16]}Z, {len(events)} events; last: {last}", {"timeline": lines})


SHAPE = Shape(
    "incident.open",
    "collects releases, landings, deployments, gates and runs from a day before the incident until now",
    run,
    keys={
        "title": "what is wrong, in a few words",
        "severity": "SEV1, SEV2 or SEV3; SEV2 when not given",
        "since": "when it began, YYYY-MM-DDTHH:MMZ; the start of this run when not given",
    },
    kinds={"severity": "SEV1|SEV2|SEV3"},
    required=("title",),
    outputs={"timeline": "a line for each event, oldest first"},
    aside=True,
)
