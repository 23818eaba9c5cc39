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

from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Event

ROUNDS = int(os.environ.get("ECLUSE_BENCH_ROUNDS", "15"))
RECORDS = 10_000
BAR_MS = 100.0


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
            middle = statistics.median(taken)
            verdict = "" if bar is None else f"{'met' if middle < bar else 'MISSED'} (< {bar:.0f})"
            print(f"{label:<42} {middle:8.1f} {min(taken):8.1f} {max(taken):8.1f}  {verdict}")


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
    """A repository whose history holds :data:`RECORDS` events over changes, runs, landings and releases."""
    repository = Repository.create(folder)
    with History.open(repository.state_dir, create=True) as history, history.transaction():
        for number in range(RECORDS):
            kind = ("change.ready", "run.green", "landing.landed", "landing.red")[number % 4]
            text = f"change c-{number:05d} {kind.partition('.')[2]} by agent{number % 40}"
            history.note(Event(kind, f"change/c-{number:05d}/1", text, f"agent{number % 40}", {"number": number}))
    return folder


if __name__ == "__main__":
    main()
