"""How a run looks on a terminal: a line per finished step, the failing steps' last lines, a summary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecluse.model import Job, Report, Result, Step

if TYPE_CHECKING:
    from ecluse.checks import Plan
    from ecluse.cli.frame import Frame

_MARKS = {"success": "ok", "failure": "error", "cancelled": "warn", "skipped": "wait"}


class RunView:
    """Hears the events of a run and shows them; with ``stream`` it passes them on as JSON lines instead."""

    def __init__(self, frame: Frame, *, stream: bool = False) -> None:
        self.frame = frame
        self.stream = stream

    def hear(self, event: dict[str, object]) -> None:
        if self.stream:
            self.frame.put(json.dumps(event, ensure_ascii=False))
            return
        if self.frame.quiet:
            return
        kind, job = str(event["event"]), str(event.get("job", ""))
        if kind == "step.started" and (self.frame.color or self.frame.verbose):
            self.frame.say(self.frame.style(f"  {job} · {event['name']}", "dim"), "step")
        elif kind == "line":
            self.frame.detail(f"    {job} | {event['text']}")
        elif kind == "waiting":
            groups = ", ".join(map(str, event["groups"])) if isinstance(event["groups"], list) else ""
            self.frame.say(f"{event['who']} waits for the concurrency group {groups}", "wait")
        elif kind == "step.finished":
            self.frame.say(f"  {job} · {event['name']}  {took(event['duration_ms'])}", self.mark(event))
        elif kind == "job.finished":
            why = f"  {event['reason']}" if event["reason"] else ""
            head = self.frame.style(f"{job}: {event['result']}", "bold")
            self.frame.say(f"{head}  {took(event['duration_ms'])}{why}", _MARKS[str(event["result"])])

    def mark(self, event: dict[str, object]) -> str:
        if event["outcome"] == "failure" and event["conclusion"] == "success":
            return "warn"
        return _MARKS[str(event["conclusion"])]

    def show_plan(self, plan: Plan) -> None:
        """What would run, on standard output."""
        if self.stream or self.frame.as_json:
            return
        for job in plan.jobs:
            needs = f"  after {', '.join(job.needs)}" if job.needs else ""
            self.frame.put(f"{job.workflow}  {job.id}  {job.name}{needs}")
            if job.open_matrix:
                self.frame.put("    its matrix is known when its needs have run")
            if job.reason:
                self.frame.put(f"    cannot run here: it {job.reason}")
            if job.note:
                self.frame.put(f"    it {job.note}")
            if job.environment:
                self.frame.put(f"    environment: {job.environment}")
            if job.permissions is not None:
                said = ", ".join(f"{name}: {level}" for name, level in job.permissions.items()) or "none"
                self.frame.put(f"    permissions of its token on GitHub: {said}")
            for step in job.steps:
                self.frame.put(f"    {step.number}. {step.name}")

    def finish(self, report: Report) -> None:
        """The failing steps with their last lines, and the outcome of the whole."""
        if self.stream or self.frame.quiet:
            return
        for job in report.jobs:
            for step in job.steps:
                if step.outcome is Result.FAILURE and job.result is Result.FAILURE and step.tail:
                    self.show_tail(job, step)
        for note in report.annotations:
            place = f"{note.path}:{note.line}: " if note.path else ""
            self.frame.say(f"{note.level}: {place}{note.message}", "error" if note.level == "error" else "warn")
        counts = {result: sum(job.result is result for job in report.jobs) for result in Result}
        said = ", ".join(f"{count} {result.value}" for result, count in counts.items() if count)
        good = report.result is Result.SUCCESS
        reason = f" ({report.reason})" if report.reason else ""
        word = "green" if good else "red"
        self.frame.say(f"{word}: {said}{reason}  {took(report.duration_ms)}", "ok" if good else "error")

    def show_tail(self, job: Job, step: Step) -> None:
        self.frame.say()
        self.frame.say(f"{job.name} · {step.name}, the last lines:", "error")
        for line in step.tail:
            self.frame.say(f"    {line}")


def took(milliseconds: Any) -> str:
    """A duration as people say it."""
    value = float(milliseconds)
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.1f} s"
    return f"{int(value // 60_000)} min {value % 60_000 / 1000:.0f} s"
