"""How a run looks while it goes on: on a terminal a line for each running job, elsewhere a line for each finished one."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ecluse.cli.run_text import clean, said, took

if TYPE_CHECKING:
    from ecluse.checks import Plan
    from ecluse.cli.frame import Frame
    from ecluse.cli.run_live import Live
    from ecluse.model import Report

MARKS = {"success": "ok", "failure": "error", "cancelled": "warn", "skipped": "wait"}

FEW_JOBS = 10
"""With so many jobs or fewer, finished steps are named where it is no terminal; with more, only failed ones."""


class RunView:
    """Hears the events of a run and shows them; with ``stream`` it passes them on as JSON lines instead.

    Use it as a context: whatever happens inside, the terminal is left as it was.
    """

    def __init__(self, frame: Frame, *, stream: bool = False) -> None:
        self.frame = frame
        self.stream = stream
        self.live: Live | None = None
        self.titles: dict[str, str] = {}
        self._names_steps = False
        self._kept: list[dict[str, object]] | None = None
        if stream or frame.quiet or frame.verbose:
            return  # every line is printed with -v, and a lower part would only flicker
        if sys.stderr.isatty() and self.terminal != "dumb":
            from ecluse.cli.run_live import Live

            self.live = Live(color=frame.color)

    def __enter__(self) -> RunView:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.pause()

    def pause(self) -> None:
        """Leave the terminal to somebody else."""
        if self.live:
            self.live.stop()

    @property
    def terminal(self) -> str:
        """What kind of terminal this is, for programs that are started on it."""
        return os.environ.get("TERM", "dumb")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Leave the terminal to somebody else for the block; what happens meanwhile is shown afterwards."""
        self.pause()
        self._kept = []
        try:
            yield
        finally:
            kept, self._kept = self._kept, None
            if self.live:
                self.live.start()
            for event in kept or ():
                self.hear(event)

    def hear(self, event: dict[str, object]) -> None:
        """Take one event of the run."""
        if self._kept is not None:
            self._kept.append(event)
        elif self.stream:
            self.frame.put(json.dumps(event, ensure_ascii=False))
        elif not self.frame.quiet:
            if self.live:
                with self.live.guard:
                    self._follow(event, self.live)
            self._say(event)

    def _follow(self, event: dict[str, object], live: Live) -> None:
        from ecluse.cli.run_live import Running

        kind, key = event["event"], str(event.get("job", ""))
        if kind == "run.started":
            live.tally.total = int(str(event["jobs"]))
        elif kind == "job.started":
            live.running[key] = Running(str(event["name"]), time.monotonic())
        elif kind == "job.finished":
            live.running.pop(key, None)
            result = str(event["result"])
            live.tally.results[result] = live.tally.results.get(result, 0) + 1
        elif key in live.running:
            if kind == "step.started":
                live.running[key].step, live.running[key].said = str(event["name"]), ""
            elif kind == "line" and not str(event["text"]).startswith("##["):
                live.running[key].said = str(event["text"]) or live.running[key].said

    def _say(self, event: dict[str, object]) -> None:
        """What stays on the screen: finished jobs, steps that failed, and with ``-v`` every step and line."""
        kind, verbose = event["event"], self.frame.verbose
        key = str(event.get("job", ""))
        name = self.titles.get(key, key)
        if kind == "waiting":
            groups = ", ".join(map(str, event["groups"])) if isinstance(event["groups"], list) else ""
            self.frame.say(f"{clean(str(event['who']))} waits for the concurrency group {clean(groups)}", "wait")
        if kind == "run.started":
            self._names_steps = self.live is None and int(str(event["jobs"])) <= FEW_JOBS
        elif kind == "job.started":
            self.titles[key] = clean(str(event["name"]))
        elif kind == "line" and verbose:
            self.print(self.frame.style(f"    {name} | {said(str(event['text']))}", "dim"))
        elif kind == "step.started" and verbose:
            self.print(self.frame.style(f"  {name}: {clean(str(event['name']))}", "dim"), "step")
        elif kind == "step.finished":
            failed = event["outcome"] == "failure"
            skipped = event["conclusion"] == "skipped"
            if verbose or failed or (self._names_steps and not skipped):
                let_pass = " (and goes on)" if failed and event["conclusion"] == "success" else ""
                mark = "warn" if let_pass else MARKS[str(event["conclusion"])]
                lasted = "" if skipped else f"  {took(event['duration_ms'])}"
                self.print(f"  {name}: {clean(str(event['name']))}{let_pass}{lasted}", mark)
        elif kind == "job.finished":
            result = str(event["result"])
            if not verbose and (event.get("reused") or (self.live and result in ("success", "skipped"))):
                return  # counted below while it goes on, and drawn at the end
            why = f"  {clean(str(event['reason'])).removeprefix(f'{result}: ')}" if event["reason"] else ""
            head = self.frame.style(f"{clean(str(event['name']))}: {result}", "bold")
            lasted = "" if result == "skipped" else f"  {took(event['duration_ms'])}"
            self.print(f"{head}{lasted}{why}", MARKS[result])

    def print(self, text: str, mark: str = "") -> None:
        """A line for good, above what is live."""
        if self.live and not self.frame.quiet:
            self.live.note(self.frame.marked(text, mark))
        else:
            self.frame.say(text, mark)

    def show_plan(self, plan: Plan) -> None:
        """What would run, on standard output."""
        if self.stream or self.frame.as_json:
            return
        for job in plan.jobs:
            needs = f"  after {', '.join(job.needs)}" if job.needs else ""
            self.frame.put(f"{job.workflow}  {job.id}  {clean(job.name)}{needs}")
            if job.open_matrix:
                self.frame.put("    its matrix is known when its needs have run")
            if job.reason:
                self.frame.put(f"    cannot run here: it {clean(job.reason)}")
            if job.note:
                self.frame.put(f"    it {job.note}")
            if job.environment:
                self.frame.put(f"    environment: {job.environment}")
            if job.permissions is not None:
                said = ", ".join(f"{name}: {level}" for name, level in job.permissions.items()) or "none"
                self.frame.put(f"    permissions of its token on GitHub: {said}")
            for step in job.steps:
                self.frame.put(f"    {step.number}. {clean(step.name)}")

    def finish(self, report: Report, **words: Any) -> None:
        """What a reader wants at the end; see :func:`ecluse.cli.run_summary.show`."""
        self.pause()
        if self.stream or self.frame.quiet:
            return
        from ecluse.cli.run_summary import show

        show(self.frame, report, with_times=self.live is not None or self.frame.verbose, **words)
