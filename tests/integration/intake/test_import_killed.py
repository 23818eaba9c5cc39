"""Kill the importing process at random moments: the change is there afterwards, once, whole and judged."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.history import History
from ecluse.model import Change, ChangeState

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills process groups")


@pytest.mark.parametrize("round_number", range(8))
def test_killed_import_loses_nothing_and_does_nothing_twice(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path, dice: Any, round_number: int
) -> None:
    box = sandbox()
    for n in range(3):
        box.commit(f"step {n}", **{f"f{n}_dot_txt": "x\n"})
    done = helpers.export(box, to=tmp_path / "o")
    words = [sys.executable, "-m", "ecluse", "import", str(done.path), "--no-input"]
    process = subprocess.Popen(
        words, cwd=bench.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.08 + 0.5 * (round_number + dice.random()) / 8)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert bench.git("status", "--porcelain") == ""
    again = subprocess.run(words, cwd=bench.folder, capture_output=True, check=False)
    assert again.returncode == 0, again.stderr.decode()
    change = history.find(Change)[0]
    assert (history.count(Change), change.state, change.head) == (1, ChangeState.READY, done.head)
    assert bench.git("rev-parse", change.ref) == done.head
    assert len(history.events(kind="change.ready")) == 1
    assert bench.git("fsck", "--strict", "--no-dangling") == ""


def test_a_lock_left_on_the_ref_is_cleared(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("x.txt", "x\n")
    done = helpers.export(box, to=tmp_path / "o")
    change = intake.receive(bench.repository, history, done.path, actor="me")
    lock = bench.folder / ".git" / "refs/ecluse/changes" / change.id / "1.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    intake.advance(bench.repository, history, change.key)
    found = history.get(Change, change.key)
    assert found is not None
    assert found.state is ChangeState.READY


def test_what_a_killed_process_left_half_made_is_cleared_away_once_it_is_old(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    inbox = bench.repository.state_dir / "inbox"
    left, young = inbox / ".part-left", inbox / ".part-young"
    for folder in (left, young, tmp_path / "o" / ".export-left"):
        folder.mkdir(parents=True)
        (folder / "half.bundle").write_bytes(b"half")
    for folder in (left, tmp_path / "o" / ".export-left"):
        os.utime(folder, (1_000_000_000, 1_000_000_000))
    box = sandbox()
    box.write("x.txt", "x\n")
    done = helpers.export(box, to=tmp_path / "o")
    helpers.take_in(bench, history, done.path)
    assert not left.exists()
    assert young.exists(), "somebody may be at work on it"
    assert not list((tmp_path / "o").glob(".export-*"))
