"""The journal of hand-overs lands with the change: on top of commits that keep their ids, in the tree that was tested."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse import landing as lock
from ecluse.errors import Refused
from ecluse.model import Change, LandingState, RunState

PAGES = {"AGENT_SYNC.md", "docs/passation.md", "docs/passation/agent1.md"}
ON = "[documents]\nlanding = true\n"


def side(bench: Any, name: str = "side", **files: str) -> str:
    bench.git("checkout", "-q", "-B", name, "main")
    head: str = bench.commit("feat: side", **(files or {"b_dot_txt": "b"}))
    bench.git("checkout", "-q", "main")
    return head


def land(locks: Any, change: Change) -> Any:
    asked = lock.enqueue(locks.bench.repository, locks.history, change.key, actor="me")
    lock.advance(locks.bench.repository, locks.history, asked.id)
    testing = locks.get(asked)
    assert testing.state is LandingState.TESTING, testing.reason
    locks.answer(testing.run, RunState.GREEN, locks.GREEN)
    lock.advance(locks.bench.repository, locks.history, asked.id)
    lock.advance(locks.bench.repository, locks.history, asked.id)
    return locks.get(asked)


def changed(bench: Any, old: str, new: str) -> set[str]:
    return set(bench.git("diff", "--name-only", old, new).split())


@pytest.mark.parametrize("moved", [False, True])
def test_what_was_tested_holds_the_pages_and_lands(moved: bool, locks: Any, bench: Any) -> None:
    bench.commit("policy", ecluse_dot_toml=ON)
    head = side(bench)
    if moved:
        bench.commit("meanwhile", m_dot_txt="m")
    change = locks.ready(head, note="Left: the docs", validations=({"name": "pytest", "result": "success"},))
    landed = land(locks, change)
    assert landed.state is LandingState.LANDED
    assert bench.git("rev-parse", "main") == landed.candidate
    assert landed.tree == bench.git("rev-parse", "main^{tree}"), "it was part of what was tested"
    assert changed(bench, "main^", "main") == PAGES
    assert bench.git("merge-base", "--is-ancestor", head, "main") == ""
    assert bench.git("rev-parse", "main^" if not moved else "main^^2") == head, "the commits keep their ids"
    assert "the docs" in (bench.folder / "docs/passation/agent1.md").read_text()
    assert bench.git("status", "--porcelain") == ""


def test_it_is_off_without_the_setting(locks: Any, bench: Any) -> None:
    head = side(bench)
    land(locks, locks.ready(head))
    assert bench.git("rev-parse", "main") == head


def test_two_agents_at_once_do_not_conflict(locks: Any, bench: Any) -> None:
    bench.commit("policy", ecluse_dot_toml=ON)
    one, two = side(bench, "one"), side(bench, "two", c_dot_txt="c")
    first, second = locks.ready(one, "c-1"), locks.ready(two, "c-2")
    assert land(locks, first).state is LandingState.LANDED
    assert land(locks, second).state is LandingState.LANDED
    page = (bench.folder / "docs/passation/agent1.md").read_text()
    assert "c-1/1" in page and "c-2/1" in page
    assert "| 2 |" in (bench.folder / "AGENT_SYNC.md").read_text()


def test_the_candidate_is_the_same_when_it_is_built_again(locks: Any, bench: Any) -> None:
    bench.commit("policy", ecluse_dot_toml=ON)
    change = locks.ready(side(bench))
    asked = lock.enqueue(bench.repository, locks.history, change.key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    first = locks.get(asked)
    locks.history.record(asked, __import__("ecluse.model").model.Event("x.y", asked.subject, "as after a death"))
    lock.advance(bench.repository, locks.history, asked.id)
    assert locks.get(asked).candidate == first.candidate


@pytest.mark.parametrize("kind", ["link", "binary", "file for a folder"])
def test_something_else_under_a_page_s_name_stops_no_landing(kind: str, locks: Any, bench: Any) -> None:
    if kind == "link":
        (bench.folder / "AGENT_SYNC.md").symlink_to("a.txt")
    elif kind == "binary":
        bench.write("docs/passation.md", b"\xff\xfe\x00")
    else:
        bench.write("docs", "a file")
    bench.commit("policy", ecluse_dot_toml=ON)
    head = side(bench)
    assert land(locks, locks.ready(head)).state is LandingState.LANDED
    assert bench.git("rev-parse", "main") == head


def test_undo_takes_the_pages_back_too_and_names_a_revert_that_works(locks: Any, bench: Any) -> None:
    bench.commit("policy", ecluse_dot_toml=ON)
    head = side(bench)
    before = bench.commit("meanwhile", m_dot_txt="m")
    change = locks.ready(head)
    land(locks, change)
    bench.commit("later", l_dot_txt="l")
    with pytest.raises(Refused) as moved:
        lock.undo(bench.repository, locks.history, change.key, actor="me")
    assert moved.value.hint.endswith(f"ecluse import --undo {change.key}")
    revert = lock.make_revert(bench.repository, locks.history, change.key, actor="me")
    assert changed(bench, before, revert.head) == set()  # the pages are gone with the change
    bench.git("reset", "-q", "--hard", "main~1")
    lock.undo(bench.repository, locks.history, change.key, actor="me")
    assert bench.git("rev-parse", "main") == before
