"""``ecluse serve`` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse.http import request


def begin(folder: Path, *options: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "ecluse", "-C", str(folder), "serve", *options]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_serves_and_ends_cleanly(filled: Any, ending: signal.Signals) -> None:
    assert filled.repository.work_tree is not None
    process = begin(filled.repository.work_tree, "--port", "0")
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        note = filled.repository.state_dir / "serve.json"
        said = json.loads(note.read_bytes())
        assert said["url"] in line
        assert said["pid"] == process.pid
        deadline = time.monotonic() + 60
        while True:
            health = json.loads(request(f"{said['url']}/healthz").body)
            if health["line"] == "driving" or time.monotonic() > deadline:
                break
        assert health == {"status": "ok", "line": "driving", "problem": ""}
        process.send_signal(ending)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert not note.exists()


def test_a_host_that_others_reach_is_refused(filled: Any) -> None:
    assert filled.repository.work_tree is not None
    process = begin(filled.repository.work_tree, "--host", "0.0.0.0", "--port", "0")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "no authentication yet" in said
    assert "ecluse serve --host 127.0.0.1" in said
