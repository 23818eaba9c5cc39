"""``make bench``: whole processes side by side in one run, medians, with the peers they are measured against.

Rounds are interleaved (every command once, then again), so that a machine whose speed drifts treats all alike.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ecluse.clock import instant
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Run, RunState

DEMOS = int(os.environ.get("ECLUSE_BENCH_DEMOS", "3"))
ROUNDS = int(os.environ.get("ECLUSE_BENCH_ROUNDS", "15"))
RECORDS = 10_000
BAR_MS = 100.0
DEMO_BAR_S = 60.0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ecluse-bench-") as name:
        folder = Path(name)
        filled = fill(folder / "filled")
        ecluse = str(Path(sys.executable).with_name("ecluse"))
        rows: list[tuple[str, list[str], float | None]] = [
            ("git --version", ["git", "--version"], None),
            ("python -c pass", [sys.executable, "-c", "pass"], None),
            ("ecluse --help", [ecluse, "--help"], BAR_MS),
            (f"ecluse history list ({RECORDS:,} records)", [ecluse, "history", "list"], BAR_MS),
            (f"ecluse status ({RECORDS:,} records)", [ecluse, "status"], BAR_MS),
            ("ecluse history search", [ecluse, "history", "search", "landed", "agent7"], None),
        ]
        times = measure([words for _, words, _ in rows], filled)
        print(
            f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; {ROUNDS} interleaved rounds, whole processes, milliseconds"
        )
        print(f"{'command':<42} {'median':>8} {'min':>8} {'max':>8}  bar")
        for (label, _, bar), taken in zip(rows, times, strict=True):
            report(label, taken, bar)
        print(f"the whole demo, {DEMOS} runs, seconds")
        report("ecluse demo", [demo(ecluse, folder / str(number)) for number in range(DEMOS)], DEMO_BAR_S)


def report(label: str, taken: Sequence[float], bar: float | None) -> None:
    """One row: median, least, most, and whether the median is below the bar."""
    middle = statistics.median(taken)
    verdict = "" if bar is None else f"{'met' if middle < bar else 'MISSED'} (< {bar:.0f})"
    print(f"{label:<42} {middle:8.1f} {min(taken):8.1f} {max(taken):8.1f}  {verdict}")


def demo(ecluse: str, folder: Path) -> float:
    """Seconds that one whole demo takes."""
    started = time.perf_counter()
    subprocess.run([ecluse, "demo", "-q", "--to", str(folder)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def measure(commands: Sequence[Sequence[str]], cwd: Path) -> list[list[float]]:
    """Wall time of each command in each round, in milliseconds; one warm-up round is not counted."""
    taken: list[list[float]] = [[] for _ in commands]
    for number in range(ROUNDS + 1):
        for words, times in zip(commands, taken, strict=True):
            started = time.perf_counter()
            subprocess.run(words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            if number:
                times.append((time.perf_counter() - started) * 1000)
    return taken


def fill(folder: Path) -> Path:
    """A repository whose history holds :data:`RECORDS` records: changes, their runs and landings, one event each."""
    repository = Repository.create(folder)
    moment = instant()
    with History.open(repository.state_dir, create=True) as history, history.transaction():
        for number in range(RECORDS // 4):
            name, agent, red = f"c-{number:05d}", f"agent{number % 40}", number % 5 == 0
            change = Change(f"{name}/1", name, 1, ChangeState.READY if red else ChangeState.LANDED, f"feat: {name}", agent,
                            "refs/heads/main", name, "bench", moment, moment, trusted_by="bench")  # fmt: skip
            run = Run(
                f"run-{name}",
                f"landing/land-{name}",
                RunState.RED if red else RunState.GREEN,
                "c",
                "t",
                "push",
                ("ci.yml",),
                moment,
                moment,
            )
            landing = Landing(
                f"land-{name}",
                change.key,
                LandingState.RED if red else LandingState.LANDED,
                change.target,
                moment,
                moment,
            )
            history.record(change, Event("change.ready", change.subject, f"{change.key} by {agent} is ready", agent))
            history.record(run, Event(f"run.{run.state}", run.subject, f"run on {name} is {run.state}"))
            history.record(
                landing, Event(f"landing.{landing.state}", landing.subject, f"{change.key} {landing.state}", agent)
            )
            history.note(Event("change.note", change.subject, f"a remark on {name} by {agent}", agent))
    return folder


if __name__ == "__main__":
    main()
