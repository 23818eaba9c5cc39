"""Pending changes compared by trial merges; nothing of the repository moves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from ecluse.clock import instant
from ecluse.guarded import rules_for
from ecluse.history import History
from ecluse.landing.candidate import build
from ecluse.landing.overlap import compare
from ecluse.model import Change, ChangeState, Event
from ecluse.trunk import open_trunk


def put(
    bench: Any, history: History, name: str, state: ChangeState = ChangeState.READY, task: str = "", **files: str
) -> str:
    """A pending change with these files, made on main."""
    bench.git("checkout", "-q", "--detach", "main")
    head = bench.commit(name, **files)
    bench.git("checkout", "-q", "main")
    bench.git("update-ref", f"refs/ecluse/changes/{name}/1", head)
    change = Change(
        f"{name}/1", name, 1, state, name, "ada", "refs/heads/main", name, name, instant(), instant(), head=head, task=task,
    )  # fmt: skip
    history.record(change, Event(f"change.{state}", change.subject, name))
    return change.key


def test_pairs_conflicts_and_an_order(bench: Any, history: History) -> None:
    top = put(bench, history, "c-top", a_dot_txt="ONE\ntwo\nthree\n")
    bottom = put(bench, history, "c-bottom", a_dot_txt="one\ntwo\nTHREE\n")
    clash = put(bench, history, "c-clash", ChangeState.CONFLICT, a_dot_txt="1\n2\n3\n")
    alone = put(bench, history, "c-alone", b_dot_txt="b\n")
    put(bench, history, "c-done", ChangeState.LANDED, a_dot_txt="x\n")
    before = bench.git("for-each-ref"), bench.git("count-objects", "-v"), bench.git("status", "--porcelain")
    (found,) = compare(bench.repository, history)
    assert (bench.git("for-each-ref"), bench.git("count-objects", "-v"), bench.git("status", "--porcelain")) == before
    assert found.target == "refs/heads/main"
    assert set(found.changes) == {top, bottom, clash, alone}
    told = {frozenset((pair.one, pair.other)): pair for pair in found.pairs}
    assert set(told) == {frozenset((top, bottom)), frozenset((top, clash)), frozenset((bottom, clash))}
    assert all(pair.files == ("a.txt",) for pair in found.pairs)
    assert told[frozenset((top, clash))].conflicts == ("a.txt",)
    assert found.order[0] == alone
    assert clash in found.rework
    assert found.rework[clash] == ("a.txt",)
    assert set(found.order) | set(found.rework) == set(found.changes)


def test_what_rules_resolve_is_no_conflict(bench: Any, history: History) -> None:
    """The same rules as in a landing: a changelog takes both lines; what steers agents is for a person."""
    bench.commit("log", CHANGELOG_dot_md="# Changes\n\n- first\n", AGENTS_dot_md="x\n")
    one = put(bench, history, "c-one", CHANGELOG_dot_md="# Changes\n\n- one\n- first\n")
    two = put(bench, history, "c-two", CHANGELOG_dot_md="# Changes\n\n- two\n- first\n")
    left = put(bench, history, "c-left", AGENTS_dot_md="left\n")
    right = put(bench, history, "c-right", AGENTS_dot_md="right\n")
    (found,) = compare(bench.repository, history)
    told = {frozenset((pair.one, pair.other)): pair for pair in found.pairs}
    lines = told[frozenset((one, two))]
    assert (lines.conflicts, lines.resolved) == ((), ({"path": "CHANGELOG.md", "rule": "union"},))
    assert told[frozenset((left, right))].conflicts == ("AGENTS.md",)
    assert {one, two} < set(found.order)
    assert list(found.resolved.values()) == [({"path": "CHANGELOG.md", "rule": "union"},)]
    assert len(found.rework) == 1
    for key in (one, two):
        change = history.get(Change, key)
        assert change is not None
        rules = rules_for(bench.repository, open_trunk(bench.repository).config)
        built = build(bench.repository, bench.git("rev-parse", "main"), change, change.target, instant(), rules)
        bench.git("update-ref", "refs/heads/main", built.commit)
        assert built.resolved == found.resolved.get(key, ())


def test_nothing_pending_and_the_door(bench: Any, history: History) -> None:
    assert compare(bench.repository, history) == []
    key = put(bench, history, "c-1", b_dot_txt="b\n")
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", "overlap", "--json"],
        cwd=bench.folder,
        capture_output=True,
        env=os.environ,
        check=True,
    )
    assert json.loads(done.stdout)["targets"][0]["order"] == [key]
    text = subprocess.run(
        [sys.executable, "-m", "ecluse", "overlap"],
        cwd=bench.folder,
        capture_output=True,
        env=os.environ,
        check=True,
        text=True,
    )
    assert f"1. ecluse land {key}" in text.stdout
    assert f"{key}  ada: c-1" in text.stdout


def test_the_door_says_what_each_change_is_and_why_one_cannot_land(bench: Any, history: History) -> None:
    late = put(bench, history, "c-late", README_dot_md="late\n")
    first = put(bench, history, "c-first", x_dot_py="def f():\n    return 1\n")
    second = put(bench, history, "c-second", x_dot_py="def f():\n    return 2\n")
    bench.commit("landed meanwhile", README_dot_md="other\n")
    (found,) = compare(bench.repository, history)
    assert (found.order, found.behind, set(found.rework)) == ((first,), (late,), {second, late})
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", "overlap"], cwd=bench.folder, capture_output=True, env=os.environ, check=True,
        text=True,
    )  # fmt: skip
    said = done.stdout
    assert "main: 3 changes pending" in said
    assert f"{first} and {second} conflict in x.py" in said
    assert f"{late} cannot land as it is: it conflicts in README.md with main\n" in said
    assert f"{second} cannot land as it is: it conflicts in x.py with {first}, which the order puts first" in said
    assert said.count("ecluse sync ada --to trunk.bundle") == 2
    assert "attempts" not in said


def test_the_order_says_which_are_attempts_at_one_task(bench: Any, history: History) -> None:
    for name, task in (("c-1", "ISSUE-7"), ("c-2", "ISSUE-7"), ("c-3", "alone"), ("c-4", "")):
        put(bench, history, name, task=task, **{f"{name[2:]}_dot_txt": "x\n"})
    said = subprocess.run(
        [sys.executable, "-m", "ecluse", "overlap"], cwd=bench.folder, capture_output=True, env=os.environ, check=True,
        text=True,
    ).stdout  # fmt: skip
    assert "1. ecluse land c-1/1  (one of several attempts at ISSUE-7)" in said
    assert said.count("one of several") == 2


def test_many_pairs_without_trouble_are_counted_and_not_listed(bench: Any, history: History) -> None:
    bench.commit("begin", x_dot_txt="".join(f"{number}\n\n\n\n" for number in range(6)))
    for number in range(6):
        text = "".join(f"{n}{' changed' if n == number else ''}\n\n\n\n" for n in range(6))
        put(bench, history, f"c-{number}", x_dot_txt=text)
    (found,) = compare(bench.repository, history)
    assert len(found.pairs) == 15
    assert [pair.one for pair in found.pairs] == sorted(pair.one for pair in found.pairs), "in the order of their age"
    said = subprocess.run(
        [sys.executable, "-m", "ecluse", "overlap"], cwd=bench.folder, capture_output=True, env=os.environ, check=True,
        text=True,
    ).stdout  # fmt: skip
    assert "15 more pairs touch the same files and merge cleanly" in said
    assert "6. ecluse land c-5/1" in said
