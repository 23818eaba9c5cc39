"""``ecluse run`` in bad surroundings: standard streams that are closed or full, and being asked to end half way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

GREEN = "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file that takes nothing")
@pytest.mark.parametrize(
    ("streams", "status", "words"),
    [
        ("0<&-", 0, "green: 1 success"),
        ("1>&-", 0, "green: 1 success"),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("--json >/dev/full", 1, "could not be written to standard output"),
    ],
)
def test_a_stream_that_is_closed_or_full(cli: Any, tmp_path: Path, streams: str, status: int, words: str) -> None:
    (tmp_path / "ci.yml").write_text(GREEN)
    line = f'"$@" run ci.yml {streams}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-P", "-m", "ecluse"],
        cwd=tmp_path,
        env=cli.env,
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == status and words in said, said
    assert "Traceback" not in said and "Exception" not in said
    assert (tmp_path / "reports" / "report.json").is_file()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_run_that_is_asked_to_end_ends_its_steps_first(cli: Any, tmp_path: Path, name: str) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    step = f"trap 'touch {ended}; exit 0' TERM INT; touch {begun}; sleep 300 & wait"
    (tmp_path / "ci.yml").write_text(GREEN.replace("'true'", f'"{step}"'))
    words = [sys.executable, "-P", "-m", "ecluse", "run", "ci.yml"]
    process = subprocess.Popen(words, cwd=tmp_path, env=cli.env, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(getattr(signal, name))
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130 and "go on with: ecluse run" in said, said
    assert ended.exists()
