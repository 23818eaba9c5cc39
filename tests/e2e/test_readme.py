"""What only the README promises: targets of make, and a dashboard that answers. Its commands: ``test_pages.py``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ecluse import http
from pages import reading, settings

README = reading.ROOT / "README.md"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (reading.ROOT / "Makefile").read_text(), flags=re.M))
    listed = [
        command for block in reading.blocks(README) if block.kind == "sh" for command, _ in reading.commands(block)
    ]
    shown = [line.split()[1] for line in listed if line.startswith("make ")]
    assert {"demo", "test", "docs"} <= set(shown) <= targets


def test_the_dashboard_answers_and_finds_what_history_search_finds(cli: Any, own_home: Path, tmp_path: Path) -> None:
    settings.prepare("kept", tmp_path)
    place = tmp_path / "project"
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "ecluse", "serve", "--port", "0"], cwd=place, env=cli.env, stderr=subprocess.PIPE
    )
    try:
        note = place / ".git" / "ecluse" / "serve.json"
        deadline = time.monotonic() + 60
        while not note.exists():
            assert server.poll() is None and time.monotonic() < deadline, "the dashboard did not start"
            time.sleep(0.05)
        address = json.loads(note.read_text())["url"]
        page = http.request(address).text()
        assert "<html" in page
        found = json.loads(http.request(f"{address.rstrip('/')}/memory/query?q=ready").body)
        searched = cli("history", "search", "ready", "--json", cwd=place).json
        assert [one["number"] for one in found["results"]] == [one["number"] for one in searched["events"]]
        assert found["results"]
    finally:
        server.terminate()
        _, err = server.communicate(timeout=30)
    assert server.returncode == 0, err.decode()
