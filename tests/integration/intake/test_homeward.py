"""The trunk goes back to a sandbox without remote, and landed work is never handed over a second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Invalid, Refused
from ecluse.git import Repository
from ecluse.history import History
from ecluse.intake.homeward import make_homeward, take_homeward
from ecluse.kit import InitOptions, init


def test_both_directions_without_a_forge(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    box = sandbox()
    first = box.git("rev-parse", "HEAD")
    box.commit("feat: b", b_dot_txt="b\n")
    helpers.export(box, to=tmp_path / "o")
    change = helpers.take_in(bench, history, tmp_path / "o")
    bench.git("merge", "-q", "--no-ff", "-m", "land", change.head)
    tip = bench.commit("other", c_dot_txt="c\n")
    done = make_homeward(bench.repository, history, "a1", tmp_path / "trunk.bundle")
    assert (done.base, done.tip) == (first, tip)
    assert history.events(kind="sync.made")
    before = (box.git("rev-parse", "HEAD"), box.git("status", "--porcelain"))
    taken = take_homeward(box.repository, tmp_path / "trunk.bundle")
    assert (taken.ref, taken.tip, taken.commits) == ("refs/remotes/ecluse/main", tip, 2)
    assert (box.git("rev-parse", "HEAD"), box.git("status", "--porcelain")) == before
    box.git("merge", "-q", "ecluse/main")
    assert take_homeward(box.repository, tmp_path / "trunk.bundle").commits == 0
    with pytest.raises(Invalid) as caught:
        helpers.export(box, to=tmp_path / "again")
    assert caught.value.code == "export.empty"
    box.commit("feat: d", d_dot_txt="d\n")
    again = helpers.export(box, to=tmp_path / "again")
    assert (again.base, [one["path"] for one in again.files]) == (tip, ["d.txt"])
    assert intake.Exported is type(again)


def test_nothing_to_carry_and_mistakes(bench: Any, history: History, sandbox: Any, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as unknown:
        make_homeward(bench.repository, history, "nobody", tmp_path / "x")
    assert unknown.value.code == "sync.agent"
    assert make_homeward(bench.repository, history, "", tmp_path / "x", have="HEAD").path is None
    assert not (tmp_path / "x").exists()
    box = sandbox()
    middle = bench.commit("two", b_dot_txt="b\n")
    bench.commit("three", c_dot_txt="c\n")
    make_homeward(bench.repository, history, "", tmp_path / "x", have=middle)
    with pytest.raises(Invalid) as lacks:
        take_homeward(box.repository, tmp_path / "x")
    assert lacks.value.code == "sync.base"
    data = (tmp_path / "x").read_bytes()
    (tmp_path / "y").write_bytes(data[:-30])
    bench.git("fetch", "-q", ".")
    with pytest.raises(Refused):
        take_homeward(bench.repository, tmp_path / "y")


def test_an_agent_gets_the_branch_that_it_works_on(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    bench.commit("policy", ecluse_dot_toml='[landing]\ntargets = ["stable"]\n')
    bench.git("branch", "stable")
    box = sandbox("box", "--branch", "stable")
    box.commit("fix: s", s_dot_txt="s\n")
    change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "o").path)
    assert change.target == "refs/heads/stable"
    bench.commit("on main", m_dot_txt="m\n")
    bench.git("update-ref", "refs/heads/stable", change.head)
    done = make_homeward(bench.repository, history, "a1", tmp_path / "b", branch="")
    assert (done.branch, done.tip, done.commits) == ("stable", change.head, 1)
    assert take_homeward(box.repository, tmp_path / "b").ref == "refs/remotes/ecluse/stable"
    asked = make_homeward(bench.repository, history, "a1", tmp_path / "c", branch="main")
    assert (asked.branch, asked.tip) == ("main", bench.git("rev-parse", "main"))
    with pytest.raises(Invalid) as unknown:
        make_homeward(bench.repository, history, "a1", tmp_path / "d", branch="nope")
    assert unknown.value.code == "sync.branch"
    bench.git("update-ref", "-d", "refs/heads/stable")
    assert make_homeward(bench.repository, history, "a1", tmp_path / "e").branch == "main"


def test_the_trunk_of_another_repository_is_refused_and_named(
    bench: Any, history: History, sandbox: Any, tmp_path: Path
) -> None:
    middle = bench.commit("two", b_dot_txt="b\n")
    bench.commit("three", c_dot_txt="c\n")
    make_homeward(bench.repository, history, "", tmp_path / "beyond", have=middle)
    bench.git("bundle", "create", "-q", str(tmp_path / "whole"), "main")
    other = Repository.create(tmp_path / "other")
    (tmp_path / "other" / "o.txt").write_text("o\n")
    other.run("add", "-A")
    other.run("-c", "user.name=o", "-c", "user.email=o@example.invalid", "commit", "-qm", "other")
    init(bench.repository, InitOptions())
    for name in ("beyond", "whole"):
        with pytest.raises(Refused) as caught:
            take_homeward(other, tmp_path / name)
        assert caught.value.code == "repository.other"
        assert str(bench.folder) in caught.value.message
    assert not other.refs("refs/remotes")
    assert other.config("ecluse.base") is None
    assert take_homeward(sandbox().repository, tmp_path / "whole").commits == 0


def test_the_door(bench: Any, history: History, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    tip = bench.commit("two", b_dot_txt="b\n")
    words = [sys.executable, "-m", "ecluse", "sync"]
    made = subprocess.run(
        [*words, "--have", "HEAD~1", "--to", str(tmp_path / "t.bundle"), "--json"], cwd=bench.folder,
        capture_output=True, env=os.environ, check=True,
    )  # fmt: skip
    assert json.loads(made.stdout)["commits"] == 1
    took = subprocess.run(
        [*words, "--take", str(tmp_path / "t.bundle")], cwd=box.folder, capture_output=True, env=os.environ, check=True
    )
    assert b"git merge ecluse/main" in took.stdout
    assert box.git("rev-parse", "ecluse/main") == tip
    assert subprocess.run(words, cwd=bench.folder, capture_output=True, env=os.environ, check=False).returncode == 2
