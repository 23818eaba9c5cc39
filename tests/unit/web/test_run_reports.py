"""A report is other people's JSON: whatever it holds, the page stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse import runs
from ecluse.git import Repository
from ecluse.model import Run, RunState
from ecluse.web import logs


def run_with(report: dict[str, Any]) -> Run:
    return Run("run-1", "", RunState.RED, "c", "t", "push", (), "", "", report=report)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / ".git"
    folder.mkdir()
    return Repository(folder, folder, tmp_path)


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"jobs": None},
        {"jobs": [None, 3, "x"]},
        {"jobs": [{}], "annotations": [{}]},
        {"jobs": [{"id": 3, "steps": [{"number": "x", "tail": 5, "duration_ms": None, "exit_code": "1"}]}]},
        {
            "jobs": [
                {"name": "j", "log": "\0"},
                {"log": "x" * 5000},
                {"log": "../../../../etc/passwd"},
                {"log": "/etc/passwd"},
            ]
        },
        {"jobs": [{"steps": {}}], "annotations": {"a": 1}},
    ],
)
def test_any_report_can_be_shown(repository: Repository, report: dict[str, Any]) -> None:
    run = run_with(report)
    for job in logs.jobs_of(repository, run):
        assert job.log is None
        assert isinstance(job.name, str)
    assert isinstance(logs.annotations_of(run), list)


def test_a_log_may_be_named_by_its_place_in_the_runs_folder(repository: Repository) -> None:
    folder = runs.log_folder("run-1") / "0"
    folder.mkdir(parents=True)
    (folder / "test.log").write_text("hello\n")
    for named in ("test.log", str(folder / "test.log")):
        found = logs.jobs_of(repository, run_with({"jobs": [{"log": named}]}))[0].log
        assert found == (folder / "test.log").resolve()
    neighbour = logs.jobs_of(repository, run_with({"jobs": [{"log": "../../run-2/0/test.log"}]}))
    assert neighbour[0].log is None


def test_the_end_of_a_log_says_how_much_comes_before(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(b"%06d\n" % number for number in range(50_000)))
    tail = logs.tail_of(log)
    assert tail.lines[-1] == "049999"
    assert len(tail.lines) == logs.TAIL_LINES
    assert tail.skipped_bytes == (50_000 - logs.TAIL_LINES) * 7
    assert logs.tail_of(tmp_path / "none").lines == ()
