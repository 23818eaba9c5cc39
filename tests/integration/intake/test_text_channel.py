"""A hand-over through a channel that carries only text, as whole processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ecluse.history import History


def ecluse(cwd: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=cwd, input=stdin, capture_output=True, check=False, env=os.environ
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def test_through_copy_and_paste(bench: Any, history: History, sandbox: Any, dice: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("noise.bin", dice.randbytes(20_000))
    out = ecluse(box.folder, "export", "--agent", "a1", "--text")
    assert out.returncode == 0, out.stderr
    end = b"-----END ECLUSE CHUNK-----\n"
    parts = [part + end for part in out.stdout.split(end) if part.strip()]
    assert len(parts) > 3
    short = ecluse(bench.folder, "import", "-", "--json", stdin=b"hello\n" + b"".join(parts[1:]))
    assert (short.returncode, json.loads(short.stdout)["error"]["code"]) == (2, "text.missing")
    mixed = b"first\n" + b"\n\nthen\n".join(reversed(parts))
    done = ecluse(bench.folder, "import", "-", "--json", stdin=mixed)
    assert done.returncode == 0, done.stderr
    (tmp_path / "mail.txt").write_bytes(mixed)
    again = ecluse(bench.folder, "import", str(tmp_path / "mail.txt"), "--json")
    assert json.loads(again.stdout)["change_id"] == json.loads(done.stdout)["change_id"]
    told = ecluse(box.folder, "export", "--agent", "a1", "--text", "--to", str(tmp_path / "x.txt"), "--json")
    assert json.loads(told.stdout)["path"] == str(tmp_path / "x.txt")
    assert ecluse(bench.folder, "import", str(tmp_path / "x.txt"), "--dry-run").returncode == 0
    both = ecluse(box.folder, "export", "--text", "--json")
    assert both.returncode == 2
