"""The commands that people wait for, on a history of 10,000 records; and the whole demonstration."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Task, head, interleave, report
from ecluse.clock import instant
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Run, RunState

RECORDS = 10_000
BAR_MS = 100.0
DEMO_BAR_S = 60.0


def measure_doors(folder: Path, ecluse: str, rounds: int) -> bool:
    """Print the table of doors; whether every bar is met."""
    filled = fill(folder / "filled")
    rows: list[tuple[str, list[str], float | None]] = [
        ("git --version", ["git", "--version"], None),
        ("python -c pass", [sys.executable, "-c", "pass"], None),
        ("ecluse --help", [ecluse, "--help"], BAR_MS),
        (f"ecluse history list ({RECORDS:,} records)", [ecluse, "history", "list"], BAR_MS),
        (f"ecluse status ({RECORDS:,} records)", [ecluse, "status"], BAR_MS),
        ("ecluse history search", [ecluse, "history", "search", "landed", "agent7"], None),
    ]
    tasks = [Task(label, words, filled) for label, words, _ in rows]
    interleave(tasks, rounds)
    head(f"doors, {rounds} interleaved rounds, whole processes, milliseconds")
    met = [report(task.label, task.taken, bar) for task, (_, _, bar) in zip(tasks, rows, strict=True)]
    return all(met)


def measure_demo(folder: Path, ecluse: str, runs: int) -> bool:
    """Print the demonstration's row; whether its bar is met."""
    head(f"the whole demo, {runs} runs, seconds")
    return report("ecluse demo", [_demo(ecluse, folder / f"demo{number}") for number in range(runs)], DEMO_BAR_S)


def _demo(ecluse: str, folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([ecluse, "demo", "-q", "--to", str(folder)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def fill(folder: Path) -> Path:
    """A repository whose history holds :data:`RECORDS` records: changes, their runs and landings, one event each."""
    repository = Repository.create(folder)
    moment = instant()
    with History.open(repository.state_dir, create=True) as history, history.transaction():
        for number in range(RECORDS // 4):
            _four_records(history, number, moment)
    return folder


def _four_records(history: History, number: int, moment: str) -> None:
    name, agent, red = f"c-{number:05d}", f"agent{number % 40}", number % 5 == 0
    change = Change(f"{name}/1", name, 1, ChangeState.READY if red else ChangeState.LANDED, f"feat: {name}", agent,
                    "refs/heads/main", name, "bench", moment, moment, trusted_by="bench")  # fmt: skip
    run = Run(f"run-{name}", f"landing/land-{name}", RunState.RED if red else RunState.GREEN, "c", "t", "push",
              ("ci.yml",), moment, moment)  # fmt: skip
    state = LandingState.RED if red else LandingState.LANDED
    landing = Landing(f"land-{name}", change.key, state, change.target, moment, moment)
    history.record(change, Event("change.ready", change.subject, f"{change.key} by {agent} is ready", agent))
    history.record(run, Event(f"run.{run.state}", run.subject, f"run on {name} is {run.state}"))
    history.record(landing, Event(f"landing.{landing.state}", landing.subject, f"{change.key} {landing.state}", agent))
    history.note(Event("change.note", change.subject, f"a remark on {name} by {agent}", agent))
