"""What was tested is what lands, on real repositories with a real checkout."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ecluse import landing as lock
from ecluse.errors import Invalid, Refused, Waits
from ecluse.landing import mover
from ecluse.model import Change, ChangeState, LandingState, RunState


def side_commit(bench: Any, text: str = "b", **files: str) -> str:
    bench.git("checkout", "-q", "-B", "side", "main")
    head = bench.commit("feat: side", **(files or {"b_dot_txt": text}))
    bench.git("checkout", "-q", "main")
    return head


def to_moving(locks: Any, change: Change) -> Any:
    asked = lock.enqueue(locks.bench.repository, locks.history, change.key, actor="me")
    lock.advance(locks.bench.repository, locks.history, asked.id)
    testing = locks.get(asked)
    assert testing.state is LandingState.TESTING
    locks.answer(testing.run, RunState.GREEN, locks.GREEN)
    lock.advance(locks.bench.repository, locks.history, asked.id)
    return locks.get(asked)


def land(locks: Any, change: Change) -> Any:
    moving = to_moving(locks, change)
    lock.advance(locks.bench.repository, locks.history, moving.id)
    return locks.get(moving)


def test_unmoved_target_takes_the_commits_unchanged(locks: Any, bench: Any) -> None:
    head = side_commit(bench)
    landed = land(locks, locks.ready(head))
    assert landed.state is LandingState.LANDED
    assert bench.git("rev-parse", "main") == head == landed.candidate
    assert landed.tree == bench.git("rev-parse", "main^{tree}")
    assert (bench.folder / "b.txt").read_text() == "b"
    assert bench.git("status", "--porcelain") == ""
    change = locks.history.get(Change, "c-1/1")
    assert change.state is ChangeState.LANDED


def test_moved_target_gets_a_merge_of_exactly_the_tested_tree(locks: Any, bench: Any) -> None:
    head = side_commit(bench)
    bench.commit("meanwhile", m_dot_txt="m")
    landed = land(locks, locks.ready(head))
    assert landed.state is LandingState.LANDED
    assert bench.git("rev-parse", "main^2") == head
    assert bench.git("rev-parse", "main^{tree}") == landed.tree


def test_target_that_moves_during_the_test_is_tested_again(locks: Any, bench: Any) -> None:
    moving = to_moving(locks, locks.ready(side_commit(bench)))
    meanwhile = bench.commit("meanwhile", m_dot_txt="m")
    lock.advance(bench.repository, locks.history, moving.id)
    again = locks.get(moving)
    assert (again.state, again.attempt) == (LandingState.QUEUED, 1)
    assert bench.git("rev-parse", "main") == meanwhile
    lock.advance(bench.repository, locks.history, moving.id)
    second = locks.get(moving)
    assert second.base == meanwhile
    assert second.run != moving.run


def test_red_stays_out_and_names_job_and_step(locks: Any, bench: Any) -> None:
    before = bench.git("rev-parse", "main")
    asked = lock.enqueue(bench.repository, locks.history, locks.ready(side_commit(bench)).key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    locks.answer(locks.get(asked).run, RunState.RED, locks.RED)
    lock.advance(bench.repository, locks.history, asked.id)
    red = locks.get(asked)
    assert red.state is LandingState.RED
    assert "job `test`" in red.reason and "unit tests" in red.reason
    assert bench.git("rev-parse", "main") == before
    assert locks.history.get(Change, "c-1/1").state is ChangeState.READY


def test_uncommitted_work_in_the_way_leaves_the_ref_and_names_the_paths(locks: Any, bench: Any) -> None:
    before = bench.git("rev-parse", "main")
    moving = to_moving(locks, locks.ready(side_commit(bench, a_dot_txt="theirs\n")))
    bench.write("a.txt", "my precious work")
    lock.advance(bench.repository, locks.history, moving.id)
    blocked = locks.get(moving)
    assert blocked.state is LandingState.BLOCKED
    assert blocked.blocked_paths == ("a.txt",)
    assert bench.git("rev-parse", "main") == before
    assert (bench.folder / "a.txt").read_text() == "my precious work"
    bench.git("checkout", "-q", "--", "a.txt")
    assert land(locks, locks.history.get(Change, "c-1/1")).state is LandingState.LANDED


def test_uncommitted_work_elsewhere_is_kept(locks: Any, bench: Any) -> None:
    moving = to_moving(locks, locks.ready(side_commit(bench)))
    bench.write("a.txt", "my precious work")
    bench.write("notes.txt", "mine")
    lock.advance(bench.repository, locks.history, moving.id)
    assert locks.get(moving).state is LandingState.LANDED
    assert (bench.folder / "a.txt").read_text() == "my precious work"
    assert (bench.folder / "notes.txt").read_text() == "mine"
    assert (bench.folder / "b.txt").read_text() == "b"


def test_conflict_is_a_state_with_its_paths(locks: Any, bench: Any) -> None:
    head = side_commit(bench, a_dot_txt="theirs\n")
    bench.commit("ours", a_dot_txt="ours\n")
    asked = lock.enqueue(bench.repository, locks.history, locks.ready(head).key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    failed = locks.get(asked)
    assert failed.state is LandingState.FAILED
    assert failed.blocked_paths == ("a.txt",)
    assert locks.history.get(Change, "c-1/1").state is ChangeState.CONFLICT
    assert bench.git("status", "--porcelain") == ""


def test_death_between_the_move_and_the_record_is_found_out(
    locks: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = side_commit(bench)
    moving = to_moving(locks, locks.ready(head))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mover, "_read_back", dies)
    with pytest.raises(KeyboardInterrupt):
        lock.advance(bench.repository, locks.history, moving.id)
    monkeypatch.undo()
    assert bench.git("rev-parse", "main") == head
    assert locks.get(moving).state is LandingState.MOVING
    lock.advance(bench.repository, locks.history, moving.id)
    assert locks.get(moving).state is LandingState.LANDED
    assert [e.kind for e in locks.history.events(kind="landing.landed")] == ["landing.landed"]


def test_death_between_checkout_and_ref_goes_on(locks: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecluse.git import Repository

    head = side_commit(bench)
    moving = to_moving(locks, locks.ready(head))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Repository, "move_ref", dies)
    with pytest.raises(KeyboardInterrupt):
        lock.advance(bench.repository, locks.history, moving.id)
    monkeypatch.undo()
    lock.advance(bench.repository, locks.history, moving.id)
    assert locks.get(moving).state is LandingState.LANDED
    assert bench.git("rev-parse", "main") == head
    assert bench.git("status", "--porcelain") == ""


def test_one_at_a_time_in_order(locks: Any, bench: Any) -> None:
    one = locks.ready(side_commit(bench, x_dot_txt="x"), "c-1")
    two = locks.ready(side_commit(bench, y_dot_txt="y"), "c-2")
    first = lock.enqueue(bench.repository, locks.history, one.key, actor="me")
    second = lock.enqueue(bench.repository, locks.history, two.key, actor="me")
    assert lock.enqueue(bench.repository, locks.history, two.key, actor="me").id == second.id, (
        "asking twice is one landing"
    )
    lock.advance(bench.repository, locks.history, second.id)
    assert locks.get(second).state is LandingState.QUEUED
    lock.advance(bench.repository, locks.history, first.id)
    lock.advance(bench.repository, locks.history, second.id)
    assert locks.get(second).state is LandingState.QUEUED
    assert [one.id for one in lock.standing(locks.history)] == [first.id, second.id]
    lock.cancel(locks.history, second.id, actor="me", why="no longer wanted")
    assert locks.get(second).state is LandingState.CANCELLED


def test_without_workflows_the_record_says_on_what_it_landed(locks: Any, bench: Any) -> None:
    validations = ({"name": "python syntax", "result": "success"},)
    change = locks.ready(side_commit(bench), validations=validations)
    asked = lock.enqueue(bench.repository, locks.history, change.key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    locks.answer(locks.get(asked).run, RunState.GREEN, {}, workflows=())
    lock.advance(bench.repository, locks.history, asked.id)
    lock.advance(bench.repository, locks.history, asked.id)
    landed = locks.get(asked)
    assert landed.state is LandingState.LANDED
    assert landed.basis == "validation"
    assert "python syntax" in landed.reason


def test_a_head_that_is_there_already_lands_without_a_run(locks: Any, bench: Any) -> None:
    head = side_commit(bench)
    bench.git("merge", "-q", "--ff-only", "side")
    asked = lock.enqueue(bench.repository, locks.history, locks.ready(head).key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    assert (locks.get(asked).state, locks.get(asked).run) == (LandingState.LANDED, "")


@pytest.mark.parametrize(
    ("values", "problem", "code"),
    [
        ({"state": ChangeState.REJECTED}, Refused, "change.rejected"),
        ({"state": ChangeState.QUARANTINED}, Waits, "change.quarantined"),
        ({"state": ChangeState.CONFLICT}, Waits, "change.conflict"),
        ({"state": ChangeState.LANDED}, Invalid, "change.over"),
        ({"trusted_by": ""}, Waits, "change.untrusted"),
        ({"target": "refs/heads/elsewhere"}, Refused, "landing.target"),
    ],
)
def test_who_may_not_queue(locks: Any, bench: Any, values: dict[str, Any], problem: type[Exception], code: str) -> None:
    from ecluse.model import Event

    change = dataclasses.replace(locks.ready(side_commit(bench)), **values)
    locks.history.record(change, Event("change.x", change.subject, "t"))
    with pytest.raises(problem) as caught:
        lock.enqueue(bench.repository, locks.history, change.key, actor="me")
    assert caught.value.code == code
    assert caught.value.hint


def test_a_failure_that_is_let_pass_does_not_keep_a_change_out_and_only_what_failed_is_named() -> None:
    from ecluse.landing.policy import judge
    from ecluse.model import Run

    def judged(state: RunState, *jobs: tuple[str, str, str]) -> Any:
        told = [{"id": "t", "name": name, "outcome": outcome, "result": result} for name, outcome, result in jobs]
        return judge(Run("r", "", state, "c", "t", "push", ("ci.yml",), "x", "x", report={"jobs": told}), (), ())

    passed = judged(RunState.GREEN, ("nightly", "failure", "success"), ("unit", "success", "success"))
    assert passed.green and passed.reason == "1 of 2 jobs green"
    red = judged(RunState.RED, ("t (1)", "success", "failure"), ("t (2)", "failure", "failure"))
    assert not red.green and "t (2)" in red.reason and "t (1)" not in red.reason


def test_optional_jobs_may_be_red_and_all_skipped_is_not_green(locks: Any, bench: Any) -> None:
    from ecluse.landing.policy import judge
    from ecluse.model import Run

    run = Run("r", "", RunState.RED, "c", "t", "push", ("ci.yml",), "x", "x", report=locks.RED)
    assert not judge(run, (), ()).green
    assert judge(run, ("test",), ()).green
    skipped = {"result": "success", "jobs": [{"id": "test", "name": "test", "result": "skipped"}]}
    assert not judge(dataclasses.replace(run, state=RunState.GREEN, report=skipped), (), ()).green
    assert not judge(
        dataclasses.replace(run, state=RunState.GREEN, workflows=(), report={}),
        (),
        ({"name": "v", "result": "failure"},),
    ).green
