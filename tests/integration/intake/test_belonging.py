"""Which repository a bundle belongs to: the wrong one is refused and told the right one's name, never a right one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.git.remotes import public_address
from ecluse.history import History
from ecluse.intake import belonging
from ecluse.kit.pieces import script
from ecluse.model import ChangeState, Verdict


@pytest.fixture
def elsewhere(bench: Any, tmp_path: Path) -> Any:
    """Another repository with files of its own, seen by ``init`` on this machine, and a remote with a password."""
    made = type(bench)(tmp_path / "elsewhere")
    made.commit("another beginning", other_dot_txt="o\n", README_dot_md="# other\n")
    made.git("remote", "add", "origin", "https://someone:" + "pass" + "word@example.invalid/team/other.git")
    belonging.remember(made.repository)
    return made


EXPORTERS: dict[str, list[str]] = {
    "ecluse": [sys.executable, "-m", "ecluse", "export"],
    "py": [sys.executable, "cloud-export.py"],
    "sh": ["sh", "cloud-export.sh"],
}


@pytest.mark.parametrize("kind", list(EXPORTERS))
def test_the_wrong_repository_is_refused_and_told_the_right_one(
    bench: Any, history: History, elsewhere: Any, helpers: Any, tmp_path: Path, kind: str
) -> None:
    before = elsewhere.git("rev-parse", "HEAD")
    elsewhere.commit("work", other_dot_txt="O\n")
    words = list(EXPORTERS[kind])
    if kind != "ecluse":
        (tmp_path / words[1]).write_bytes(script(words[1]))
        words[1] = str(tmp_path / words[1])
    to = str(tmp_path / "out")
    done = subprocess.run(
        [*words, "--agent", "a1", "--task", "t-1", "--base", before, "--to", to], cwd=elsewhere.folder,
        capture_output=True, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    (name,) = Path(to).glob("*.json")
    said = json.loads(name.read_text())
    assert said["repository"] == {"roots": [before], "remote": "https://example.invalid/team/other.git"}
    assert said["agent_details"]["task"] == "t-1"
    change = helpers.take_in(bench, history, name)
    assert (change.state, change.reason.partition(":")[0]) == (ChangeState.REJECTED, "repository.other")
    assert "https://example.invalid/team/other.git" in change.reason
    assert str(elsewhere.folder) in change.reason
    assert change.task == "t-1"


def test_a_new_file_alone_proves_no_belonging(
    bench: Any, history: History, elsewhere: Any, helpers: Any, tmp_path: Path
) -> None:
    elsewhere.write("new.txt", "n\n")
    done = helpers.export(elsewhere, base="HEAD", to=tmp_path / "o")
    change = helpers.take_in(bench, history, done.path)
    assert (change.state, change.reason.partition(":")[0]) == (ChangeState.REJECTED, "repository.other")


def test_a_shallow_clone_knows_no_beginning_and_is_taken(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    bench.commit("second", a_dot_txt="one\ntwo\nthree\nfour\n")
    box = sandbox("shallow", "--depth", "1")
    box.write("b.txt", "b\n")
    done = helpers.export(box, to=tmp_path / "o")
    assert json.loads(done.path.read_text())["repository"]["roots"] == []
    assert helpers.take_in(bench, history, done.path).state is ChangeState.READY


def test_a_bundle_of_the_whole_history_and_a_shallow_receiver(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    bench.commit("second", a_dot_txt="one\ntwo\nthree\nfour\n")
    box = sandbox("whole")
    box.git("reflog", "expire", "--expire=all", "--all")
    box.commit("work", b_dot_txt="b\n")
    done = helpers.export(box, to=tmp_path / "o")
    assert helpers.take_in(bench, history, done.path).state is ChangeState.READY
    receiver = sandbox("receiver", "--depth", "1")
    with History.open(receiver.repository.state_dir, create=True) as own:
        later = helpers.export(box, base=bench.git("rev-parse", "main"), to=tmp_path / "p")
        assert helpers.take_in(receiver, own, later.path).state is ChangeState.READY


def test_a_copy_without_its_history_is_taken_where_its_files_are_the_very_same(
    bench: Any, history: History, helpers: Any, tmp_path: Path
) -> None:
    """A sandbox made from an archive: `git init` gives it a beginning of its own."""
    copy = type(bench)(tmp_path / "copy")
    copy.commit("imported archive", a_dot_txt="one\ntwo\nthree\n")
    copy.git("commit", "-q", "--amend", "-m", "an archive")
    copy.write("a.txt", "one\nTWO\nthree\n")
    done = helpers.export(copy, base="HEAD", to=tmp_path / "o")
    change = helpers.take_in(bench, history, done.path)
    assert (change.state, change.method) == (ChangeState.READY, "patch")
    assert "repository.unproven" in {one.code for one in change.findings}
    assert all(one.verdict is Verdict.WARN for one in change.findings)


def test_addresses_are_shown_without_what_may_be_secret() -> None:
    secret = "s3" + "cr3t"
    assert public_address(f"https://{secret}@example.invalid/a.git?x={secret}") == "https://example.invalid/a.git"
    assert public_address(f"ssh://git:{secret}@example.invalid/a") == "ssh://git@example.invalid/a"
    assert public_address("git@example.invalid:a/b.git") == "git@example.invalid:a/b.git"
    assert public_address("/srv/git/a?b") == "/srv/git/a?b"


def test_init_remembers_the_repository_and_many_claims_cost_little(
    bench: Any, history: History, elsewhere: Any, helpers: Any, tmp_path: Path
) -> None:
    from ecluse.kit import InitOptions, init

    init(bench.repository, InitOptions())
    init(bench.repository, InitOptions())
    root = bench.git("rev-list", "--max-parents=0", "HEAD")
    assert belonging.find_home((root,)) == bench.folder
    assert belonging.find_home(("1" * 40,)) is None
    assert [Path(row["path"]) for row in json.loads(belonging._registry().read_text())] == [
        bench.folder, elsewhere.folder,
    ]  # fmt: skip
    belonging._registry().write_text("not json")
    assert belonging.find_home((root,)) is None
    belonging.remember(bench.repository)
    assert belonging.find_home((root,)) == bench.folder
