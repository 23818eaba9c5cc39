"""The end of a run on a terminal: times, annotations, what failed with its last lines, failed tests, one last line.

The most important comes last, where the eye is. Fifty jobs must stay readable: what is the same in several jobs is
said once, and long lists are cut with a count.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from ecluse.cli.run_text import bar, clean, cut, listed, pad, said, took, width
from ecluse.cli.run_view import MARKS
from ecluse.model import Annotation, Job, Report, Result, Step

if TYPE_CHECKING:
    from ecluse.cli.frame import Frame

MAX_ROWS = 60
MAX_TAILS = 5
MAX_TAIL_LINES = 25
MAX_TESTS = 15
MAX_NOTES = 15
_COLUMNS = 100
_STYLES = {Result.SUCCESS: "ok", Result.FAILURE: "error", Result.CANCELLED: "warn", Result.SKIPPED: "dim"}


def show(frame: Frame, report: Report, *, with_times: bool, kept: str = "") -> None:
    """Say what a finished run came to; ``kept`` is where the report lies."""
    idle = [clean(job.name) for job in report.jobs if job.result is Result.SKIPPED]
    over = [clean(job.name) for job in report.jobs if job.reused]
    for word, names in (("skipped", idle if with_times else []), ("taken over", over)):
        if names:
            frame.say(frame.style(f"{word}: {listed(names, 10)}", "dim"))
    if with_times:
        _times(frame, report)
    _notes(frame, report)
    _failures(frame, report)
    _tests(frame, report)
    frame.say()
    good = report.result is Result.SUCCESS
    frame.say(frame.style(last_line(report), "bold"), "ok" if good else "error")
    if kept:
        frame.say(frame.style(f"  report: {kept}", "dim"))
    if not good and any(job.result is Result.FAILURE for job in report.jobs):
        frame.say(frame.style("  next: ecluse run --rerun-failed, or with -v for every line", "dim"))


def last_line(report: Report) -> str:
    """The whole run in one line."""
    counts = {result: sum(job.result is result for job in report.jobs) for result in Result}
    summed = ", ".join(f"{count} {result.value}" for result, count in counts.items() if count)
    parts = [f"{'green' if report.result is Result.SUCCESS else 'red'}: {summed or 'no jobs'}"]
    reused = sum(bool(job.reused) for job in report.jobs)
    parts += [f"{reused} of them taken over"] if reused else []
    parts += [f"({report.reason})"] if report.reason else []
    parts += [f"cause: {report.cause}"] if report.cause else []
    if report.tests is not None:
        counted = report.tests.counts
        bad = counted.failed + counted.errors
        parts.append(f"{counted.total:,} tests" + (f", {bad:,} failed" if bad else ""))
    if report.coverage is not None:
        parts.append(f"coverage {report.coverage.percent:.1f} %")
    return "  ".join([*parts, took(report.duration_ms)])


def _times(frame: Frame, report: Report) -> None:
    """A line for each job that ran, in the order in which they began, drawn on the time of the whole run."""
    ran = [job for job in report.jobs if job.started_at and not job.reused]
    if not ran:
        return
    begin = _seconds(report.started_at)
    chosen = sorted(ran, key=lambda job: -job.duration_ms)[:MAX_ROWS]
    chosen.sort(key=lambda job: (job.started_at, job.key))
    columns = min(shutil.get_terminal_size().columns, 160) - 1
    name = min(max(width(clean(job.name)) for job in chosen), columns // 3)
    room = columns - name - 16
    frame.say()
    for job in chosen:
        start = (_seconds(job.started_at) - begin) * 1000
        drawn = bar(start, start + job.duration_ms, report.duration_ms, room)
        text = f"{pad(clean(job.name), name)}  {took(job.duration_ms):>10}  {frame.style(drawn, _STYLES[job.result])}"
        frame.say(text, MARKS[job.result])
    if len(ran) > len(chosen):
        frame.say(frame.style(f"  and {len(ran) - len(chosen)} shorter jobs", "dim"))


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def _notes(frame: Frame, report: Report) -> None:
    """Annotations, errors first, each once however many jobs gave it."""
    seen: dict[tuple[str, str, int, str], list[Annotation]] = {}
    for note in report.annotations:
        seen.setdefault((note.level, note.path, note.line, note.message), []).append(note)
    order = {"error": 0, "warning": 1}
    ranked = sorted(seen.values(), key=lambda same: order.get(same[0].level, 2))
    if ranked:
        frame.say()
    for same in ranked[:MAX_NOTES]:
        note = same[0]
        place = f"{clean(note.path)}:{note.line}: " if note.path else ""
        times = f"  (in {len(same)} jobs)" if len(same) > 1 else ""
        first = clean(note.message.split("\n", 1)[0])
        frame.say(f"{note.level}: {place}{first}{times}", {"error": "error", "warning": "warn"}.get(note.level, "step"))
    if len(ranked) > MAX_NOTES:
        frame.say(f"  and {len(ranked) - MAX_NOTES} more annotations; the report has all")
    for here in [note for note in report.not_run_here if note.step][:MAX_NOTES]:  # a whole job's was said when it ended
        frame.say(f"not run here: {clean(here.what)} ({here.job}): {clean(here.why)}", "warn")


def _failures(frame: Frame, report: Report) -> None:
    """The steps that failed a job, with their last lines; the same step of several jobs is shown once."""
    groups: dict[tuple[str, int, str], list[tuple[Job, Step]]] = {}
    for job, step in failed_steps(report.jobs):
        groups.setdefault((job.workflow, step.number, job.id), []).append((job, step))
    for same in list(groups.values())[:MAX_TAILS]:
        job, step = same[0]
        frame.say()
        cause = f" [{step.cause}]" if step.cause else ""
        frame.say(f"{clean(job.name)}: {clean(step.name)}{cause}, the last lines:", "error")
        for line in step.tail[-MAX_TAIL_LINES:]:
            frame.say(f"    {said(line)}")
        if len(same) > 1:
            others = [clean(other.name) for other, _ in same[1:]]
            frame.say(f"  the same step failed in {len(others)} more: {listed(others, 8)}", "error")
        if job.log:
            frame.say(frame.style(f"    whole log: {job.log}", "dim"))
    hidden = [clean(same[0][0].name) for same in list(groups.values())[MAX_TAILS:]]
    if hidden:
        frame.say()
        frame.say(f"also failed: {listed(hidden, 20)}", "error")


def failed_steps(jobs: Iterable[Job]) -> list[tuple[Job, Step]]:
    """The steps that made their jobs fail."""
    return [
        (job, step)
        for job in jobs
        if job.result is Result.FAILURE
        for step in job.steps
        if step.conclusion is Result.FAILURE and step.tail
    ]


def _tests(frame: Frame, report: Report) -> None:
    """Failed tests by name, each with the first line of its message."""
    tests = report.tests
    if tests is None:
        return
    where: dict[str, list[str]] = {}
    for one in tests.failures:
        where.setdefault(one.name, []).append(one.job)
    messages = {one.name: one.message for one in reversed(tests.failures)}
    if where:
        frame.say()
        frame.say(f"failed tests ({len(where)}):", "error")
    for name, jobs in list(where.items())[:MAX_TESTS]:
        first = clean(next((line for line in messages[name].splitlines() if line.strip()), "").strip())
        frame.say(f"    {clean(name)}  ({listed(jobs, 3)})" + (f": {cut(first, _COLUMNS)}" if first else ""))
    if len(where) > MAX_TESTS:
        frame.say(f"    and {len(where) - MAX_TESTS} more; the report has all")
    if frame.verbose and tests.slowest:
        slow = [f"{clean(one.name)} {took(one.duration_ms)}" for one in tests.slowest]
        frame.say(f"slowest tests: {listed(slow, 5)}", "step")
    if tests.flaky:
        frame.say(f"failed and passed in one job: {listed([clean(name) for name in tests.flaky], 5)}", "warn")
