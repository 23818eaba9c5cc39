"""What an export leaves out and says so, and what it does not hand over at all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Invalid, Refused


def test_ignored_files_are_listed_and_quiet(helpers: Any, bench: Any, sandbox: Any, tmp_path: Path) -> None:
    bench.commit("ignore", _dot_gitignore="node_modules/\n*.log\n")
    box = sandbox()
    box.write("node_modules/x/y.js", "1\n")
    box.write("a.log", "1\n")
    box.write("kept.txt", "1\n")
    done = helpers.export(box, to=tmp_path / "o")
    assert {(one["path"], one["reason"]) for one in done.not_carried} == {
        ("node_modules/", "ignored"),
        ("a.log", "ignored"),
    }
    assert done.omissions == ()


def test_omissions_are_loud_until_accepted(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("kept.txt", "1\n")
    box.write("huge.bin", bytes(4096))
    box.write(".env", "X=1\n")
    box.write("inner/x", "1\n")
    subprocess.run(["git", "init", "-q", "inner"], cwd=box.folder, check=True)
    done = helpers.export(box, to=tmp_path / "o", max_file_bytes=2048)
    assert {(one["path"], one["reason"]) for one in done.omissions} == {
        ("huge.bin", "too large"), (".env", "sensitive"), ("inner/", "nested repository"),
    }  # fmt: skip
    assert [f["path"] for f in done.files] == ["kept.txt"]
    assert helpers.export(box, to=tmp_path / "o", max_file_bytes=2048, accept_omissions=True).omissions == ()


def test_assume_unchanged_is_looked_at_all_the_same(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.git("update-index", "--assume-unchanged", "a.txt")
    box.write("a.txt", "changed\n")
    assert [f["path"] for f in helpers.export(box, to=tmp_path / "o").files] == ["a.txt"]


def test_nothing_to_hand_over(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    with pytest.raises(Invalid) as refusal:
        helpers.export(box, to=tmp_path / "o")
    assert refusal.value.code == "export.empty"
    box.write(".env", "X=1\n")
    with pytest.raises(Invalid) as refusal:
        helpers.export(box, to=tmp_path / "o")
    assert ".env (sensitive)" in refusal.value.message


def test_repository_without_commits(bench: Any, helpers: Any, tmp_path: Path) -> None:
    empty = type(bench)(tmp_path / "empty")
    empty.write("x", "x")
    with pytest.raises(Invalid) as refusal:
        helpers.export(empty)
    assert refusal.value.code == "repo.empty"


def test_a_committed_secret_stops_the_export(helpers: Any, sandbox: Any, tmp_path: Path, dice: Any) -> None:
    box = sandbox()
    secret = helpers.fake_secret(dice)
    box.commit("oops", k_dot_txt=f"first line\nkey = {secret}\n")
    box.commit("gone again", k_dot_txt="first line\n")
    with pytest.raises(Refused) as refusal:
        helpers.export(box, to=tmp_path / "o")
    assert refusal.value.code == "secret.found"
    assert "k.txt line 2: github-token" in refusal.value.message
    assert secret not in refusal.value.message + refusal.value.hint + json.dumps(refusal.value.details)
    assert not (tmp_path / "o").exists()


def test_a_secret_in_a_message_and_a_tracked_env_file_stop_it_too(
    helpers: Any, sandbox: Any, tmp_path: Path, dice: Any
) -> None:
    box = sandbox()
    box.commit(f"use {helpers.fake_secret(dice)}", b_dot_txt="b\n")
    with pytest.raises(Refused, match="the message of commit"):
        helpers.export(box, to=tmp_path / "o")
    other = sandbox("other")
    other.write("prod.env", "A=1\n")
    other.git("add", "prod.env")
    with pytest.raises(Refused, match=r"prod\.env is a file that holds secrets"):
        helpers.export(other, to=tmp_path / "o")


def test_a_red_check_stops_it_unless_allowed(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    from ecluse.errors import Red

    box = sandbox()
    box.write("bad.py", "def broken(:\n")
    with pytest.raises(Red, match=r"bad\.py:1"):
        helpers.export(box, to=tmp_path / "o")
    done = helpers.export(box, to=tmp_path / "o", allow_red=True)
    assert done.validations[0]["result"] == "failure"


def test_a_parser_bomb_does_not_take_us_along(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("deep.py", "x = " + "-" * 200_000 + "1\n")
    done = helpers.export(box, to=tmp_path / "o", allow_red=True)
    assert done.validations[0]["result"] == "failure"


def test_base_that_does_not_exist(helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("x", "x")
    with pytest.raises(Invalid) as refusal:
        helpers.export(box, base="nowhere")
    assert refusal.value.code == "rev.unknown"
