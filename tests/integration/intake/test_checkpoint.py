"""The rolling checkpoint: the newest work is always there once, whole, and nothing is written when nothing changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Problem, Refused
from ecluse.history import History
from ecluse.intake import ExportRequest
from ecluse.intake.checkpoint import Checkpoints, is_checkpoint, prune
from ecluse.model import Agent, ChangeState


def request(to: Path, **options: Any) -> ExportRequest:
    return ExportRequest(Agent("a1"), to=to, **options)


def manifests(folder: Path) -> list[Path]:
    return sorted(folder.glob("sync_cloud_*.json"))


def test_one_checkpoint_rolls_and_can_be_imported(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box, out = sandbox(), tmp_path / "out"
    keeper = Checkpoints(box.repository)
    assert keeper.take(request(out)) is None, "nothing to hand over yet"
    box.write("b.txt", "one\n")
    first = keeper.take(request(out))
    assert first is not None and is_checkpoint(first.path)
    assert keeper.take(request(out)) is None
    box.write("b.txt", "two\n")
    box.commit("feat: b", b_dot_txt="two\n")
    second = keeper.take(request(out))
    assert second is not None
    assert (second.change_id, second.revision) == (first.change_id, 2)
    assert manifests(out) == [second.path]
    stamp = second.path.stem.removeprefix("sync_cloud_")
    assert all(stamp in path.name for path in out.iterdir()), "nothing of the first is left"
    change = helpers.take_in(bench, history, out)
    assert (change.state, change.head) == (ChangeState.READY, second.head)


def test_a_watch_that_starts_again_goes_on(sandbox: Any, tmp_path: Path) -> None:
    box, out = sandbox(), tmp_path / "out"
    box.write("b.txt", "one\n")
    done = Checkpoints(box.repository).take(request(out))
    assert done is not None
    assert Checkpoints(box.repository).take(request(out)) is None
    box.write("b.txt", "two\n")
    again = Checkpoints(box.repository).take(request(out))
    assert again is not None
    assert (again.change_id, again.revision) == (done.change_id, 2)


def test_only_checkpoints_of_the_same_change_are_removed(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box, out = sandbox(), tmp_path / "out"
    box.write("b.txt", "one\n")
    finished = helpers.export(box, to=out)
    box.git("checkout", "-q", "-b", "other")
    box.write("b.txt", "two\n")
    other = Checkpoints(box.repository).take(request(out))
    box.git("checkout", "-q", "main")
    box.write("b.txt", "three\n")
    newest = Checkpoints(box.repository).take(request(out))
    assert other and newest and other.change_id != newest.change_id == finished.change_id
    assert set(manifests(out)) == {finished.path, other.path, newest.path}
    assert prune(out, newest.change_id, newest.revision, finished=True) == 1
    assert set(manifests(out)) == {other.path, newest.path}


def test_a_pruning_that_died_is_finished_by_the_next(sandbox: Any, tmp_path: Path) -> None:
    box, out = sandbox(), tmp_path / "out"
    box.write("b.txt", "one\n")
    keeper = Checkpoints(box.repository)
    first = keeper.take(request(out))
    assert first is not None
    first.path.rename(out / f".pruned-{first.path.name}")  # as a death right after the first step leaves it
    assert first.path.with_suffix(".bundle").exists()
    box.write("b.txt", "two\n")
    second = keeper.take(request(out))
    assert second is not None
    assert not list(out.glob(".pruned-*"))
    assert list(out.glob("*.bundle")) == [second.path.with_suffix(".bundle")]


def test_a_tar_is_replaced_in_one_step(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box, out = sandbox(), tmp_path / "c.tar"
    keeper = Checkpoints(box.repository)
    for text in ("one\n", "two\n"):
        box.write("b.txt", text)
        assert keeper.take(request(out))
        assert keeper.take(request(out)) is None
    assert [path.name for path in tmp_path.glob("*.tar")] == ["c.tar"]
    assert helpers.take_in(bench, history, out).revision == 2


def test_red_is_kept_and_a_secret_is_not_tried_again_before_the_work_changes(
    sandbox: Any, helpers: Any, dice: Any, tmp_path: Path
) -> None:
    box, out = sandbox(), tmp_path / "out"
    keeper = Checkpoints(box.repository)
    box.write("bad.py", "def (\n")
    red = keeper.take(request(out))
    assert red is not None and red.validations[0]["result"] == "failure"
    box.commit("leak", k_dot_txt=helpers.fake_secret(dice))
    with pytest.raises(Refused):
        keeper.take(request(out))
    assert keeper.take(request(out)) is None
    box.git("reset", "-q", "--soft", "HEAD~1")
    box.git("rm", "-q", "--cached", "k.txt")
    (box.folder / "k.txt").unlink()
    box.write("c.txt", "c\n")
    assert keeper.take(request(out)) is not None


def test_a_busy_repository_neither_stops_nor_fools_it(sandbox: Any, tmp_path: Path) -> None:
    box, out = sandbox(), tmp_path / "out"
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (box.folder / ".git" / name).write_bytes(b"")
    box.write("b.txt", "one\n")
    done = Checkpoints(box.repository).take(request(out))
    assert done is not None
    assert [one["path"] for one in done.files] == ["b.txt"]


def test_two_at_once_never_share_a_revision(sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("b.txt", "one\n")
    words = [sys.executable, "-m", "ecluse", "export", "--agent", "a1", "--to", str(tmp_path / "out"), "--json"]
    started = [subprocess.Popen(words, cwd=box.folder, stdout=subprocess.PIPE) for _ in range(4)]
    said = [json.loads(one.communicate(timeout=60)[0]) for one in started]
    assert len({one["change_id"] for one in said}) == 1
    assert sorted(one["revision"] for one in said) == [1, 2, 3, 4]


# -- the commands --------------------------------------------------------------------------------------------------


def watch(box: Any, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, cwd=box.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def until(seen: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert child.poll() is None and time.monotonic() < deadline, "the watch did not get there"
        time.sleep(0.02)


def revision_in(folder: Path) -> int:
    for path in manifests(folder):
        try:
            return int(json.loads(path.read_bytes())["change"]["revision"])
        except (OSError, ValueError):
            continue
    return 0


@pytest.mark.parametrize("kind", ["ecluse", "py"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_after_a_last_checkpoint(kind: str, name: str, sandbox: Any, tmp_path: Path) -> None:
    from ecluse.kit.pieces import script

    box, out = sandbox(), tmp_path / "out"
    box.write("b.txt", "one\n")
    words = [sys.executable, "-m", "ecluse", "export", "--watch", "--every", "1h"]
    if kind == "py":
        tool = tmp_path / "cloud-export.py"
        tool.write_bytes(script("cloud-export.py"))
        words = [sys.executable, str(tool), "--watch", "3600"]
    child = watch(box, *words, "--agent", "a1", "--to", str(out))
    try:
        until(lambda: revision_in(out) == 1, child)
        box.write("b.txt", "the last words\n")
        child.send_signal(getattr(signal, name))
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 0, said.decode()
    assert revision_in(out) == 2
    (left,) = manifests(out)
    assert is_checkpoint(left)
    shown = subprocess.run(
        ["git", "bundle", "unbundle", str(left.with_suffix(".bundle"))], cwd=box.folder, capture_output=True, check=True
    )
    assert box.git("show", f"{shown.stdout.decode().split()[0]}:b.txt") == "the last words"


@pytest.mark.parametrize("kind", ["ecluse", "py"])
def test_it_rolls_while_somebody_works(
    kind: str, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    from ecluse.kit.pieces import script

    box, out = sandbox(), tmp_path / "out"
    words = [sys.executable, "-m", "ecluse", "export", "--watch"]
    box.write("ecluse.toml", '[export]\nevery = "0.1s"\n')
    if kind == "py":
        tool = tmp_path / "cloud-export.py"
        tool.write_bytes(script("cloud-export.py"))
        words = [sys.executable, str(tool), "--watch", "0.1"]
    child = watch(box, *words, "--agent", "a1", "--to", str(out))
    try:
        for number in range(1, 4):
            if number == 2:
                box.commit("feat: committed", c_dot_txt="c\n")
            before = revision_in(out)
            box.write("b.txt", f"{number}\n")
            until(lambda before=before: revision_in(out) > before, child)  # type: ignore[misc]
        rolled = revision_in(out)
        time.sleep(0.5)
        assert revision_in(out) <= rolled + 1, "nothing changed, nothing is written (one look may have been under way)"
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
    assert len(manifests(out)) == 1
    change = helpers.take_in(bench, history, out)
    assert bench.git("show", f"{change.head}:b.txt") == "3"
    assert change.state in (ChangeState.READY, ChangeState.QUARANTINED), change.reason  # ecluse.toml is policy


@pytest.mark.parametrize(
    "words", [["--every", "1m"], ["--watch", "--json"], ["--watch", "--to", "-"], ["--watch", "--every", "soon"]]
)
def test_what_goes_together(words: list[str], sandbox: Any) -> None:
    box = sandbox()
    done = subprocess.run([sys.executable, "-m", "ecluse", "export", *words], cwd=box.folder, capture_output=True)
    assert done.returncode == 2
    assert b"ecluse export --watch" in done.stdout + done.stderr


def test_problems_of_a_round_are_said_and_the_watch_goes_on() -> None:
    from ecluse.cli import watching

    said: list[str] = []

    class Quiet:
        def say(self, text: str = "", mark: str = "") -> None:
            said.append(text)

        def refresh_copy(self) -> None:
            said.append("copy")

    rounds = iter([Problem("disk.full", "full", "df -h"), FileNotFoundError("gone"), None])

    def look() -> None:
        failure = next(rounds, None)
        if failure is not None:
            raise failure
        os.kill(os.getpid(), signal.SIGTERM)

    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):  # the last look asks again: a second signal interrupts
        watching.repeat(Quiet(), 0.1, look)  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGTERM) is former
    said.remove("looking every 0.1 s, until Ctrl-C")
    assert said[:2] == ["disk.full: full", "  next: df -h"]
    assert "gone" in said[2]
    assert said[3] == "copy"
