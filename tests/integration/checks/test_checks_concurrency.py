"""Concurrency groups: one holder at a time, in one run and over several, and what becomes of those that come later."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, run
from ecluse.checks.concurrency import Claim, Place, Turn
from ecluse.model import Report, Result


class Yard:
    """A folder with a workflow that is run as often as wanted; ``marks`` is a file that its steps write to."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.marks = folder / "marks"
        self.marks.touch()
        (self.tree / ".github" / "workflows").mkdir(parents=True)

    def write(self, text: str) -> None:
        (self.tree / ".github" / "workflows" / "ci.yml").write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, hear: Callable[[dict[str, object]], None] | None = None, **request: Any) -> Report:
        return run(self.tree, RunRequest(env={"MARKS": str(self.marks)}, **request), hear)

    @property
    def said(self) -> list[str]:
        return self.marks.read_text("utf-8").split()


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def results(report: Report) -> dict[str, str]:
    return {job.name: job.result.value for job in report.jobs}


INOUT = "echo in >> $MARKS; sleep 0.3; echo out >> $MARKS"
HOLDING = "echo in >> $MARKS; until test -e $MARKS.go; do sleep 0.05; done; echo out >> $MARKS"


def test_two_jobs_of_a_group_never_run_at_the_same_time(yard: Yard) -> None:
    yard.write(f"""
        on: push
        jobs:
          a: {{runs-on: ubuntu-latest, concurrency: 'deploy-${{{{ github.ref_name }}}}', steps: [{{run: {INOUT}}}]}}
          b: {{runs-on: ubuntu-latest, concurrency: {{group: Deploy-main}}, steps: [{{run: {INOUT}}}]}}
    """)
    assert results(yard.run()) == {"a": "success", "b": "success"}
    assert yard.said == ["in", "out", "in", "out"]


def test_a_matrix_runs_no_more_at_once_than_it_says(yard: Yard) -> None:
    yard.write(f"""
        on: push
        jobs:
          m:
            strategy: {{max-parallel: 1, matrix: {{n: [1, 2, 3]}}}}
            runs-on: ubuntu-latest
            steps: [{{run: {INOUT}}}]
    """)
    assert set(results(yard.run()).values()) == {"success"}
    assert yard.said == ["in", "out"] * 3


@pytest.mark.parametrize(
    ("queue", "wanted"), [("single", ["success", "cancelled", "success"]), ("max", ["success", "success", "success"])]
)
def test_who_waits_gives_way_to_who_comes_later_unless_all_are_kept(yard: Yard, queue: str, wanted: list[str]) -> None:
    yard.write(f"""
        on: push
        jobs:
          m:
            strategy: {{matrix: {{n: [1, 2, 3]}}}}
            runs-on: ubuntu-latest
            concurrency: {{group: g, queue: {queue}}}
            steps: [{{run: {INOUT}}}]
    """)
    report = yard.run()
    assert [job.result.value for job in report.jobs] == wanted
    assert yard.said == ["in", "out"] * wanted.count("success")
    if "cancelled" in wanted:
        assert "concurrency group 'g'" in report.jobs[1].reason


def test_a_newer_run_ends_the_one_in_progress_and_its_always_steps_still_run(yard: Yard) -> None:
    yard.write("""
        on: push
        concurrency: {group: one, cancel-in-progress: true}
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - run: echo begun >> $MARKS; test "$(grep -c begun $MARKS)" = 2 || sleep 60
              - {if: always(), run: echo cleaned >> $MARKS}
          b: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo never >> $MARKS}]}
          c: {needs: a, if: cancelled(), runs-on: ubuntu-latest, steps: [{run: echo swept >> $MARKS}]}
    """)
    begun = threading.Event()
    first: list[Report] = []

    def go() -> None:
        first.append(yard.run(lambda event: begun.set() if event["event"] == "step.started" else None))

    thread = threading.Thread(target=go)
    thread.start()
    assert begun.wait(60)
    while "begun" not in yard.said:
        assert thread.is_alive()
        time.sleep(0.02)
    second = yard.run()
    thread.join(60)
    assert results(first[0]) == {"a": "cancelled", "b": "cancelled", "c": "success"}
    assert "concurrency group 'one'" in first[0].jobs[0].reason
    assert results(second) == {"a": "success", "b": "success", "c": "skipped"}
    assert yard.said == ["begun", "cleaned", "swept", "begun", "cleaned", "never"]


def test_without_it_the_newer_run_waits_and_says_so(yard: Yard) -> None:
    yard.write(f"""
        on: push
        concurrency: one
        jobs: {{a: {{runs-on: ubuntu-latest, steps: [{{run: {HOLDING}}}]}}}}
    """)
    begun = threading.Event()
    thread = threading.Thread(target=yard.run, args=(lambda event: begun.set(),))
    thread.start()
    assert begun.wait(60)
    heard: list[dict[str, object]] = []

    def hear(event: dict[str, object]) -> None:
        heard.append(event)
        if event["event"] == "waiting":
            yard.marks.with_name("marks.go").touch()

    while "in" not in yard.said:
        assert thread.is_alive()
        time.sleep(0.02)
    assert yard.run(hear).result is Result.SUCCESS
    thread.join(60)
    assert yard.said == ["in", "out", "in", "out"]
    assert [event["groups"] for event in heard if event["event"] == "waiting"] == [["one"]]


def test_a_job_in_the_group_of_its_own_workflow_would_wait_for_itself(yard: Yard) -> None:
    yard.write("""
        on: push
        concurrency: g
        jobs: {a: {runs-on: ubuntu-latest, concurrency: G, steps: [{run: 'true'}]}}
    """)
    (job,) = yard.run().jobs
    assert job.result is Result.CANCELLED and "deadlock" in job.reason


def test_groups_of_other_repositories_do_not_meet(tmp_path: Path) -> None:
    one, other = (Turn(tmp_path, owner, Claim("g")) for owner in ("a/a", "b/b"))
    assert one.poll() is Place.HOLDING and other.poll() is Place.HOLDING
    again = Turn(tmp_path, "a/a", Claim("G"))
    assert again.poll() is Place.WAITING and not one.must_end
    one.release()
    assert again.poll() is Place.HOLDING
    later = Turn(tmp_path, "a/a", Claim("g", cancels=True))
    assert again.must_end and later.poll() is Place.WAITING
    for turn in (again, later, other):
        turn.release()


def test_the_places_of_dead_processes_are_taken(tmp_path: Path) -> None:
    turn = Turn(tmp_path, "a/a", Claim("g"))
    (turn.folder / "0.waiting").touch()
    assert turn.poll() is Place.HOLDING
    turn.release()


def test_a_queue_that_keeps_all_is_full_some_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecluse.checks.concurrency.MAX_WAITING", 2)
    turns = [Turn(tmp_path, "a/a", Claim("g", keeps_all=True)) for _ in range(4)]
    assert [turn.poll() for turn in turns] == [Place.HOLDING, Place.WAITING, Place.REPLACED, Place.REPLACED]
    turns[0].release()
    assert turns[1].poll() is Place.HOLDING
    for turn in turns:
        turn.release()
