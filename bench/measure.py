"""Whole processes measured side by side: rounds are interleaved (every command once, then again), so that a machine
whose speed drifts treats all alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Task:
    """One process to measure. ``before`` and ``after`` prepare and clean up each round, outside of the measurement."""

    label: str
    words: Sequence[str]
    cwd: Path
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    stdin: Path | None = None
    env: dict[str, str] = field(default_factory=lambda: environment())
    taken: list[float] = field(default_factory=list)
    """Milliseconds of wall time, one for each round that counts."""

    def run(self) -> float:
        """Milliseconds that one run takes, from before the start of the process until it has ended."""
        if self.before:
            self.before()
        with (self.stdin or Path(os.devnull)).open("rb") as source:
            started = time.perf_counter()
            done = subprocess.run(self.words, cwd=self.cwd, stdin=source, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, env=self.env, check=False)  # fmt: skip
            took = (time.perf_counter() - started) * 1000
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, self.words))}: {done.stderr.decode('utf-8', 'replace')}")
        if self.after:
            self.after()
        return took


def environment() -> dict[str, str]:
    """What a measured process gets: the user's environment without settings that are not a user's.

    Compiled modules are kept, as pip leaves them where Écluse is installed: the round that does not count makes them.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def interleave(tasks: Sequence[Task], rounds: int) -> None:
    """Run all tasks ``rounds`` times after one round that is not counted; the times are in ``taken``."""
    for number in range(rounds + 1):
        for task in tasks:
            took = task.run()
            if number:
                task.taken.append(took)


def together(tasks: Sequence[Task]) -> list[float]:
    """What the tasks took together, round by round."""
    return [sum(round_) for round_ in zip(*(task.taken for task in tasks), strict=True)]


def report(label: str, taken: Sequence[float], bar: float | None = None, *, said: str = "") -> bool:
    """One row: median, least, most, and whether the median is at most the bar. Returns whether it is."""
    middle = statistics.median(taken)
    met = bar is None or middle <= bar
    verdict = "" if bar is None else f"{'met' if met else 'MISSED'} (<= {bar:.0f}{said})"
    print(f"{label:<58} {middle:9.1f} {min(taken):9.1f} {max(taken):9.1f}  {verdict}")
    return met


def head(title: str) -> None:
    """The title of a table."""
    print(f"\n{title}\n{'':<58} {'median':>9} {'min':>9} {'max':>9}  bar")
