"""The loop: what is due is advanced once, what dies is started again, what cannot go on does not stop the rest."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from typing import Any

import pytest

from ecluse import line, process, runs
from ecluse.clock import instant
from ecluse.errors import Failed
from ecluse.history import History, wakes
from ecluse.history.requests import request_landing
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Run, RunState

SLOW = """\
on: push
jobs:
  slow:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo started > "{flag}"
          while [ -e "{hold}" ]; do sleep 0.05; done
"""


@pytest.fixture
def place(bench: Any, history: History, tmp_path: Any) -> Any:
    """A repository whose only job lasts as long as the file ``hold`` exists, and a ready change."""
    bench.flag, bench.hold = tmp_path / "flag", tmp_path / "hold"
    bench.commit("ci", _dot_github__workflows__ci_dot_yml=SLOW.format(flag=bench.flag, hold=bench.hold))
    bench.git("checkout", "-q", "-b", "side")
    head = bench.commit("feat: side", b_dot_txt="b")
    bench.git("checkout", "-q", "main")
    moment = instant()
    change = Change(
        "c-1/1", "c-1", 1, ChangeState.READY, "side", "agent", "refs/heads/main", "d", "test", moment, moment
    )
    tree = bench.git("rev-parse", f"{head}^{{tree}}")
    bench.change = dataclasses.replace(
        change, head=head, base=bench.git("rev-parse", "main"), tree=tree, trusted_by="test"
    )
    history.record(bench.change, Event("change.ready", bench.change.subject, "ready"))
    return bench


def until(place: Any, history: History, condition: Any, on_event: Any = None) -> None:
    line.drive(place.repository, history, until=condition, on_event=on_event)


def only(history: History, noun: Any) -> Any:
    (found,) = history.find(noun)
    return found


def test_a_run_whose_job_is_killed_starts_again_and_lands(place: Any, history: History) -> None:
    place.hold.touch()
    request_landing(history, place.change, actor="me")
    until(place, history, place.flag.exists)
    run = only(history, Run)
    folder = runs.job_folder(place.repository, run)
    pid = process.job_pid(folder)
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    place.hold.unlink()
    until(place, history, lambda: only(history, Landing).state.is_terminal)
    assert only(history, Landing).state is LandingState.LANDED
    again = only(history, Run)
    assert (again.state, again.attempt) == (RunState.GREEN, 1)
    assert [event.kind for event in history.events(kind="run.lost")] == ["run.lost"]
    assert not (folder / "tree").exists(), "the clean tree of a run is removed"


def test_a_run_that_keeps_dying_is_an_error_and_the_landing_says_so(
    place: Any, history: History, monkeypatch: Any
) -> None:
    started: list[Any] = []

    def dies(folder: Any, argv: Any, **_: Any) -> None:
        started.append(folder)
        (folder / "job.json").write_text("{}")

    monkeypatch.setattr(process, "run_job", dies)
    request_landing(history, place.change, actor="me")
    until(place, history, lambda: only(history, Landing).state.is_terminal)
    assert len(set(started)) == runs.MAX_ATTEMPTS, "each attempt has a folder of its own"
    assert only(history, Run).state is RunState.ERROR
    landing = only(history, Landing)
    assert landing.state is LandingState.FAILED
    assert "could not be carried out" in landing.reason


def test_cancelling_a_run_ends_everything_it_started(place: Any, history: History) -> None:
    place.hold.touch()
    request_landing(history, place.change, actor="me")
    until(place, history, place.flag.exists)
    run = only(history, Run)
    runs.cancel(place.repository, history, run.id, actor="me", why="no longer wanted")
    assert process.job_status(runs.job_folder(place.repository, run)).state is process.JobState.EXITED
    until(place, history, lambda: only(history, Landing).state.is_terminal)
    assert only(history, Landing).state is LandingState.FAILED


def test_a_problem_of_one_subject_does_not_stop_the_others(place: Any, history: History, monkeypatch: Any) -> None:
    advanced: list[str] = []

    def advance(_: Any, __: Any, subject: str) -> None:
        advanced.append(subject)
        if subject == "landing/bad":
            raise Failed("test.broken", "it broke", "mend it")

    monkeypatch.setattr(line, "advance", advance)
    wakes.wake(history, "landing/bad")
    wakes.wake(history, "landing/good")
    until(place, history, lambda: "landing/good" in advanced)
    assert advanced == ["landing/bad", "landing/good"]
    (told,) = history.events(kind="line.problem")
    assert told.subject == "landing/bad" and told.data["hint"] == "mend it"
    assert list(wakes.all_wakes(history)) == ["landing/bad"], "it is looked at again later"
    wakes.wake(history, "landing/bad")
    with pytest.raises(Failed):
        line.drive(place.repository, history, until=lambda: False, follow=("landing/bad",))


def test_two_drivers_never_advance_the_same_subject_at_once(place: Any, history: History, monkeypatch: Any) -> None:
    inside: list[str] = []
    overlaps: list[str] = []
    count: list[str] = []

    def advance(_: Any, own: History, subject: str) -> None:
        if inside:
            overlaps.append(subject)
        inside.append(subject)
        count.append(subject)
        threading.Event().wait(0.002)
        inside.remove(subject)

    monkeypatch.setattr(line, "advance", advance)
    for number in range(60):
        wakes.wake(history, f"run/{number:02d}")
    stop = threading.Event()
    drivers = [threading.Thread(target=line.drive_until, args=(place.repository, stop)) for _ in range(3)]
    for driver in drivers:
        driver.start()
    until(place, history, lambda: not wakes.all_wakes(history))
    stop.set()
    for driver in drivers:
        driver.join()
    assert overlaps == []
    assert sorted(count) == [f"run/{number:02d}" for number in range(60)], "each was advanced exactly once"


def test_events_are_followed_in_order(place: Any, history: History) -> None:
    seen: list[Event] = []
    request_landing(history, place.change, actor="me")
    until(place, history, lambda: only(history, Landing).state.is_terminal, seen.append)
    numbers = [event.number for event in seen]
    assert numbers == sorted(numbers)
    assert {"landing.testing", "run.started", "run.green", "landing.landed"} <= {event.kind for event in seen}


@pytest.mark.parametrize("follows", ["run", "landing", "change"])
def test_a_problem_of_a_run_reaches_who_asked_for_it(
    place: Any, history: History, monkeypatch: Any, follows: str
) -> None:
    landing = request_landing(history, place.change, actor="me")
    until(place, history, lambda: bool(history.find(Run)))
    run = only(history, Run)

    def broken(_: Any, __: Any, subject: str) -> None:
        if subject == run.subject:
            raise Failed("test.broken", "it broke", "mend it")

    monkeypatch.setattr(line, "advance", broken)
    wakes.wake(history, run.subject)
    subject = {"run": run.subject, "landing": landing.subject, "change": place.change.subject}[follows]
    with pytest.raises(Failed, match="it broke"):
        line.drive(place.repository, history, until=lambda: False, follow=(subject,))
