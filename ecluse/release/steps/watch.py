"""``watch``: for a while somebody keeps looking. A detached job, found again after a death."""

from __future__ import annotations

from ecluse import process
from ecluse.errors import Failed
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.process import JobState
from ecluse.release import watch
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

POLL_S = 0.2
ATTEMPTS = 3
"""How often a watch that was killed itself is begun anew before the release is taken for unwell."""


def run(context: Context) -> Outcome:
    """Start the watch or find it again; over: its result. Raises :class:`Failed` when it saw the service unwell."""
    window = _seconds(context, "window", 60.0)
    for attempt in range(1, ATTEMPTS + 1):
        job = context.folder / f"{context.effect()}-{attempt}"
        perform(
            context.history,
            context.release.subject,
            context.effect(str(attempt)),
            lambda plan, job=job: _begin(context, job, window, plan),  # type: ignore[misc]
            probe=lambda plan, job=job: Probed(process.job_status(job).state is not JobState.ABSENT, plan),  # type: ignore[misc]
            plan={"job": str(job), "window_s": window},
        )
        running = process.job_status(job).state is JobState.RUNNING
        result = watch.result_of(job)
        if result is not None and result.well:
            said = f"{result.rounds} looks in {window:g} s, {result.bad} of them bad; the last: {result.said}"
            return Done(said, {"rounds": result.rounds, "bad": result.bad, "window_s": window})
        if result is not None:
            raise Failed(
                "watch.unwell",
                f"unwell in the watch, after {result.rounds} looks; the last: {result.said}",
                f"curl -i {context.target.address(context.target.health)}",
            )
        if running:
            return Again(POLL_S, "watch")
    raise Failed("watch.lost", f"the watch was ended from outside {ATTEMPTS} times", f"ls {context.folder}")


def _begin(context: Context, job: object, window: float, plan: dict[str, object]) -> dict[str, object]:
    from pathlib import Path

    watch.begin(
        Path(str(job)),
        context.target,
        context.release.version,
        window_s=window,
        every_s=_seconds(context, "every", 1.0),
        failures=int(_seconds(context, "failures", 2)),
    )
    return plan


def _seconds(context: Context, key: str, default: float) -> float:
    text = context.argument(key)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if value <= 0:
        raise Failed("watch.argument", f"watch: {key}={text} is not a positive number.", "ecluse playbook lint")
    return value


SHAPE = Shape(
    "watch",
    "looks at health and smoke again and again until the window is over; unwell ends it early",
    run,
    keys={
        "window": "seconds to watch; 60 when not given",
        "every": "seconds between two looks; 1 when not given",
        "failures": "bad looks in a row that end it; 2 when not given",
    },
)
