"""Simple conflicts that named rules resolve: what is resolved is on record and tested, everything else stays a conflict."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse import landing as lock
from ecluse.config import parse
from ecluse.guarded import is_guarded
from ecluse.model import Change, ChangeState, LandingState, RunState

LOG = "# Changelog\n\n## Unreleased\n\n- first\n"


def diverge(bench: Any, path: str, base: str, ours: str, theirs: str) -> str:
    """The head of a side branch; both it and main changed ``path``, which was ``base``."""
    bench.write(path, base)
    bench.commit("base")
    bench.git("checkout", "-q", "-B", "side", "main")
    bench.write(path, theirs)
    head = bench.commit("theirs")
    bench.git("checkout", "-q", "main")
    bench.write(path, ours)
    bench.commit("ours")
    return str(head)


def try_to_land(locks: Any, bench: Any, head: str) -> Any:
    asked = lock.enqueue(bench.repository, locks.history, locks.ready(head).key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    return locks.get(asked)


def resolved(locks: Any) -> Any:
    return locks.history.get(Change, "c-1/1").about.get("resolved")


def test_changelog_keeps_the_lines_of_both_and_is_tested_before_it_lands(locks: Any, bench: Any) -> None:
    head = diverge(bench, "CHANGELOG.md", LOG, LOG + "- ours\n", LOG + "- theirs\n")
    testing = try_to_land(locks, bench, head)
    assert testing.state is LandingState.TESTING
    assert bench.git("show", f"{testing.candidate}:CHANGELOG.md") == (LOG + "- ours\n- theirs").strip()
    assert bench.git("rev-parse", f"{testing.candidate}^{{tree}}") == testing.tree
    assert "Ecluse-Resolved: union CHANGELOG.md" in bench.git("log", "-1", "--format=%B", testing.candidate)
    locks.answer(testing.run, RunState.GREEN, locks.GREEN)
    lock.advance(bench.repository, locks.history, testing.id)
    lock.advance(bench.repository, locks.history, testing.id)
    rows = [{"path": "CHANGELOG.md", "rule": "union"}]
    assert locks.get(testing).state is LandingState.LANDED
    assert bench.git("rev-parse", "main^{tree}") == testing.tree
    assert resolved(locks) == rows
    for kind in ("change.resolved", "landing.testing", "landing.landed"):
        assert [event.data["resolved"] for event in locks.history.events(kind=kind)] == [rows]


def test_a_red_candidate_stays_out_whatever_rule_made_it(locks: Any, bench: Any) -> None:
    testing = try_to_land(locks, bench, diverge(bench, "NEWS", LOG, LOG + "- ours\n", LOG + "- theirs\n"))
    before = bench.git("rev-parse", "main")
    locks.answer(testing.run, RunState.RED, locks.RED)
    lock.advance(bench.repository, locks.history, testing.id)
    assert locks.get(testing).state is LandingState.RED
    assert bench.git("rev-parse", "main") == before


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("a\nX\nd\n", "a\nX\nc\n"), ("a\nX\nc\n", "a\nX\nd\n"), ("a\r\nX\r\nd\r\n", "a\r\nX\r\nc\r\n")],
)
def test_the_same_change_on_both_sides_and_one_more_beside_it(locks: Any, bench: Any, ours: str, theirs: str) -> None:
    ends = "\r\n" if "\r" in ours else "\n"
    testing = try_to_land(locks, bench, diverge(bench, "code.txt", ends.join(["a", "b", "c", ""]), ours, theirs))
    assert testing.state is LandingState.TESTING
    held = bench.repository.read(testing.candidate, "code.txt")
    assert held == ends.join(["a", "X", "d", ""]).encode()
    assert resolved(locks) == [{"path": "code.txt", "rule": "identical"}]


@pytest.mark.parametrize(
    ("path", "ours", "theirs"),
    [
        ("CHANGELOG.md", "# Log\n- ours\n", "# Log\n- first\n- theirs\n"),  # a line was taken away
        ("CHANGELOG.md", "# Log\n- first\n- ours", "# Log\n- first\n- theirs\n"),  # no line end
        ("code.txt", "# Log\n- first\n- ours\n", "# Log\n- first\n- theirs\n"),  # no changelog
        ("code.txt", "# Log\nX\nd\n", "# Log\nX\ne\n"),  # the same, and each something of its own
        ("AGENTS.md", "# Log\n- X\n- d\n", "# Log\n- X\n- first\n"),  # what agents are told
        ("release/playbook.yml", "# Log\n- X\n", "# Log\n- X\n- Y\n"),
    ],
)
def test_what_is_not_simple_stays_a_conflict(locks: Any, bench: Any, path: str, ours: str, theirs: str) -> None:
    failed = try_to_land(locks, bench, diverge(bench, path, "# Log\n- first\n", ours, theirs))
    assert (failed.state, failed.blocked_paths) == (LandingState.FAILED, (path,))
    assert locks.history.get(Change, "c-1/1").state is ChangeState.CONFLICT
    assert resolved(locks) is None


def test_one_file_that_is_not_simple_leaves_all_to_a_person(locks: Any, bench: Any) -> None:
    bench.commit("more", a_dot_txt="base\n", CHANGELOG_dot_md=LOG)
    bench.git("checkout", "-q", "-B", "side", "main")
    head = bench.commit("theirs", a_dot_txt="theirs\n", CHANGELOG_dot_md=LOG + "- theirs\n")
    bench.git("checkout", "-q", "main")
    bench.commit("ours", a_dot_txt="ours\n", CHANGELOG_dot_md=LOG + "- ours\n")
    assert try_to_land(locks, bench, head).blocked_paths == ("a.txt",)


def test_the_policy_turns_rules_off(locks: Any, bench: Any) -> None:
    bench.write("ecluse.toml", "[landing]\nrules = []\n")
    failed = try_to_land(locks, bench, diverge(bench, "CHANGELOG.md", LOG, LOG + "- ours\n", LOG + "- theirs\n"))
    assert failed.state is LandingState.FAILED


def test_a_resolution_that_a_person_recorded_is_used_again(locks: Any, bench: Any) -> None:
    head = diverge(bench, "code.txt", "one\ntwo\nthree\n", "one\nours\nthree\n", "one\ntheirs\nthree\n")
    assert try_to_land(locks, bench, head).state is LandingState.FAILED
    bench.git("config", "rerere.enabled", "true")
    bench.git("checkout", "-q", "-b", "trial", "main")
    with pytest.raises(Exception, match="merge"):
        bench.git("merge", "-q", "side")
    bench.write("code.txt", "one\nboth\nthree\n")
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "by hand")
    bench.git("checkout", "-q", "main")
    testing = try_to_land(locks, bench, head)
    assert testing.state is LandingState.TESTING
    assert bench.git("show", f"{testing.candidate}:code.txt") == "one\nboth\nthree"
    assert resolved(locks) == [{"path": "code.txt", "rule": "rerere"}]
    assert bench.git("status", "--porcelain") == ""


def test_paths_that_no_rule_touches() -> None:
    config = parse(b'[intake]\nprotected = ["core/"]\n[release]\nplaybooks = "plans"\n')
    for path in (
        ".github/workflows/ci.yml", "ecluse.toml", "ECLUSE.TOML", "AGENTS.md", "agents.MD", ".sync/scripts/x.py",
        "plans/a.md", "core/a.py", "pyproject.toml", "sub/.gitattributes", "../CHANGELOG.md", "git~1/CHANGELOG.md",
        "a\nb", ".git/CHANGELOG.md",
    ):  # fmt: skip
        assert is_guarded(path, config), path
    assert not any(is_guarded(path, config) for path in ("CHANGELOG.md", "docs/été.md", "src/a.py"))
