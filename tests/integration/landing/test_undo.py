"""Taking a landing back: by compare-and-swap while nothing was built on it, else a revert is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse import landing as lock
from ecluse.errors import Invalid, Refused, Waits
from ecluse.model import ChangeState, RunState


def land(locks: Any, bench: Any, name: str = "c-1") -> str:
    """Land a commit that adds ``b.txt``; where the target was before."""
    before = str(bench.git("rev-parse", "main"))
    bench.git("checkout", "-q", "-B", "side", "main")
    head = bench.commit("feat: side", b_dot_txt="b")
    bench.git("checkout", "-q", "main")
    asked = lock.enqueue(bench.repository, locks.history, locks.ready(head, name).key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    locks.answer(locks.get(asked).run, RunState.GREEN, locks.GREEN)
    lock.advance(bench.repository, locks.history, asked.id)
    lock.advance(bench.repository, locks.history, asked.id)
    assert bench.git("rev-parse", "main") == head
    return before


def test_an_unmoved_target_goes_back_with_its_checkout(locks: Any, bench: Any) -> None:
    before = land(locks, bench)
    bench.write("mine.txt", "uncommitted")
    over = lock.undo(bench.repository, locks.history, "c-1/1", actor="me")
    assert over.state is ChangeState.UNDONE
    assert bench.git("rev-parse", "main") == before
    assert bench.git("status", "--porcelain") == "?? mine.txt"
    assert not (bench.folder / "b.txt").exists()
    assert locks.history.events(kind="change.undone")
    assert lock.undo(bench.repository, locks.history, "c-1/1", actor="me") == over


def test_uncommitted_work_in_the_way(locks: Any, bench: Any) -> None:
    land(locks, bench)
    head = bench.git("rev-parse", "main")
    bench.write("b.txt", "mine")
    with pytest.raises(Waits) as waits:
        lock.undo(bench.repository, locks.history, "c-1/1", actor="me")
    assert waits.value.code == "checkout.blocked"
    assert (bench.git("rev-parse", "main"), (bench.folder / "b.txt").read_text()) == (head, "mine")
    bench.git("checkout", "-q", "b.txt")
    assert lock.undo(bench.repository, locks.history, "c-1/1", actor="me").state is ChangeState.UNDONE


def test_what_others_built_on_is_not_moved(locks: Any, bench: Any) -> None:
    land(locks, bench)
    head = bench.commit("more", c_dot_txt="c")
    with pytest.raises(Refused) as refusal:
        lock.undo(bench.repository, locks.history, "c-1/1", actor="me")
    assert refusal.value.code == "undo.moved"
    assert "revert" in refusal.value.hint
    assert bench.git("rev-parse", "main") == head


def test_a_release_and_a_change_that_has_not_landed(locks: Any, bench: Any) -> None:
    land(locks, bench)
    bench.git("tag", "v1")
    with pytest.raises(Refused) as refusal:
        lock.undo(bench.repository, locks.history, "c-1/1", actor="me")
    assert refusal.value.code == "undo.released"
    locks.ready(bench.git("rev-parse", "main"), "c-2")
    for key, code in (("c-2/1", "undo.not_landed"), ("c-3/1", "change.unknown")):
        with pytest.raises(Invalid) as wrong:
            lock.undo(bench.repository, locks.history, key, actor="me")
        assert wrong.value.code == code


def advance_all(locks: Any, bench: Any, landing: Any) -> Any:
    lock.advance(bench.repository, locks.history, landing.id)
    if run := locks.get(landing).run:
        locks.answer(run, RunState.GREEN, locks.GREEN)
    for _ in range(2):
        lock.advance(bench.repository, locks.history, landing.id)
    return locks.get(landing)


def test_what_others_built_on_is_taken_back_by_a_revert_that_lands(locks: Any, bench: Any) -> None:
    land(locks, bench)
    bench.commit("more", c_dot_txt="c")
    revert = lock.make_revert(bench.repository, locks.history, "c-1/1", actor="me")
    assert lock.make_revert(bench.repository, locks.history, "c-1/1", actor="me") == revert
    done = advance_all(locks, bench, lock.enqueue(bench.repository, locks.history, revert.key, actor="me"))
    assert done.state.value == "landed"
    assert sorted(bench.git("ls-tree", "--name-only", "main").split()) == ["a.txt", "c.txt"]
    over = lock.settle_revert(locks.history, "c-1/1", revert, actor="me")
    assert over.state is ChangeState.UNDONE
    with pytest.raises(Invalid):
        lock.settle_revert(locks.history, "c-1/1", revert, actor="me")


def test_a_revert_that_conflicts_with_what_came_later_stays_out(locks: Any, bench: Any) -> None:
    land(locks, bench)
    later = bench.commit("edits it", b_dot_txt="edited\n")
    revert = lock.make_revert(bench.repository, locks.history, "c-1/1", actor="me")
    done = advance_all(locks, bench, lock.enqueue(bench.repository, locks.history, revert.key, actor="me"))
    assert (done.state.value, done.blocked_paths) == ("failed", ("b.txt",))
    assert bench.git("rev-parse", "main") == later
