"""A change whose base is not here: fetched from the repository's own remotes, or a shallow clone deepened, or an honest wait."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.git.fetching import obtain
from ecluse.history import History
from ecluse.landing import enqueue
from ecluse.line import drive
from ecluse.model import Change, ChangeState, Landing, LandingState

from .given import payload

POLICY = 'trust = "all"\n'


@pytest.fixture
def remote(bench: Any, tmp_path: Path) -> Any:
    """A repository with seventy commits, which others are cloned from; it gives any commit and takes filters."""
    made = type(bench)(tmp_path / "remote")
    lines = []
    for number in range(1, 71):
        text = f"{number}\n"
        lines.append(f"commit refs/heads/main\ncommitter A <a@example.invalid> {1_700_000_000 + number * 60} +0000\n")
        lines.append(f"data 3\nc\n\nM 644 inline f{number % 7}.txt\ndata {len(text)}\n{text}")
        lines.append(f"M 644 inline ecluse.toml\ndata {len(POLICY)}\n{POLICY}" if number == 1 else "")
    made.git("fast-import", "--quiet", stdin="".join(lines).encode())
    made.git("reset", "-q", "--hard")
    made.git("config", "uploadpack.allowFilter", "true")
    return made


def clone(remote: Any, folder: Path, *words: str) -> Any:
    subprocess.run(["git", "clone", "-q", *words, f"file://{remote.folder}", str(folder)], check=True)
    return type(remote)(folder)


@pytest.fixture
def bundle(remote: Any, helpers: Any, tmp_path: Path) -> Path:
    """A change made on an old commit, as it is without its patch: only the bundle can carry it."""
    box = clone(remote, tmp_path / "box")
    box.git("switch", "-q", "-c", "work", "HEAD~10")
    box.commit("feat: b", b_dot_txt="b\n")
    folder = tmp_path / "bundle"
    helpers.export(box, base="HEAD~1", to=folder)
    next(folder.glob("*.patch")).unlink()
    return folder


def codes(change: Change) -> set[str]:
    return {one.code for one in change.findings}


def land(bench: Any, history: History, change: Change) -> Landing:
    landing = enqueue(bench.repository, history, change.key, actor="tester")

    def now() -> Landing:
        found = history.get(Landing, landing.id)
        assert found is not None
        return found

    drive(bench.repository, history, until=lambda: now().state.is_terminal)
    return now()


def state_of(bench: Any) -> tuple[str, ...]:
    shallow = bench.folder / ".git" / "shallow"
    return (
        bench.git("count-objects", "-v"), bench.git("for-each-ref"), shallow.read_text() if shallow.exists() else "",
    )  # fmt: skip


def test_a_shallow_clone_is_deepened_as_far_as_it_takes(
    remote: Any, bundle: Path, helpers: Any, tmp_path: Path
) -> None:
    here = clone(remote, tmp_path / "here", "--depth", "1")
    before = state_of(here)
    judgement, _, _ = intake.examine(here.repository, bundle)
    assert (judgement.method, judgement.verdict.value, judgement.reason) == ("bundle", "warn", "base.fetched")
    assert state_of(here) == before
    with History.open(here.repository.state_dir, create=True) as history:
        change = helpers.take_in(here, history, bundle)
        assert (change.state, codes(change)) == (ChangeState.READY, {"base.fetched"})
        assert here.git("rev-list", "--count", "main") == "51"
        remote.folder.rename(tmp_path / "gone")
        assert land(here, history, change).state is LandingState.LANDED
    assert here.git("log", "-1", "--format=%s", change.head) == "feat: b"
    assert "b.txt" in here.git("ls-tree", "--name-only", "main")
    here.git("fsck", "--connectivity-only")


def test_a_base_on_another_remote_comes_with_the_change(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched commits and the change's own become one checked pack; a trial keeps nothing. Addresses may be relative."""
    bench.commit("open", ecluse_dot_toml=POLICY)
    other = sandbox("other")
    bench.git("remote", "add", "origin", str(tmp_path / "nothing"))
    bench.git("remote", "add", "second", os.path.relpath(other.folder, bench.folder))
    theirs = other.commit("only there", o_dot_txt="o\n")
    box = type(bench)(tmp_path / "box")
    box.git("pull", "-q", str(other.folder), "main")
    box.write("o.txt", "edited\n")
    done = helpers.export(box, base="HEAD", to=tmp_path / "o")
    (bench.folder / "below").mkdir()
    monkeypatch.chdir(bench.folder / "below")
    before = state_of(bench)
    judgement, _, _ = intake.examine(bench.repository, done.path)
    assert (judgement.method, judgement.conflicts) == ("bundle", ())
    assert state_of(bench) == before
    packs = set((bench.folder / ".git/objects/pack").glob("*.pack"))
    change = helpers.take_in(bench, history, done.path)
    assert (change.state, change.head, codes(change)) == (ChangeState.READY, done.head, {"base.fetched"})
    assert theirs in change.commits
    assert len(set((bench.folder / ".git/objects/pack").glob("*.pack")) - packs) == 1
    other.folder.rename(tmp_path / "moved")
    assert land(bench, history, change).state is LandingState.LANDED
    assert bench.git("show", "main:o.txt") == "edited"
    bench.git("fsck", "--full")


def test_the_patch_comes_after_the_remotes(remote: Any, helpers: Any, tmp_path: Path) -> None:
    """Commit ids are kept wherever the base can be had; where it cannot, the patch has to start from the files here."""
    box = clone(remote, tmp_path / "box")
    box.write("b.txt", "b\n")
    done = helpers.export(box, base="HEAD~3", to=tmp_path / "o.tar")
    here = clone(remote, tmp_path / "here", "--depth", "1")
    assert intake.examine(here.repository, done.path)[0].head == done.head
    here.git("remote", "remove", "origin")
    alone, _, _ = intake.examine(here.repository, done.path)
    assert (alone.method, alone.reason) == ("", "base.missing")


def test_nobody_is_asked_where_the_policy_says_so(remote: Any, bundle: Path, helpers: Any, tmp_path: Path) -> None:
    here = clone(remote, tmp_path / "here", "--depth", "1")
    here.commit("policy", ecluse_dot_toml=POLICY + "[intake]\nfetch = false\n")
    with History.open(here.repository.state_dir, create=True) as history:
        change = helpers.take_in(here, history, bundle)
        assert (change.state, change.reason.partition(":")[0]) == (ChangeState.QUARANTINED, "base.missing")
        here.git("fetch", "-q", "--unshallow")
        assert helpers.take_in(here, history, bundle).state is ChangeState.READY


def test_a_remote_that_does_not_have_it(bench: Any, sandbox: Any, tmp_path: Path) -> None:
    other = sandbox("other")
    bench.git("remote", "add", "origin", str(other.folder))
    repository = bench.repository
    with repository.temporary_clone() as room:
        assert obtain(repository, room, ["1" * 40], repository.commit_id("HEAD")) == ""
        unrelated = type(bench)(tmp_path / "unrelated").commit("other", z_dot_txt="z\n")
        bench.git("remote", "set-url", "origin", str(tmp_path / "unrelated"))
        assert obtain(repository, room, [unrelated], repository.commit_id("HEAD")) == ""


def test_a_clone_made_with_a_filter_says_what_it_lacks(remote: Any, bundle: Path, helpers: Any, tmp_path: Path) -> None:
    here = clone(remote, tmp_path / "here", "--filter=blob:none")
    with History.open(here.repository.state_dir, create=True) as history:
        change = helpers.take_in(here, history, bundle)
        assert (change.state, change.reason.partition(":")[0]) == (ChangeState.QUARANTINED, "base.partial")
        here.git("fetch", "-q", "--refetch", "--no-filter")
        change = helpers.take_in(here, history, bundle)
        assert (change.state, change.method) == (ChangeState.READY, "bundle")


def test_a_plain_bundle_is_told_by_what_it_needs(remote: Any, tmp_path: Path) -> None:
    box = clone(remote, tmp_path / "box")
    box.commit("feat: b", b_dot_txt="b\n")
    box.git("bundle", "create", "-q", str(tmp_path / "plain.bundle"), "main", "^HEAD~3")
    here = clone(remote, tmp_path / "here", "--depth", "1")
    assert intake.examine(here.repository, tmp_path / "plain.bundle")[0].reason == "base.fetched"


def ahead(bench: Any, sandbox: Any, tmp_path: Path) -> tuple[Any, Any]:
    """Two sandboxes with a commit that the repository does not have; the first can be fetched from."""
    other = sandbox("other")
    other.commit("only there", o_dot_txt="o\n")
    box = type(bench)(tmp_path / "box")
    box.git("fetch", "-q", str(other.folder), "main")
    box.git("reset", "-q", "--hard", "FETCH_HEAD")
    return other, box


def test_a_base_that_is_missing_here_may_come_later(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    other, box = ahead(bench, sandbox, tmp_path)
    box.write("b.txt", "b\n")
    done = helpers.export(box, base="HEAD", to=tmp_path / "o")
    payload(done, "patch").unlink()
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.QUARANTINED
    assert change.reason.startswith("base.missing:")
    bench.git("fetch", "-q", str(other.folder), "main")
    assert helpers.take_in(bench, history, done.path).state is ChangeState.READY


def test_where_the_base_is_missing_the_patch_takes_the_place_of_the_bundle(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    _, box = ahead(bench, sandbox, tmp_path)
    box.write("a.txt", "one\nTWO\nthree\n")
    change = helpers.take_in(bench, history, helpers.export(box, base="HEAD", to=tmp_path / "o").path)
    assert (change.state, change.method) == (ChangeState.READY, "patch")
    assert bench.git("show", f"{change.ref}:a.txt") == "one\nTWO\nthree"
    box.write("o.txt", "not here\n")
    change = helpers.take_in(bench, history, helpers.export(box, base="HEAD", to=tmp_path / "p").path)
    assert (change.state, change.reason.partition(":")[0]) == (ChangeState.QUARANTINED, "base.missing")
