"""A folder with a workflow, run for real."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, run
from ecluse.model import Job, Report


class Yard:
    """A tree, its logs, and the events of its runs."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.logs = folder / "logs"
        self.events: list[dict[str, Any]] = []
        (self.tree / ".github" / "workflows").mkdir(parents=True)

    def write(self, text: str, path: str = ".github/workflows/ci.yml") -> None:
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8")

    def jobs(self, text: str, **request: Any) -> Report:
        """Run a workflow with these jobs (a YAML mapping)."""
        self.write("on: push\njobs:\n" + textwrap.indent(textwrap.dedent(text), "  "))
        return run(self.tree, RunRequest(log_dir=self.logs, **request), self.events.append)

    def steps(self, text: str, **request: Any) -> Job:
        """Run one job ``a`` with these steps (a YAML list) and return it."""
        body = textwrap.indent(textwrap.dedent(text), "    ")
        return self.jobs(f"a:\n  runs-on: ubuntu-latest\n  steps:\n{body}", **request).jobs[0]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)
