"""A bench for workflows, and a forge: a folder of real repositories that stand for those of other people."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, run
from ecluse.model import Job, Report


class Forge:
    """Repositories below one folder, asked over git's own protocol."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"

    def git(self, repository: str, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder / repository, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def put(self, repository: str, files: dict[str, str], *, tag: str = "", branch: str = "") -> str:
        """Commit ``files`` to ``repository`` and return the commit, with a tag or branch moved there."""
        folder = self.folder / repository
        if not folder.exists():
            folder.mkdir(parents=True)
            self.git(repository, "init", "-q", "-b", "main", ".")
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text))
        self.git(repository, "add", "-A")
        self.git(repository, "commit", "-q", "--allow-empty", "-m", "next")
        if tag:
            self.git(repository, "tag", "-f", tag)
        if branch:
            self.git(repository, "branch", "-f", branch)
        return self.git(repository, "rev-parse", "HEAD")

    def close(self) -> None:
        """Take everything away, as a network does that is gone."""
        shutil.rmtree(self.folder)


class Play:
    """A folder with one workflow; runs it and keeps what it said."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        self.tree = folder
        self.forge = forge
        self.lines: list[str] = []
        self.report: Report | None = None

    def write(self, path: str, text: str) -> None:
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.tree, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, message: str = "next") -> str:
        if not (self.tree / ".git").exists():
            self.git("init", "-q", "-b", "main", ".")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def run(self, workflow: str, **request: Any) -> Report:
        """Run a whole workflow."""
        self.write(".github/workflows/ci.yml", workflow)
        self.lines = []
        given = {"actions_url": self.forge.url, **request}
        self.report = run(self.tree, RunRequest(workflows=(".github/workflows/ci.yml",), **given), self._hear)
        return self.report

    def job(self, steps: str, **request: Any) -> Job:
        """Run one job with these steps (a YAML list)."""
        body = textwrap.indent(textwrap.dedent(steps), "      ")
        text = f"on: [push, pull_request]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{body}"
        return self.run(text, **request).jobs[0]

    def _hear(self, event: dict[str, object]) -> None:
        if event["event"] == "line":
            self.lines.append(str(event["text"]))


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path / "forge")


@pytest.fixture
def play(tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Play(tmp_path / "tree", forge)
