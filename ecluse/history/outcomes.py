"""What the checks came to over time: test results and coverage of landings and versions, and tests that are flaky.

Read from the reports that runs keep. A report is a document that other people's code had a hand in: what is missing or
of a wrong kind counts as not known. SQL here is portable; nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.history.store import History
from ecluse.model import ReleaseState, RunState

RUNS_READ = 500
"""How many of the newest runs are read for flaky tests: each report is a document of its own."""

_DECIDED = (RunState.GREEN.value, RunState.RED.value)


@dataclass(frozen=True, slots=True)
class LandingChecks:
    """The checks of one landing: tests, how many of them passed, how long, and covered lines in percent (or unknown)."""

    landing: str
    change: str
    state: str
    at: str
    duration_ms: float
    tests: int | None = None
    passed: int | None = None
    coverage: float | None = None

    @property
    def pass_rate(self) -> float | None:
        """Share of the tests that were not skipped which passed, 0 to 1; ``None`` when none is known."""
        return self.passed / self.tests if self.tests and self.passed is not None else None


@dataclass(frozen=True, slots=True)
class VersionChecks:
    """The checks behind one released version: the landings since the version before, and the last of them.

    ``green`` and ``red`` count decided landings; ``duration_ms`` is the mean time of their checks.
    """

    version: str
    release: str
    at: str
    green: int
    red: int
    duration_ms: float | None
    tests: int | None = None
    passed: int | None = None
    coverage: float | None = None

    @property
    def landing_rate(self) -> float | None:
        """Share of the decided landings that were green, 0 to 1."""
        return self.green / (self.green + self.red) if self.green + self.red else None


@dataclass(frozen=True, slots=True)
class FlakyTest:
    """A test that failed and passed on the same tree: ``failed`` of ``runs`` runs of such trees, or inside one job."""

    name: str
    failed: int
    runs: int


def per_landing(history: History, limit: int = 20) -> tuple[LandingChecks, ...]:
    """The newest decided landings, newest first."""
    rows = history.execute(
        "SELECT l.id, l.change, l.state, l.updated_at, r.duration_ms, r.report FROM landings l JOIN runs r ON l.run = r.id "
        "WHERE l.state IN ('landed', 'red') ORDER BY l.updated_at DESC, l.id DESC LIMIT ?",
        (limit,),
    )
    return tuple(
        LandingChecks(landing, change, state, at, float(took), *_numbers(_document(report)))
        for landing, change, state, at, took, report in rows
    )


def per_version(history: History, limit: int = 20) -> tuple[VersionChecks, ...]:
    """The newest released versions, newest first, each with the landings since the one before it."""
    rows = history.execute(
        "SELECT version, id, created_at FROM releases WHERE state = ? AND version <> '' ORDER BY created_at DESC LIMIT ?",
        (ReleaseState.DONE.value, limit + 1),
    )
    found = []
    for place, (version, release, at) in enumerate(rows[:limit]):
        since = str(rows[place + 1][2]) if place + 1 < len(rows) else ""
        found.append(_version(history, str(version), str(release), since, str(at)))
    return tuple(found)


def _version(history: History, version: str, release: str, since: str, until: str) -> VersionChecks:
    decided = history.execute(
        "SELECT l.state, r.duration_ms FROM landings l JOIN runs r ON l.run = r.id "
        "WHERE l.state IN ('landed', 'red') AND l.updated_at > ? AND l.updated_at <= ?",
        (since, until),
    )
    states = [state for state, _ in decided]
    mean = sum(float(took) for _, took in decided) / len(decided) if decided else None
    last = history.execute(
        "SELECT r.report FROM landings l JOIN runs r ON l.run = r.id "
        "WHERE l.state = 'landed' AND l.updated_at <= ? ORDER BY l.updated_at DESC LIMIT 1",
        (until,),
    )
    numbers = _numbers(_document(last[0][0]) if last else {})
    green, red = states.count("landed"), states.count("red")
    return VersionChecks(version, release, until, green, red, mean, *numbers)


def flaky_tests(history: History, limit: int = 20) -> tuple[FlakyTest, ...]:
    """Tests that failed in one run and not in another of the same tree, or failed and passed inside one job.

    Looks at the newest :data:`RUNS_READ` decided runs; the most often failed come first. A run counts as having passed a
    test that it does not list as failed only when it ran at least as many tests as the one where it failed.
    """
    rows = history.execute(
        "SELECT tree, report FROM runs WHERE state IN (?, ?) ORDER BY updated_at DESC LIMIT ?", (*_DECIDED, RUNS_READ)
    )
    by_tree: dict[str, list[tuple[int, set[str]]]] = {}
    inside: dict[str, int] = {}
    for tree, text in rows:
        tests = _table(_document(text).get("tests"))
        total = _count(_table(tests.get("counts")), "total")
        for name in _list(tests.get("flaky")):
            inside[str(name)] = inside.get(str(name), 0) + 1
        if total and tree:
            failed = {str(_table(one).get("name")) for one in _list(tests.get("failures"))}
            by_tree.setdefault(str(tree), []).append((total, failed))
    found: dict[str, tuple[int, int]] = {name: (count, count) for name, count in inside.items()}
    for runs in by_tree.values():
        for name in set().union(*(failed for _, failed in runs)):
            bad = [total for total, failed in runs if name in failed]
            good = [total for total, failed in runs if name not in failed and total >= min(bad)]
            if good:
                before = found.get(name, (0, 0))
                found[name] = (before[0] + len(bad), before[1] + len(bad) + len(good))
    ranked = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))
    return tuple(FlakyTest(name, failed, runs) for name, (failed, runs) in ranked[:limit])


def last_decided(history: History, target: str, *, before: str) -> RunState | None:
    """How the newest decided run for the branch ``target`` ended, ``before`` (a run's id) left aside."""
    rows = history.execute(
        "SELECT r.state FROM runs r JOIN landings l ON r.parent = 'landing/' || l.id "
        "WHERE l.target = ? AND r.state IN (?, ?) AND r.id <> ? ORDER BY r.updated_at DESC, r.id DESC LIMIT 1",
        (target, *_DECIDED, before),
    )
    return RunState(rows[0][0]) if rows else None


def _numbers(report: Mapping[str, Any]) -> tuple[int | None, int | None, float | None]:
    """Tests that were not skipped, those that passed, and coverage in percent."""
    counts = _table(_table(report.get("tests")).get("counts"))
    total = _count(counts, "total")
    percent = _table(report.get("coverage")).get("percent")
    known = isinstance(percent, int | float) and not isinstance(percent, bool)
    coverage = float(percent) if known and percent is not None else None
    if not total:
        return None, None, coverage
    return total - _count(counts, "skipped"), _count(counts, "passed"), coverage


def _document(text: Any) -> dict[str, Any]:
    try:
        return _table(json.loads(text))
    except (TypeError, ValueError):
        return {}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
