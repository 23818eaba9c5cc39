"""A run that is killed outright leaves nothing: no process of its steps, no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks.place import run_folder, sweep
from ecluse.checks.session import TRACKING

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs a system that shows environments"
)

JOB = """
a:
  runs-on: ubuntu-latest
  steps:
    - run: |
        (setsid sleep 300 & echo $! > BASE/daemon)
        mkdir -p locked && touch locked/x && chmod 500 locked
        echo $$ > BASE/step
        sleep 300
"""


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_kill_9_leaves_no_step_and_no_folder(yard: Any, tmp_path: Path) -> None:
    yard.write("on: push\njobs:\n" + "".join(f"  {line}\n" for line in JOB.replace("BASE", str(tmp_path)).splitlines()))
    place = tmp_path / "tmp"
    place.mkdir()
    engine = subprocess.Popen(
        [sys.executable, "-P", "-m", "ecluse", "run"], cwd=yard.tree, env={**os.environ, "TMPDIR": str(place)}
    )
    try:
        wait_for(lambda: (tmp_path / "step").exists() and (tmp_path / "step").read_text().strip() != "")
        (folder,) = place.glob("ecluse-run-*")
        assert sweep(place) == 0 and folder.is_dir()
        pids = [int((tmp_path / name).read_text()) for name in ("daemon", "step")]
        assert all(lives(pid) for pid in pids)
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    wait_for(lambda: not any(lives(pid) for pid in pids))
    wait_for(lambda: not folder.exists())


def test_what_nobody_cleared_up_the_next_run_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    dead = tmp_path / "ecluse-run-dead"
    (dead / "jobs").mkdir(parents=True)
    (dead / "lock").touch()
    unknown = tmp_path / "ecluse-run-without-a-lock"
    unknown.mkdir()
    left = subprocess.Popen(["sleep", "300"], env={**os.environ, TRACKING: f"{dead}/jobs/a/"}, start_new_session=True)
    try:
        with run_folder() as alive:
            assert sweep(tmp_path) == 0
            assert alive.is_dir() and unknown.is_dir() and not dead.exists()
        assert left.wait(timeout=60) == -signal.SIGKILL
        assert not alive.exists()
    finally:
        left.kill()
        left.wait()
