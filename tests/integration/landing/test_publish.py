"""Backups and pushes: compare-and-swap against real remotes, read back, and honest when they say no."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecluse import landing as lock
from ecluse import line
from ecluse.errors import Failed, Invalid, Refused
from ecluse.history.sync_copy import refresh
from ecluse.history.waiting import waiting
from ecluse.model import Landing, RunState


@pytest.fixture
def remote(bench: Any, tmp_path: Path) -> Path:
    place = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(place)], check=True)
    bench.git("remote", "add", "origin", str(place))
    bench.git("push", "-q", "origin", "main")
    return place


def land(locks: Any, bench: Any, name: str = "c-1") -> str:
    """Land a commit that adds a file named like the change; the landing's id."""
    bench.git("checkout", "-q", "-B", "side", "main")
    head = bench.commit(f"feat: {name}", **{f"{name.replace('-', '')}_dot_txt": "b"})
    bench.git("checkout", "-q", "main")
    asked = lock.enqueue(bench.repository, locks.history, locks.ready(head, name).key, actor="me")
    lock.advance(bench.repository, locks.history, asked.id)
    locks.answer(locks.get(asked).run, RunState.GREEN, locks.GREEN)
    lock.advance(bench.repository, locks.history, asked.id)
    lock.advance(bench.repository, locks.history, asked.id)
    assert bench.git("rev-parse", "main") == head
    return str(asked.id)


def at(remote: Path) -> str:
    said = subprocess.run(["git", "-C", str(remote), "rev-parse", "main"], capture_output=True, text=True, check=True)
    return said.stdout.strip()


def test_a_backup_is_made_first_and_old_ones_go(locks: Any, bench: Any) -> None:
    bench.commit("policy", ecluse_dot_toml="[landing]\nbackups = 2\n")
    bench.git("branch", "backup/before-sync-20200101-000000", "main")  # made by a person: stays
    bases = []
    for number in range(3):
        bases.append(bench.git("rev-parse", "main"))
        land(locks, bench, f"c-{number}")
    made = bench.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/backup/").splitlines()
    assert made[0].startswith("backup/before-sync-20200101-000000 ")
    assert [line.split()[1] for line in made[1:]] == bases[1:]


def test_push_is_read_back_recorded_and_made_once(locks: Any, bench: Any, remote: Path, tmp_path: Path) -> None:
    one = land(locks, bench)
    with pytest.raises(Invalid):
        lock.push_landed(bench.repository, locks.history, "land-unknown", actor="me")
    done = lock.push_landed(bench.repository, locks.history, one, actor="me")
    assert (done.new, at(remote)) == (bench.git("rev-parse", "main"),) * 2
    assert lock.push_landed(bench.repository, locks.history, one, actor="me").old == done.new
    (event,) = locks.history.events(kind="push.done")
    assert event.data["target_branch"] == "main"
    assert refresh(locks.history, tmp_path / "copy.db") > 0
    lock.undo(bench.repository, locks.history, "c-1/1", actor="me")
    lock.push_back(bench.repository, locks.history, "c-1/1", actor="me")
    refresh(locks.history, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        rows = copy.execute(
            "SELECT sync_type, status, agent, patch_name, source_branch, target_branch, commits_count, files_modified "
            "FROM sync_records WHERE sync_type IN ('undo', 'push') ORDER BY timestamp"
        ).fetchall()
    assert rows == [(kind, "success", "me", "bundle", "main", "main", 0, 0) for kind in ("push", "undo", "push")]
    assert at(remote) == bench.git("rev-parse", "main") != done.new


def test_a_remote_that_went_on_is_not_overwritten(locks: Any, bench: Any, remote: Path, tmp_path: Path) -> None:
    other = type(bench)(tmp_path / "other")
    other.git("pull", "-q", str(remote), "main")
    theirs = other.commit("theirs", t_dot_txt="t")
    other.git("push", "-q", str(remote), "main")
    one = land(locks, bench)
    with pytest.raises(Refused) as refusal:
        lock.push_landed(bench.repository, locks.history, one, actor="me")
    assert refusal.value.code == "push.diverged"
    assert "ecluse land c-1/1 --push" in refusal.value.hint
    assert at(remote) == theirs
    (event,) = locks.history.events(kind="push.failed")
    assert event.data["code"] == "push.diverged"
    assert "ecluse land c-1/1 --push" in [w.commands[0] for w in waiting(locks.history) if w.state == "not pushed"]


@pytest.mark.parametrize("where", ["remote", "here"])
def test_a_hook_that_says_no(locks: Any, bench: Any, remote: Path, where: str) -> None:
    hook = remote / "hooks" / "pre-receive" if where == "remote" else bench.folder / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    one, before = land(locks, bench), at(remote)
    with pytest.raises(Refused) as refusal:
        lock.push_landed(bench.repository, locks.history, one, actor="me")
    assert refusal.value.code == "push.rejected"
    assert "friday" in refusal.value.message
    assert at(remote) == before
    hook.unlink()
    lock.push_landed(bench.repository, locks.history, one, actor="me")
    assert at(remote) == bench.git("rev-parse", "main")
    assert not [w for w in waiting(locks.history) if w.state == "not pushed"]


def test_a_remote_that_is_gone_and_none_at_all(locks: Any, bench: Any, remote: Path) -> None:
    one = land(locks, bench)
    secret = "".join(("pass", "word", "9"))
    bench.git("remote", "set-url", "origin", f"http://me:{secret}@127.0.0.1:1/x.git")
    with pytest.raises(Failed) as failure:
        lock.push_landed(bench.repository, locks.history, one, actor="me")
    assert failure.value.code == "push.unreachable"
    assert secret not in failure.value.message
    assert all(secret not in event.text + str(event.data) for event in locks.history.events(limit=500))
    bench.git("remote", "remove", "origin")
    with pytest.raises(Invalid) as missing:
        lock.push_landed(bench.repository, locks.history, one, actor="me")
    assert missing.value.code == "push.no_remote"


def test_the_policy_pushes_what_lands_through_the_line(locks: Any, bench: Any, remote: Path) -> None:
    bench.commit("policy", ecluse_dot_toml="[landing]\npush = true\n")
    bench.git("push", "-q", "origin", "main")
    one = land(locks, bench)
    while line.step(bench.repository, locks.history):
        pass
    assert at(remote) == bench.git("rev-parse", "main")
    assert locks.history.events(kind="push.done", subject=f"landing/{one}")
    hook = remote / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    two = land(locks, bench, "c-2")
    while line.step(bench.repository, locks.history):
        pass
    assert [event.data["code"] for event in locks.history.events(kind="push.failed")] == ["push.rejected"]
    found = locks.history.get(Landing, two)
    assert found is not None and found.state.value == "landed"


def test_a_push_cut_short_after_it_arrived_is_seen_and_not_repeated(
    locks: Any, bench: Any, remote: Path, monkeypatch: Any
) -> None:
    one = land(locks, bench)

    def die(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("ecluse.git.remotes.look", die)  # pushed, and dead before it could be read back
    with pytest.raises(KeyboardInterrupt):
        lock.push_landed(bench.repository, locks.history, one, actor="me")
    monkeypatch.undo()
    assert at(remote) == bench.git("rev-parse", "main")
    assert not locks.history.events(kind="push.done")
    lock.push_landed(bench.repository, locks.history, one, actor="me")
    texts = [e.text for e in locks.history.events(kind="effect.done")]
    assert sum("push" in text and text.endswith("interruption") for text in texts) == 1
    assert len(locks.history.events(kind="push.done")) == 1
