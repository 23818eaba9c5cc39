"""Every command that the README shows is run, in the order in which it shows them."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse import http
from ecluse.demo import template

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[list[str]]:
    """The commands of each ``sh`` block whose info string is exactly ``kind``, without remarks."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", README, flags=re.M | re.S)
    return [[line.split("  #")[0].strip() for line in block.splitlines() if line.strip()] for block in found]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    shown = [line for block in [*blocks("sh"), *blocks("sh make")] for line in block if line.startswith("make ")]
    assert {"make demo", "make test"} <= set(shown)
    for line in shown:
        assert line.split()[1] in targets, line


def test_pictures_and_pages_exist() -> None:
    for name in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`(docs/[^`]+)`", README):
        assert (ROOT / name).exists(), name


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository like a user's: the template, with its workflow and playbook, in git."""
    folder = tmp_path / "repo"
    template.write(folder)
    git = ["git", "-C", str(folder)]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "feat: first"]):
        subprocess.run([*git, *words], check=True)
    return folder


def test_one_minute_of_use(cli: Any, place: Path, tmp_path: Path) -> None:
    sandbox = tmp_path / "sandbox"
    change = ""
    for kind, lines in in_order():
        if kind == "sh agent":
            subprocess.run(["git", "clone", "-q", str(place), str(sandbox)], check=True)
            subprocess.run(["git", "-C", str(sandbox), "remote", "remove", "origin"], check=True)
            (sandbox / "docs").mkdir()
            (sandbox / "docs" / "new.md").write_text("# New\n")
        for line in lines:
            words = shlex.split(line.replace("CHANGE", change or "CHANGE"))
            if words[:2] == ["ecluse", "serve"]:
                serves(cli, place)
            elif words[0] == "ecluse":
                said = cli(*words[1:], cwd=sandbox if kind == "sh agent" else place)
                change = next(iter(re.findall(r"chg-\w+", said.err + said.out)), change)
            else:
                subprocess.run(words, cwd=place, check=True)
    shown = subprocess.run(["git", "show", "main:docs/new.md"], cwd=place, capture_output=True, check=True).stdout
    assert shown == b"# New\n"


def in_order() -> list[tuple[str, list[str]]]:
    """Every block of commands of the README but those for make, with its kind."""
    found = re.findall(r"^```(sh(?: agent)?)\n(.*?)^```", README, flags=re.M | re.S)
    listed = [
        (kind, [line.split("  #")[0].strip() for line in text.splitlines() if line.strip()]) for kind, text in found
    ]
    return [(kind, [line for line in lines if not line.startswith("make ")]) for kind, lines in listed]


def serves(cli: Any, place: Path) -> None:
    """The dashboard answers, and ends when it is asked to."""
    import json
    import sys

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
        found = json.loads(http.request(f"{address.rstrip('/')}/memory/query?q=landed").body)
        searched = cli("history", "search", "landed", "--json", cwd=place).json
        assert [one["number"] for one in found["results"]] == [one["number"] for one in searched["events"]]
        assert found["results"]
    finally:
        server.terminate()
        _, err = server.communicate(timeout=30)
    assert server.returncode == 0, err.decode()
