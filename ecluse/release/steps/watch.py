"""``watch``: for a while somebody keeps looking. A detached job, found again after a death."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ecluse import clock, process
from ecluse.errors import Failed
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.model import Release, ReleaseState
from ecluse.process import JobState
from ecluse.release import durations, watch
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

POLL_S = 0.2
ATTEMPTS = 3
"""How often a watch that was killed itself is begun anew before the release is taken for unwell."""


def run(context: Context) -> Outcome:
    """Start the watch or find it again; over: its result. Raises :class:`Failed` when it saw the service unwell."""
    window = window_s(context)
    before = context.retries * ATTEMPTS
    for attempt in range(before + 1, before + ATTEMPTS + 1):
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
            return Done(said, {**asdict(result), "window_s": window})
        if result is not None:
            raise Failed(
                "watch.unwell",
                f"unwell in the watch, after {result.rounds} looks; the last: {result.said}",
                f"curl -i {context.target.address(context.target.health)}",
            )
        if running:
            return Again(POLL_S, "watch")
    raise Failed("watch.lost", f"the watch was ended from outside {ATTEMPTS} times", f"ls {context.folder}")


def window_s(context: Context) -> float:
    """How long the watch lasts, in seconds."""
    return _seconds(context, "window", 60.0)


def _begin(context: Context, job: object, window: float, plan: dict[str, object]) -> dict[str, object]:
    made = context.deployment
    frame = watch.Frame(
        window_s=window,
        every_s=_seconds(context, "every", 1.0),
        failures=int(_seconds(context, "failures", 2)),
        live_at=clock.parse(made.created_at).timestamp() if made else 0.0,
        median_before=_median_before(context),
    )
    watch.begin(Path(str(job)), context.target, made.version if made else context.release.version, frame)
    return plan


def _median_before(context: Context) -> float:
    """The median of answers, in milliseconds, in the newest watch of this environment that ended well; 0: none."""
    environment = context.release.environment
    for release in context.history.find(Release, environment=environment, state=ReleaseState.DONE, newest_first=True):
        for step in release.outputs.get("steps", {}).values():
            median = (step.get("result") or {}).get("median_ms")
            if step.get("does") == "watch" and median:
                return float(median)
    return 0.0


def _seconds(context: Context, key: str, default: float) -> float:
    text = context.argument(key).strip()
    value = durations.seconds(text) if text else default
    if not value:
        raise Failed("watch.argument", f"watch: {key}={text} is no length of time.", "ecluse playbook lint")
    return value


SHAPE = Shape(
    "watch",
    "looks at health, smoke, logs, response times, metrics and external monitors until the window is over, and compares "
    "with the window before; unwell ends it early",
    run,
    keys={
        "window": "how long to watch, such as 15 min; a bare number is seconds; 60 s when not given",
        "every": "the time between two looks; 1 s when not given",
        "failures": "bad looks in a row that end it; 2 when not given",
    },
    kinds={"window": "time", "every": "time", "failures": "count"},
    environment=True,
    outputs={
        "rounds": "how many looks",
        "bad": "how many of them were not well",
        "median_ms": "the middle of the health path's answers",
        "error_rate": "errors per 100 log lines",
        "numbers": "what the metrics came to",
    },
    effect="a detached job on this machine",
    probe="the job's folder and lock",
)
