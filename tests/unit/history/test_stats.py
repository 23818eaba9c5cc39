"""Counts and rates over a real history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ecluse.clock import instant, now
from ecluse.history import History, stats
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Run, RunState, Verdict


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.open(tmp_path, create=True)


def days_ago(days: float) -> str:
    return instant(now() - timedelta(days=days))


def put_change(history: History, name: str, agent: str, state: ChangeState, at: str, size: int = 100) -> None:
    change = Change(
        f"{name}/1", name, 1, state, name, agent, "", "", "", at, at, verdict=Verdict.ACCEPT, size_bytes=size
    )
    history.record(change, Event("change", change.subject, name))


def put_landing(history: History, name: str, agent: str, state: LandingState, at: str) -> None:
    landing = Landing(name, f"{name}/1", state, "main", at, at, agent=agent)
    history.record(landing, Event("landing", landing.subject, name))


def put_run(history: History, name: str, state: RunState, took: float) -> None:
    run = Run(name, "", state, "", "", "push", (), instant(), instant(), duration_ms=took)
    history.record(run, Event("run", run.subject, name))


def test_an_empty_history_has_no_rates(history: History) -> None:
    found = stats.gather(history)
    assert found.agents == ()
    assert found.green_rate is None
    assert found.check_ms is None
    assert found.change_bytes is None
    assert found.events == 0
    assert len(found.days) == stats.DAYS
    assert found.days[-1] == stats.DayCount(instant()[:10], 0, 0, 0)


def test_agents_are_counted_and_the_busiest_is_first(history: History) -> None:
    put_change(history, "a1", "bob", ChangeState.LANDED, days_ago(0))
    put_change(history, "a2", "ada", ChangeState.LANDED, days_ago(1))
    put_change(history, "a3", "ada", ChangeState.QUARANTINED, days_ago(1))
    put_change(history, "a4", "ada", ChangeState.REJECTED, days_ago(40))
    put_change(history, "a5", "ada", ChangeState.CONFLICT, days_ago(40))
    put_landing(history, "l1", "ada", LandingState.RED, days_ago(2))
    ada, bob = stats.by_agent(history)
    assert ada == stats.AgentCount("ada", changes=4, landed=1, waiting=2, rejected=1, red=1)
    assert ada.landed_rate == 0.25
    assert bob == stats.AgentCount("bob", changes=1, landed=1, waiting=0, rejected=0, red=0)


def test_days_are_complete_and_old_things_do_not_count(history: History) -> None:
    put_change(history, "a1", "ada", ChangeState.LANDED, days_ago(0))
    put_change(history, "a2", "ada", ChangeState.READY, days_ago(3))
    put_change(history, "a3", "ada", ChangeState.READY, days_ago(30))
    put_landing(history, "l1", "ada", LandingState.LANDED, days_ago(0))
    put_landing(history, "l2", "ada", LandingState.RED, days_ago(3))
    put_landing(history, "l3", "ada", LandingState.LANDED, days_ago(30))
    found = stats.by_day(history, 5)
    assert [(day.received, day.landed, day.red) for day in found] == [
        (0, 0, 0),
        (1, 0, 1),
        (0, 0, 0),
        (0, 0, 0),
        (1, 1, 0),
    ]
    assert [day.day for day in found] == sorted(day.day for day in found)


def test_states_keep_their_order_and_the_rate_counts_decided_landings_only(history: History) -> None:
    for number, state in enumerate((LandingState.RED, LandingState.LANDED, LandingState.LANDED, LandingState.QUEUED)):
        put_landing(history, f"l{number}", "ada", state, days_ago(0))
    put_landing(history, "l9", "ada", LandingState.LANDED, days_ago(0))
    found = stats.gather(history)
    assert list(found.landings.items()) == [("queued", 1), ("landed", 3), ("red", 1)]
    assert found.green_rate == 0.75


def test_a_change_that_is_not_judged_is_counted_as_such(history: History) -> None:
    put_change(history, "a1", "ada", ChangeState.READY, days_ago(0))
    change = replace(history.find(Change)[0], key="a2/1", id="a2", verdict=None)
    history.record(change, Event("change", change.subject, "a2"))
    assert stats.gather(history).verdicts == {"": 1, "accept": 1}


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([5], stats.Spread(1, 5, 5, 5)),
        ([4, 1], stats.Spread(2, 2.5, 4, 4)),
        ([3, 1, 2], stats.Spread(3, 2, 3, 3)),
        (list(range(1, 11)), stats.Spread(10, 5.5, 9, 10)),
        (list(range(1, 101)), stats.Spread(100, 50.5, 90, 100)),
    ],
)
def test_the_spread_of_durations(history: History, values: list[float], spread: stats.Spread) -> None:
    with history.transaction():
        for number, value in enumerate(values):
            put_run(history, f"r{number}", RunState.GREEN if number % 2 else RunState.RED, value)
        put_run(history, "cancelled", RunState.CANCELLED, 1_000_000)
    assert stats.gather(history).check_ms == spread
