"""Tests, coverage and flakiness over the history, from reports as runs keep them."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.history import History, outcomes, stats
from ecluse.model import Event, Landing, LandingState, Release, ReleaseState, Run, RunState


def report(
    total: int = 10, failed: tuple[str, ...] = (), coverage: float | None = None, **tests: Any
) -> dict[str, Any]:
    counts = {"total": total, "passed": total - len(failed) - 1, "failed": len(failed), "skipped": 1}
    failures = [{"name": name, "job": "a"} for name in failed]
    measured = {"percent": coverage} if coverage is not None else None
    return {"jobs": [], "tests": {"counts": counts, "failures": failures, **tests}, "coverage": measured}


class Past:
    def __init__(self, history: History) -> None:
        self.history = history
        self.number = 0

    def landing(self, state: LandingState, document: dict[str, Any], tree: str = "", took: float = 1000.0) -> str:
        self.number += 1
        key = f"{self.number:03}"
        at = f"2026-01-01T00:00:{self.number:02}.000000Z"
        green = RunState.GREEN if state is LandingState.LANDED else RunState.RED
        run = Run(
            f"run-{key}", f"landing/land-{key}", green, "c", tree or f"t{key}", "push", ("ci.yml",), at, at,
            report=document, duration_ms=took,
        )  # fmt: skip
        self.history.record(run, Event("run.green", run.subject, "over"))
        landing = Landing(f"land-{key}", f"c-{key}/1", state, "refs/heads/main", at, at, run=run.id)
        self.history.record(landing, Event("landing.landed", landing.subject, "over"))
        return run.id

    def release(self, version: str) -> None:
        self.number += 1
        at = f"2026-01-01T00:00:{self.number:02}.000000Z"
        made = Release(f"rel-{version}", ReleaseState.DONE, "p", "d", "s", "c", "prod", "me", at, at, version=version)
        self.history.record(made, Event("release.done", made.subject, "done"))


@pytest.fixture
def past(tmp_path: Any) -> Any:
    with History.open(tmp_path / "state", create=True) as history:
        yield Past(history)


def test_landings_and_versions(past: Past) -> None:
    past.landing(LandingState.LANDED, report(coverage=50.0), took=1000)
    past.release("1.0.0")
    past.landing(LandingState.RED, report(failed=("t::a", "t::b", "t::c")), took=3000)
    past.landing(LandingState.LANDED, report(20, coverage=75.5), took=5000)
    past.release("1.1.0")
    past.landing(LandingState.LANDED, {"jobs": "nonsense", "tests": [], "coverage": {"percent": True}})
    newest, second, third, first = outcomes.per_landing(past.history)
    assert (newest.tests, newest.pass_rate, newest.coverage) == (None, None, None)
    assert (second.tests, second.passed, second.pass_rate, second.coverage) == (19, 19, 1.0, 75.5)
    assert third.state == "red" and third.pass_rate == pytest.approx(6 / 9) and third.coverage is None
    assert first.coverage == 50.0 and first.duration_ms == 1000.0
    later, earlier = outcomes.per_version(past.history)
    assert (later.version, later.green, later.red, later.duration_ms) == ("1.1.0", 1, 1, 4000.0)
    assert later.coverage == 75.5 and later.landing_rate == 0.5
    assert (earlier.version, earlier.green, earlier.red, earlier.coverage) == ("1.0.0", 1, 0, 50.0)


def test_flaky_tests(past: Past) -> None:
    past.landing(LandingState.RED, report(failed=("t::shaky", "t::gone")), tree="same")
    past.landing(LandingState.LANDED, report(), tree="same")
    past.landing(LandingState.RED, report(3, failed=("t::honest",)), tree="mine")
    past.landing(LandingState.LANDED, report(), tree="theirs")
    past.landing(LandingState.LANDED, report(flaky=["t::inside"]))
    past.landing(LandingState.RED, report(9, failed=("t::small",)), tree="few")
    past.landing(LandingState.RED, report(2, failed=("t::other",)), tree="few")
    found = {one.name: (one.failed, one.runs) for one in outcomes.flaky_tests(past.history)}
    assert found == {"t::shaky": (1, 2), "t::gone": (1, 2), "t::inside": (1, 1), "t::other": (1, 2)}


def test_the_last_decided_run_of_a_branch(past: Past) -> None:
    assert outcomes.last_decided(past.history, "refs/heads/main", before="") is None
    past.landing(LandingState.LANDED, report())
    red = past.landing(LandingState.RED, report())
    assert outcomes.last_decided(past.history, "refs/heads/main", before="") is RunState.RED
    assert outcomes.last_decided(past.history, "refs/heads/main", before=red) is RunState.GREEN
    assert outcomes.last_decided(past.history, "refs/heads/other", before="") is None


def test_the_statistics_say_it_in_all_forms(past: Past) -> None:
    from ecluse.cli.history_text import stats_csv, stats_document, stats_text

    past.landing(LandingState.RED, report(failed=("t::shaky",), coverage=81.25), tree="same")
    past.landing(LandingState.LANDED, report(coverage=81.25), tree="same")
    past.release("0.1.0")
    found = stats.gather(past.history)
    text = stats_text(found)
    assert "81.2 %" in text and "88.9 %" in text and "0.1.0" in text and "t::shaky" in text
    document = stats_document(found)
    assert document["checks"][1]["pass_rate"] == pytest.approx(8 / 9)
    assert document["versions"][0]["landing_rate"] == 0.5
    assert document["flaky"] == [{"name": "t::shaky", "failed": 1, "runs": 2}]
    rows = stats_csv(found).splitlines()
    assert "checks,land-001,coverage,81.25" in rows and "version,0.1.0,green,1" in rows
    assert "flaky,t::shaky,runs,2" in rows
