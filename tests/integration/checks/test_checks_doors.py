"""``ecluse run`` as a program: what it prints, keeps and returns."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.model import Result


def test_a_wrong_workflow_runs_nothing(yard: Any) -> None:
    from ecluse.errors import Invalid

    with pytest.raises(Invalid) as caught:
        yard.run("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - rn: echo\n")
    assert "ci.yml:6:9" in caught.value.message and yard.events == []


def test_dry_run_runs_nothing(yard: Any) -> None:
    report = yard.report_of("- run: echo no", dry_run=True)
    assert report.jobs[0].result is Result.SKIPPED and yard.events == []


def ecluse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecluse", "run", *words], cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_the_door_shows_progress_and_keeps_the_report(yard: Any) -> None:
    yard.write("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo deep inside; exit 1}]}}\n")
    done = ecluse(yard.tree)
    assert done.returncode == 5 and done.stdout == ""
    assert "deep inside" in done.stderr and "red" in done.stderr
    assert json.loads((yard.tree / "reports" / "report.json").read_bytes())["result"] == "failure"
    assert "-> FAILURE" in (yard.tree / "memory" / "session.log").read_text()


def test_the_door_prints_documents_and_events(yard: Any, tmp_path: Path) -> None:
    yard.write("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo ${{ secrets.S }}'}]}}\n")
    secret = secrets.token_hex(8)
    done = ecluse(yard.tree, "--json", "--report", str(tmp_path / "r.json"), "--secret", f"S={secret}")
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads((tmp_path / "r.json").read_bytes())
    assert not (yard.tree / "reports").exists()
    streamed = ecluse(yard.tree, "--events", "--report", str(tmp_path / "r.json"), "--secret", f"S={secret}")
    assert [json.loads(line)["event"] for line in streamed.stdout.splitlines()][-1] == "run.finished"
    assert secret not in done.stdout + done.stderr + streamed.stdout + streamed.stderr


def test_the_door_tells_faults_and_plans(yard: Any) -> None:
    yard.write("on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{name: Compile, run: make}]}\n")
    planned = ecluse(yard.tree, "--dry-run")
    assert planned.returncode == 0 and "Compile" in planned.stdout
    assert not (yard.tree / "reports").exists()
    yard.write("on: push\njobs:\n  a: {runs-onn: ubuntu-latest}\n")
    wrong = ecluse(yard.tree)
    assert wrong.returncode == 2 and "ci.yml:3:7" in wrong.stderr and "next:" in wrong.stderr
    assert ecluse(yard.tree, "--secret", "NOT_IN_THE_ENVIRONMENT_AT_ALL").returncode == 2
    assert ecluse(yard.tree, "nowhere.yml").returncode == 2
