"""The lower part of a terminal while a run goes on: one line for each running job, and one for the whole.

What is finished scrolls up above it and stays. Everything is repainted at most ten times a second, so that a noisy
job costs nothing.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time

from ecluse.cli.run_text import clean, cut, full, pad, took
from ecluse.dataclass import dataclass, field

PAINT_EVERY_S = 0.1
_KEPT_ROWS = 3  # of the terminal, for what scrolls above


@dataclass(slots=True)
class Running:
    """A job under way: since when (monotonic seconds), at which step, and what it said last."""

    name: str
    since: float
    step: str = ""
    said: str = ""


@dataclass(slots=True)
class Tally:
    """How far the run is."""

    total: int = 0
    results: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return sum(self.results.values())


class Live:
    """Paints on standard error, which must be a terminal. ``note`` prints above; use from any thread."""

    def __init__(self, *, color: bool) -> None:
        self.color = color
        self.running: dict[str, Running] = {}
        self.tally = Tally()
        self.guard = threading.RLock()
        self._begun = time.monotonic()
        self._rows = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn = 0

    def start(self) -> None:
        self._stop.clear()
        sys.stderr.write("\x1b[?25l")
        self._thread = threading.Thread(target=self._tick, name="live view", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the terminal as it was: nothing of the lower part stays, the cursor is back."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        with self.guard:
            sys.stderr.write(self._erase() + "\x1b[?25h")
            sys.stderr.flush()

    def note(self, text: str) -> None:
        """Print ``text`` above the running jobs, for good."""
        with self.guard:
            sys.stderr.write(f"{self._erase()}{text}\n")
            self._paint()

    def _tick(self) -> None:
        while not self._stop.wait(PAINT_EVERY_S):
            with self.guard:
                self._turn += 1
                sys.stderr.write(self._erase())
                self._paint()

    def _erase(self) -> str:
        """Line by line: tmux takes a clearing of all below the first line for a page to keep in its memory."""
        rows, self._rows = self._rows, 0
        return "\r\x1b[K" + "\x1b[1A\x1b[2K" * rows

    def _paint(self) -> None:
        columns, height = shutil.get_terminal_size()
        rows = self.rows(columns - 1, max(1, height - _KEPT_ROWS))
        sys.stderr.write("".join(f"{row}\n" for row in rows))
        sys.stderr.flush()
        self._rows = len(rows)

    def rows(self, columns: int, height: int) -> list[str]:
        """The lines of the lower part: the longest-running jobs first, then how far the whole is."""
        now = time.monotonic()
        jobs = sorted(self.running.values(), key=lambda job: job.since)
        shown = jobs[: height - 1] if len(jobs) < height else jobs[: max(0, height - 2)]
        wide = min(max((len(clean(job.name)) for job in shown), default=0), max(12, columns // 3))
        turn = full("⠋⠙⠹⠸⠼⠴⠦⠧", "|/-\\")
        sign = self._dye(turn[self._turn % len(turn)], "36")
        found = []
        for job in shown:
            head = f"{pad(clean(job.name), wide)}  {took((now - job.since) * 1000):>9}  {clean(job.step)}"
            room = columns - 2
            text = cut(head, room)
            rest = room - len(text) - 3
            said = self._dye(f" {full('│', '|')} {cut(clean(job.said), rest)}", "2") if job.said and rest > 8 else ""
            found.append(f"{sign} {text}{said}")
        if len(jobs) > len(shown):
            found.append(self._dye(f"  and {len(jobs) - len(shown)} more running", "2"))
        return [*found, self._dye(cut(self._line(now), columns), "1")]

    def _line(self, now: float) -> str:
        tally = self.tally
        total = max(tally.total, tally.done + len(self.running))
        failed = tally.results.get("failure", 0)
        parts = [f"{tally.done} of {total} jobs done", f"{len(self.running)} running"]
        parts += [f"{failed} failed"] if failed else []
        return f"  {', '.join(parts)}  {took((now - self._begun) * 1000)}"

    def _dye(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text
