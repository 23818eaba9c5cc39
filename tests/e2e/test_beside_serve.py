"""A command beside a running ``ecluse serve`` does not fight for the line: one drives, the other follows."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ecluse.history import History
from ecluse.model import Landing, LandingState, Run

WORKFLOW = """\
name: ci
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: test -f a.txt
"""


def test_four_agents_at_once_beside_the_server(cli: Any, bench: Any, tmp_path: Path) -> None:
    bench.commit("ci", _dot_github__workflows__ci_dot_yml=WORKFLOW)
    cli("init", "--trust", "all", cwd=bench.folder)
    bench.commit("policy")
    bundles = [exported(cli, bench, tmp_path, number) for number in range(4)]
    server = start(cli, bench.folder, "serve", "--port", "0")
    try:
        note = bench.folder / ".git" / "ecluse" / "serve.json"
        deadline = time.monotonic() + 60
        while not note.exists():
            assert server.poll() is None and time.monotonic() < deadline, "the dashboard did not start"
            time.sleep(0.05)
        landing = [start(cli, bench.folder, "import", str(bundle), "--land", "--no-input") for bundle in bundles]
        for one in landing:
            _, err = one.communicate(timeout=240)
            assert one.returncode == 0, err.decode()
    finally:
        server.terminate()
        server.communicate(timeout=30)
    with History.open(bench.folder / ".git" / "ecluse") as history:
        landings = history.find(Landing)
        assert [one.state for one in landings] == [LandingState.LANDED] * 4
        assert len(history.find(Run)) == sum(one.attempt + 1 for one in landings), "no candidate was tested twice"
        for one in landings:
            assert bench.git("rev-parse", f"{one.candidate}^{{tree}}") == one.tree
    assert [bench.git("show", f"main:{n}.txt") for n in range(4)] == ["0", "1", "2", "3"]
    assert bench.git("status", "--porcelain") == ""


def exported(cli: Any, bench: Any, tmp_path: Path, number: int) -> Path:
    sandbox = tmp_path / f"sandbox-{number}"
    subprocess.run(["git", "clone", "-q", str(bench.folder), str(sandbox)], check=True)
    (sandbox / f"{number}.txt").write_text(f"{number}\n")
    bundle = tmp_path / f"{number}.tar"
    cli("export", "--agent", f"agent-{number}", "--to", str(bundle), cwd=sandbox)
    return bundle


def start(cli: Any, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "ecluse", *words],
        cwd=folder,
        env=cli.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
