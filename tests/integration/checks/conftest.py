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

    def run(self, text: str = "", **request: Any) -> Report:
        """Run a whole workflow; without ``text`` what is there."""
        if text:
            self.write(text)
        return run(self.tree, RunRequest(log_dir=self.logs, **request), self.events.append)

    def jobs(self, text: str, **request: Any) -> Report:
        """Run a workflow with these jobs (a YAML mapping)."""
        return self.run("on: push\njobs:\n" + textwrap.indent(textwrap.dedent(text), "  "), **request)

    def report_of(self, steps: str, **request: Any) -> Report:
        """Run one job ``a`` with these steps (a YAML list)."""
        body = textwrap.indent(textwrap.dedent(steps), "    ")
        return self.jobs(f"a:\n  runs-on: ubuntu-latest\n  steps:\n{body}", **request)

    def steps(self, text: str, **request: Any) -> Job:
        """The same, and the job alone."""
        return self.report_of(text, **request).jobs[0]

    @property
    def lines(self) -> list[str]:
        """What steps said so far."""
        return [str(event["text"]) for event in self.events if event["event"] == "line"]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)
