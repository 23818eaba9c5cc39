"""``ecluse serve`` keeps the folders that the policy names: work comes in and lands, the trunk goes out."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ecluse.history import History
from ecluse.intake.homeward import tip_of


def test_work_comes_in_lands_and_goes_back(bench: Any, tmp_path: Path) -> None:
    policy = 'trust = "all"\n[sync]\nevery = "0.1s"\nland = true\nfolders = {a1 = "../between", gone = "../a-file/x"}\n'
    bench.commit("policy", ecluse_dot_toml=policy)
    (tmp_path / "a-file").write_text("")
    words = [sys.executable, "-m", "ecluse"]
    subprocess.run([*words, "init"], cwd=bench.folder, check=True, capture_output=True)
    subprocess.run(["git", "clone", "-q", str(bench.folder), str(tmp_path / "box")], check=True)
    box = type(bench)(tmp_path / "box")
    server = subprocess.Popen([*words, "serve", "--port", "0"], cwd=bench.folder, stderr=subprocess.PIPE)
    try:
        box.commit("feat: b", b_dot_txt="b\n")
        one_look = [*words, "sync", "--folder", str(tmp_path / "between"), "--as", "a1"]
        subprocess.run(one_look, cwd=box.folder, check=True, capture_output=True)
        deadline = time.monotonic() + 180
        while tip_of(tmp_path / "between/trunk.bundle") != bench.git("rev-parse", "main") or not bench.git(
            "log", "--format=%H", "main", "--", "b.txt"
        ):
            assert server.poll() is None and time.monotonic() < deadline, "it did not land"
            time.sleep(0.1)
        while b"is landed" not in subprocess.run(one_look, cwd=box.folder, check=True, capture_output=True).stdout:
            assert server.poll() is None and time.monotonic() < deadline, "the sandbox does not hear that it landed"
            time.sleep(0.1)  # the trunk goes out as soon as it moved, what became of the change with the next look
    finally:
        server.terminate()
        _, err = server.communicate(timeout=60)
    assert server.returncode == 0, err.decode()
    with History.open(bench.repository.state_dir) as history:
        assert len(history.events(kind="landing.landed")) == 1
