"""Real repositories for the tests of this folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ecluse.git import Repository
from ecluse.history import History


class Workbench:
    """A real repository with a checkout, and short words for what tests do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *words: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def write(self, path: str, text: str | bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def commit(self, message: str, **files: str) -> str:
        for path, text in files.items():
            self.write(path.replace("__", "/").replace("_dot_", "."), text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.folder)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A repository ``work`` with one commit on main that holds ``a.txt``."""
    made = Workbench(tmp_path / "work")
    made.commit("first", a_dot_txt="one\ntwo\nthree\n")
    return made


@pytest.fixture
def history(bench: Workbench) -> History:
    """The workbench's own history, empty."""
    return History.open(bench.repository.state_dir, create=True)
