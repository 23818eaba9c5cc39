"""Re-rolls with their range-diff, and several attempts at one task of which a person picks one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Invalid
from ecluse.history import History
from ecluse.intake.attempts import open_tasks, task_named
from ecluse.intake.rerolls import compare_revisions
from ecluse.model import Agent, Change, ChangeState


def ecluse(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=cwd, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


@pytest.fixture
def attempts(bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path) -> list[Change]:
    """Three attempts at the task ``t-1`` by as many agents, and one at another."""
    bench.commit("open", ecluse_dot_toml='trust = "all"\nsolo = true\n')
    made = []
    for name, task in (("a", "t-1"), ("b", "t-1"), ("c", "t-1"), ("d", "t-2")):
        box = sandbox(f"box-{name}")
        extra = {"tests__test_b_dot_py": "def test():\n    pass\n"} if name == "b" else {}
        box.commit(f"feat: by {name}", b_dot_txt=f"{name}\n" * (ord(name) - 96), **extra)
        done = intake.export(box.repository, intake.ExportRequest(Agent(name, task=task), to=tmp_path / name))
        made.append(helpers.take_in(bench, history, done.path))
    return made


def test_attempts_are_compared_and_one_is_picked(bench: Any, history: History, attempts: list[Change]) -> None:
    (task,) = open_tasks(bench.repository, history)
    assert (task.name, [one.agent for one in task.attempts]) == ("t-1", ["a", "b", "c"])
    assert [one.added for one in task.attempts] == [1, 4, 3]
    assert [one.tests for one in task.attempts] == [(), ("tests/test_b.py",), ()]
    assert all(one.checks.get("python-syntax") for one in task.attempts)
    shown = ecluse(bench.folder, "show", "--task", "t-1").stdout
    assert "touches 1 test file" in shown and "ecluse review CHANGE --pick" in shown
    overlap = json.loads(ecluse(bench.folder, "overlap", "--json").stdout)
    assert [one["name"] for one in overlap["tasks"]] == ["t-1"]
    picked = intake.review(
        bench.repository, history, attempts[1].key, accept=True, pick=True, why="it has tests", who="me", how="typed"
    )
    assert picked.state is ChangeState.READY and picked.trusted_by.startswith("person me")
    states = {one.agent: one.state for one in history.find(Change)}
    assert states == {
        "a": ChangeState.SUPERSEDED, "b": ChangeState.READY, "c": ChangeState.SUPERSEDED, "d": ChangeState.READY,
    }  # fmt: skip
    assert open_tasks(bench.repository, history) == []
    assert not task_named(bench.repository, history, "t-1").is_open
    statement = json.loads(history.events(kind="change.picked")[0].data["statement"])
    assert statement["answer"] == "pick"


def test_a_change_without_a_task_has_no_rivals(bench: Any, history: History, sandbox: Any, helpers: Any) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    change = helpers.take_in(bench, history, helpers.export(box).path)
    with pytest.raises(Invalid) as wrong:
        intake.review(bench.repository, history, change.key, accept=True, pick=True, why="x", who="me", how="typed")
    assert wrong.value.code == "review.no_task"


def test_a_re_roll_supersedes_and_shows_what_it_changed(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    bench.commit("open", ecluse_dot_toml='trust = "all"\n')
    box = sandbox()
    box.commit("feat: stays", b_dot_txt="b\n")
    lines = "".join(f"line {n}\n" for n in range(20))
    box.commit("feat: changes", c_dot_txt=lines)
    first = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "1").path)
    assert compare_revisions(bench.repository, history, first) is None
    box.write("c.txt", lines.replace("line 7", "line seven"))
    box.git("commit", "-qa", "--amend", "--no-edit")
    box.commit("feat: more", d_dot_txt="d\n")
    done = helpers.export(box, to=tmp_path / "2")
    told = ecluse(bench.folder, "import", str(done.path))
    assert f"against {first.key}: 1 same, 1 changed, 1 new" in told.stderr
    newer = history.get(Change, f"{first.id}/2")
    assert newer is not None and newer.state is ChangeState.READY
    assert (found := history.get(Change, first.key)) and found.state is ChangeState.SUPERSEDED
    reroll = compare_revisions(bench.repository, history, newer)
    assert reroll is not None
    assert [(one.kind, one.title) for one in reroll.steps] == [
        ("same", "feat: stays"), ("changed", "feat: changes"), ("new", "feat: more"),
    ]  # fmt: skip
    shown = ecluse(bench.folder, "show", newer.key)
    assert "line seven" in shown.stdout
    document = json.loads(ecluse(bench.folder, "show", newer.key, "--json").stdout)
    assert document["reroll"]["older"] == first.key
    again = json.loads(ecluse(bench.folder, "import", str(done.path), "--json").stdout)
    assert again["reroll"]["steps"][1]["kind"] == "changed"
