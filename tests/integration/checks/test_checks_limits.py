"""Limits of time, cancelling, and that nothing which a run started outlives it."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest
from ecluse.checks.report import from_json
from ecluse.model import Job, Report, Result


def job(report: Report, name: str) -> Job:
    return next(one for one in report.jobs if one.id == name)


def outcomes(report: Report, name: str = "a") -> list[str]:
    return [step.outcome.value for step in job(report, name).steps]


def alive(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see processes")
def test_a_step_that_takes_too_long_is_ended_with_its_children(yard: Any) -> None:
    mark = f"1{secrets.randbelow(10**8):08d}"
    report = yard.report_of(
        f"""
        - timeout-minutes: 0.01
          run: sleep {mark} & sleep {mark}
        - if: always()
          run: echo later
        """
    )
    assert outcomes(report) == ["failure", "success"]
    assert "did not end within" in job(report, "a").steps[0].reason
    assert alive(mark) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to see processes")
def test_a_daemon_of_a_step_does_not_outlive_the_run(yard: Any) -> None:
    mark = f"2{secrets.randbelow(10**8):08d}"
    assert yard.report_of(f"- run: setsid sleep {mark} > /dev/null 2>&1 < /dev/null &").result is Result.SUCCESS
    deadline = time.monotonic() + 60
    while alive(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(mark) == []


def test_a_job_that_takes_too_long_is_cancelled_and_cleans_up(yard: Any) -> None:
    report = yard.run(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            timeout-minutes: 0.01
            steps:
              - run: sleep 60
              - run: echo no
              - {if: always(), run: echo cleaned}
        """
    )
    assert job(report, "a").result is Result.CANCELLED and "limit" in job(report, "a").reason
    assert outcomes(report) == ["cancelled", "skipped", "success"]
    assert report.result is Result.FAILURE


def test_fail_fast_cancels_the_siblings(yard: Any) -> None:
    report = yard.run(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            strategy: {matrix: {v: [1, 60, 60, 60]}}
            steps: [{run: 'sleep ${{ matrix.v == 1 && 0.2 || matrix.v }}; exit 1'}]
        """
    )
    assert [one.result.value for one in report.jobs] == ["failure", "cancelled", "cancelled", "cancelled"]


@pytest.mark.parametrize(("condition", "outcome"), [("always()", "success"), ("'x' == 'x'", "cancelled")])
def test_what_runs_when_its_job_is_cancelled_goes_on_where_its_condition_still_holds(
    yard: Any, condition: str, outcome: str
) -> None:
    """GitHub asks the condition of the running step again when a job is cancelled."""
    report = yard.run(
        f"""
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            timeout-minutes: 0.01
            steps:
              - {{if: "{condition}", run: sleep 1}}
              - run: echo no
        """
    )
    assert outcomes(report) == [outcome, "skipped"]
    assert job(report, "a").result is Result.CANCELLED


def detached(folder: Path, tree: Path, **request: Any) -> subprocess.Popen[bytes]:
    folder.mkdir()
    document = {"tree": str(tree), "request": RunRequest(**request).to_json()}
    (folder / "check.json").write_text(json.dumps(document))
    return subprocess.Popen([sys.executable, "-m", "ecluse.checks", str(folder)])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo hi}]}}\n", 0),
        ("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}}\n", 5),
        ("on: push\njobs: {a: {}}\n", 2),
    ],
)
def test_the_detached_entry(yard: Any, tmp_path: Path, text: str, status: int) -> None:
    yard.write(text)
    folder = tmp_path / "job"
    assert detached(folder, yard.tree).wait(60) == status
    document = json.loads((folder / "report.json").read_bytes())
    if status == 2:
        assert document["problem"]["code"] == "workflow.invalid" and document["problem"]["hint"]
    else:
        assert from_json(document).result is (Result.SUCCESS if status == 0 else Result.FAILURE)
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        assert events[-1]["event"] == "run.finished"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see processes")
def test_a_detached_run_that_is_asked_to_end_ends_its_steps(yard: Any, tmp_path: Path) -> None:
    mark = f"3{secrets.randbelow(10**8):08d}"
    yard.write(
        f"on: push\njobs: {{a: {{runs-on: ubuntu-latest, steps: [{{run: sleep {mark}}}, {{if: always(), run: sleep {mark}}}]}}}}\n"
    )
    process = detached(tmp_path / "job", yard.tree)
    deadline = time.monotonic() + 60
    while not alive(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(mark)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert alive(mark) == []
