"""Uncommitted work that stays uncommitted: laid into a checkout, never over anything, and taken back again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Waits
from ecluse.git.following import follow
from ecluse.history import History
from ecluse.model import Change, ChangeState


def ecluse(cwd: Path, *words: str, expect: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words, "--json"], cwd=cwd, capture_output=True, text=True, env={**os.environ}
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == expect, (done.stdout, done.stderr)
    return dict(json.loads(done.stdout)) if done.stdout else {}


@pytest.fixture
def ready(bench: Any, history: History) -> Any:
    """The receiving repository: trusting, with a file that is ignored."""
    bench.commit("open", ecluse_dot_toml='trust = "all"\n', _dot_gitignore="*.log\n", old_dot_txt="old\n")
    return bench


@pytest.fixture
def mixed(ready: Any, sandbox: Any, helpers: Any, tmp_path: Path) -> Path:
    """One commit, and on top of it staged, unstaged and untracked work and a deletion."""
    box = sandbox()
    box.commit("feat: b", b_dot_txt="b\n")
    box.write("b.txt", "b\nmore\n")
    box.write("a.txt", "one\nTWO\nthree\n")
    box.git("add", "a.txt")
    box.write("new/deep.txt", b"\0deep\r\n")
    (box.folder / "old.txt").unlink()
    return Path(helpers.export(box, to=tmp_path / "mixed.tar").path)


@pytest.fixture
def dirty(ready: Any, sandbox: Any, helpers: Any, tmp_path: Path) -> Path:
    """Nothing but uncommitted work."""
    box = sandbox("box2")
    box.write("a.txt", "one\ntwo\nTHREE\n")
    box.write("c.txt", "c\n")
    return Path(helpers.export(box, to=tmp_path / "dirty.tar").path)


def status(bench: Any) -> list[str]:
    return sorted(row.strip() for row in bench.git("status", "--porcelain", "-uall").splitlines())


def test_commits_land_and_the_rest_lies_in_the_checkout(ready: Any, mixed: Path) -> None:
    said = ecluse(ready.folder, "import", str(mixed), "--land", "--leave-uncommitted")
    assert said["landing"]["state"] == "landed"
    assert sorted(said["left"]["files"]) == ["a.txt", "b.txt", "new/deep.txt", "old.txt"]
    assert ready.git("log", "-1", "--format=%s") == "feat: b"
    assert ready.git("show", "HEAD:b.txt") == "b"
    assert status(ready) == ["?? new/deep.txt", "D old.txt", "M a.txt", "M b.txt"]
    assert ready.git("diff", "--cached", "--name-only") == ""
    assert (ready.folder / "new/deep.txt").read_bytes() == b"\0deep\r\n"
    again = ecluse(ready.folder, "import", str(mixed), "--land", "--leave-uncommitted")
    assert again["receipt"] == said["receipt"]
    back = ecluse(ready.folder, "import", "--undo", said["change_id"])
    assert back["state"] == "undone"
    assert status(ready) == []
    assert ready.git("log", "-1", "--format=%s") == "open"


def test_nothing_but_uncommitted_work(ready: Any, dirty: Path) -> None:
    before = ready.git("rev-parse", "HEAD")
    said = ecluse(ready.folder, "import", str(dirty), "--leave-uncommitted")
    assert status(ready) == ["?? c.txt", "M a.txt"]
    assert ready.git("rev-parse", "HEAD") == before
    with History.open(ready.repository.state_dir) as history:
        change = intake.receive(ready.repository, history, dirty, actor="tester")
        assert change.state is ChangeState.SUPERSEDED
        assert "left uncommitted in" in change.reason
    ecluse(ready.folder, "import", "--undo", said["change_id"])
    assert status(ready) == []
    landed = ecluse(ready.folder, "import", str(dirty), "--land")  # it is whole again
    assert landed["landing"]["state"] == "landed"
    assert ready.git("show", "HEAD:c.txt") == "c"


def test_a_patch_alone_can_be_left_where_nobody_had_committed_any_of_it(
    ready: Any, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    box = sandbox("box3")
    box.write("a.txt", "one\ntwo\nTHREE\n")
    box.write("c.txt", "c\n")
    done = helpers.export(box, to=tmp_path / "patch")
    for bundle in done.path.parent.glob("*.bundle"):
        bundle.unlink()
    ecluse(ready.folder, "import", str(done.path), "--leave-uncommitted")
    assert status(ready) == ["?? c.txt", "M a.txt"]
    box.git("add", "c.txt")
    box.git("commit", "-q", "-m", "feat: c")
    mixed = helpers.export(box, to=tmp_path / "mixed")
    for bundle in mixed.path.parent.glob("*.bundle"):
        bundle.unlink()
    ready.git("stash", "-u", "-q")
    said = ecluse(ready.folder, "import", str(mixed.path), "--branch", "look", "--leave-uncommitted")
    assert (said["method"], len(said["commits"])) == ("patch", 1)  # one patch of both cannot be taken apart
    assert ready.git("diff", "--name-only", "main", "look").split() == ["a.txt", "c.txt"]


@pytest.fixture
def lay(ready: Any, history: History, helpers: Any) -> Callable[[Path], Change]:
    """Take a bundle in and leave its uncommitted work in the checkout."""

    def laid(bundle: Path) -> Change:
        change = helpers.take_in(ready, history, bundle)
        intake.set_apart(ready.repository, history, change.key, actor="tester")
        return intake.lay_down(ready.repository, history, change.key, actor="tester")

    return laid


@pytest.fixture
def take_back(ready: Any, history: History) -> Callable[[Change], Change]:
    def taken(change: Change) -> Change:
        return intake.take_back(ready.repository, history, change.key, actor="tester")

    return taken


@pytest.mark.parametrize("mine", ["a.txt", "c.txt", "c.txt/folder", "ignored", "staged"])
def test_never_over_work_that_is_there(
    ready: Any, sandbox: Any, helpers: Any, lay: Callable[[Path], Change], tmp_path: Path, mine: str
) -> None:
    box = sandbox()
    box.write("a.txt", "one\ntwo\nTHREE\n")
    box.write("c.txt", "c\n")
    box.write("notes/x.txt", "x\n")
    bundle = helpers.export(box, to=tmp_path / "w.tar").path
    if mine == "ignored":
        (ready.folder / ".git/info/exclude").write_text("notes\n")
        ready.write("notes", "mine\n")
    elif mine == "staged":
        ready.write("c.txt", "mine\n")
        ready.git("add", "c.txt")
        (ready.folder / "c.txt").unlink()
    else:
        ready.write(mine, "mine\n")
    before = status(ready)
    with pytest.raises(Waits, match="would be overwritten") as caught:
        lay(bundle)
    assert caught.value.code == "checkout.blocked"
    assert status(ready) == before
    if mine != "staged":
        assert (ready.folder / ("notes" if mine == "ignored" else mine)).read_bytes() == b"mine\n"
    ready.git("stash", "-q", "-u") if mine != "ignored" else (ready.folder / "notes").unlink()
    lay(bundle)
    assert (ready.folder / "c.txt").read_bytes() == b"c\n"


def test_other_uncommitted_work_stays(ready: Any, dirty: Path, lay: Any, take_back: Any) -> None:
    ready.write("old.txt", "mine\n")
    ready.write("mine.txt", "mine\n")
    ready.git("add", "mine.txt")
    change = lay(dirty)
    assert status(ready) == ["?? c.txt", "A  mine.txt", "M a.txt", "M old.txt"]
    take_back(change)
    assert status(ready) == ["A  mine.txt", "M old.txt"]


def test_what_was_changed_since_is_not_taken_back(ready: Any, dirty: Path, lay: Any, take_back: Any) -> None:
    change = lay(dirty)
    ready.write("c.txt", "c and mine\n")
    with pytest.raises(Waits) as caught:
        take_back(change)
    assert caught.value.code == "tip.changed"
    assert (ready.folder / "c.txt").read_text() == "c and mine\n"
    ready.write("c.txt", "c\n")
    ready.git("checkout", "-q", "a.txt")  # what is back already is no hindrance
    assert take_back(change).state is ChangeState.RECEIVED
    assert status(ready) == []


def test_the_checkout_may_have_moved_on(ready: Any, dirty: Path, lay: Any, take_back: Any) -> None:
    ready.commit("more", d_dot_txt="d\n", a_dot_txt="zero\none\ntwo\nthree\n")
    change = lay(dirty)
    assert (ready.folder / "a.txt").read_text() == "zero\none\ntwo\nTHREE\n"
    ready.write("e.txt", "e\n")
    ready.git("add", "e.txt")
    ready.git("commit", "-q", "-m", "e")
    take_back(change)
    assert status(ready) == []
    assert (ready.folder / "a.txt").read_text() == "zero\none\ntwo\nthree\n"


def test_a_death_half_way_is_finished(
    ready: Any, history: History, helpers: Any, dirty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are written, the index still holds them as staged, and nothing is recorded."""
    change = helpers.take_in(ready, history, dirty)
    intake.set_apart(ready.repository, history, change.key, actor="tester")

    def dies(checkout: Any, head: str, tree: str) -> None:
        follow(checkout, head, tree)
        raise SystemExit("died")

    with monkeypatch.context() as patch:
        patch.setattr("ecluse.intake.leaving.lay", dies)
        with pytest.raises(SystemExit):
            intake.lay_down(ready.repository, history, change.key, actor="tester")
    assert status(ready) == ["A  c.txt", "M  a.txt"]
    laid = intake.lay_down(ready.repository, history, change.key, actor="tester")
    assert status(ready) == ["?? c.txt", "M a.txt"]
    assert laid.about["laid"]["folder"] == str(ready.folder)


def test_a_conflict_touches_nothing(ready: Any, dirty: Path, lay: Any, helpers: Any, history: History) -> None:
    helpers.take_in(ready, history, dirty)
    ready.commit("other", a_dot_txt="one\ntwo\nthird\n")
    with pytest.raises(Waits) as caught:
        lay(dirty)
    assert caught.value.code == "tip.conflict"
    assert status(ready) == []


def test_commits_that_are_not_here_come_first(ready: Any, mixed: Path) -> None:
    problem = ecluse(ready.folder, "import", str(mixed), "--leave-uncommitted", expect=3)
    assert problem["error"]["code"] == "tip.elsewhere"
    said = ecluse(ready.folder, "import", str(mixed), "--branch", "review/b", "--leave-uncommitted")
    assert status(ready) == []
    assert ready.git("log", "-1", "--format=%s", "review/b") == "feat: b"
    ready.git("switch", "-q", "review/b")
    ecluse(ready.folder, "import", str(mixed), "--leave-uncommitted")
    assert status(ready) == ["?? new/deep.txt", "D old.txt", "M a.txt", "M b.txt"]
    assert said["change_id"]


def test_commits_are_judged_without_what_hid_them(ready: Any, sandbox: Any, helpers: Any, history: History) -> None:
    """A file that only the uncommitted work takes away again would be in what lands."""
    box = sandbox()
    box.commit("chore: editor", _dot_envrc="make\n", b_dot_txt="b\n")
    (box.folder / ".envrc").unlink()
    bundle = helpers.export(box).path
    change = helpers.take_in(ready, history, bundle)
    assert change.state is ChangeState.READY
    with pytest.raises(Waits) as caught:
        intake.set_apart(ready.repository, history, change.key, actor="tester")
    assert caught.value.code == "tip.beneath"
    assert history.get(type(change), change.key) == change


def test_nobody_vouches_for_it(bench: Any, sandbox: Any, helpers: Any, history: History) -> None:
    box = sandbox()
    box.write("c.txt", "c\n")
    change = helpers.take_in(bench, history, helpers.export(box).path)
    with pytest.raises(Waits) as caught:
        intake.set_apart(bench.repository, history, change.key, actor="tester")
    assert caught.value.code == "tip.untrusted"
    assert status(bench) == []


def test_usage(ready: Any, dirty: Path) -> None:
    for words in (["--message", "x"], ["--dry-run"]):
        problem = ecluse(ready.folder, "import", str(dirty), "--leave-uncommitted", *words, expect=2)
        assert problem["error"]["code"] == "usage.flags"
