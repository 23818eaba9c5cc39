"""``ecluse run`` whose standard streams are closed or full: it runs to its end, and a lost answer is no success."""

from __future__ import annotations

import subprocess
import sys
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
