"""``incident.post-mortem``: a page in docs/post-mortems with the facts filled in, landed like any other change."""

from __future__ import annotations

from ecluse.model import Landing
from ecluse.release import postmortem
from ecluse.release.context import Context
from ecluse.release.steps import following, incident_open
from ecluse.release.steps.shape import Done, Outcome, Shape


def run(context: Context) -> Outcome:
    """Write the page on the trunk's tip and wait for its landing."""
    what = postmortem.incident(*incident_open.of(context))
    change = postmortem.write(context, what, context.effect("page"), _facts(context), land=True)
    landing = following.landed(context, change)
    if not isinstance(landing, Landing):
        return landing
    return Done(
        f"{change.files[0]} landed as {landing.candidate[:12]}", {"path": change.files[0], "change": change.key}
    )


def _facts(context: Context) -> list[str]:
    """What else the start was told (who leads, say), and what the gates were answered, by whom."""
    told = [f"{name}: {value}" for name, value in context.release.inputs.items() if name not in SHAPE.keys and value]
    events = context.history.events(subject=context.release.subject, kind="gate", limit=50)
    return [*told, *(f"{event.at[11:16]} {event.text}" for event in events if event.kind == "gate.answered")]


SHAPE = Shape(
    "incident.post-mortem",
    "writes docs/post-mortems/YYYY-MM-DD-<title>.md with timeline, versions and changes filled in, and lands it",
    run,
    keys=dict(incident_open.SHAPE.keys),
    kinds=dict(incident_open.SHAPE.kinds),
    required=("title",),
    outputs={"path": "the page", "change": "the key of the change that brought it"},
    effect="a change of its own that lands as any other",
    probe="the change of this step is found in the history",
    aside=True,
)
