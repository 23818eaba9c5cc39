"""Every option of ``ecluse run``, as typed: what it does, and what is said when it says nothing usable."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

WORKFLOW = """
on:
  push:
  pull_request:
  workflow_dispatch:
    inputs:
      who: {type: string}
jobs:
  say:
    runs-on: ubuntu-latest
    strategy: {matrix: {n: [1, 2], os: [a, b]}}
    steps:
      - {name: Prepare, run: 'true'}
      - name: Say
        run: |
          echo "n=${{ matrix.n }} os=${{ matrix.os }} actor=${{ github.actor }} event=${{ github.event_name }}"
          echo "title=${{ github.event.pull_request.title }} var=$MINE input=${{ github.event.inputs.who }}"
  other: {needs: say, runs-on: ubuntu-latest, steps: [{run: test -z "$FAIL"}]}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / ".github" / "workflows" / "ci.yml").write_text(WORKFLOW)
    return folder


def test_ref_names_the_branch_or_tag_of_the_event(cli: Any, place: Path) -> None:
    flow = (
        "on: {push: {tags: ['v*'], branches: [next]}}\njobs: {a: {runs-on: x, steps: [{run: 'echo at=$GITHUB_REF'}]}}\n"
    )
    (place / ".github" / "workflows" / "ci.yml").write_text(flow)
    for words in (["init", "-q", "-b", "next", "."], ["add", "-A"], ["commit", "-qm", "x"], ["tag", "v1"]):
        subprocess.run(["git", *words], cwd=place, check=True)
    assert "at=refs/heads/next" in cli("run", "-v", cwd=place).err
    assert "at=refs/tags/v1" in cli("run", "-v", "--ref", "v1", cwd=place).err
    assert "at=refs/tags/v7" in cli("run", "-v", "--ref", "refs/tags/v7", cwd=place).err
    assert "push" in cli("run", "--ref", "other", cwd=place, expect=2).err


def test_what_options_do(cli: Any, place: Path, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"title": "mine", "number": 7}}))
    words = ["--event", "pull_request", "--event-file", str(event), "--actor", "ada", "--env", "MINE=yes"]
    words += [
        "--matrix",
        "n:2",
        "--matrix",
        "os:b",
        "--job",
        "say",
        "-v",
        "--report",
        str(tmp_path / "deep" / "r.json"),
    ]
    said = cli("run", *words, "--logs", str(tmp_path / "logs"), cwd=place)
    assert "n=2 os=b actor=ada event=pull_request" in said.err and "title=mine var=yes" in said.err
    report = json.loads((tmp_path / "deep" / "r.json").read_bytes())
    assert [job["matrix"] for job in report["jobs"]] == [{"n": 2, "os": "b"}] and report["event"] == "pull_request"
    assert "n=2 os=b" in (tmp_path / "logs" / "say.log").read_text()
    assert not (place / "reports").exists() and not (place / "memory").exists()
    dispatched = cli("run", "--event", "workflow_dispatch", "--input", "who=me", "--job", "say", "-v", cwd=place)
    assert dispatched.err.count("input=me") == 4


def test_the_event_may_come_by_standard_input(cli: Any, place: Path) -> None:
    words = ["run", "--event", "pull_request", "--event-file", "-", "--job", "say", "-v"]
    assert "title=piped" in cli(*words, cwd=place, stdin=b'{"pull_request": {"title": "piped", "number": 7}}').err
    assert "not JSON" in cli(*words, cwd=place, expect=2).err


def test_events_are_one_object_a_line(cli: Any, place: Path) -> None:
    said = cli("run", "--events", "--matrix", "n:1", cwd=place)
    events = [json.loads(line) for line in said.out.splitlines()]
    assert events[0]["event"] == "run.started" and events[0]["jobs"] == 3
    assert events[-1]["event"] == "run.finished" and events[-1]["result"] == "success"
    assert {event["event"] for event in events} == {
        "run.started", "job.started", "step.started", "line", "step.finished", "job.finished", "run.finished",
    }  # fmt: skip
    assert said.err == ""


def test_a_dry_run_runs_nothing(cli: Any, place: Path) -> None:
    said = cli("run", "--dry-run", "--step", "Say", cwd=place)
    assert said.out.count("Say") == 4 and "Prepare" not in said.out and "other" not in said.out
    assert not (place / "reports").exists()
    document = cli("run", "--dry-run", "--json", cwd=place).json
    assert [job["result"] for job in document["jobs"]] == ["skipped"] * 5


def test_exit_statuses(cli: Any, place: Path, tmp_path: Path) -> None:
    cli("run", "--matrix", "n:1", cwd=place)
    red = cli("run", "--env", "FAIL=1", "--json", cwd=place, expect=5)
    assert red.json["result"] == "failure"
    again = cli("run", "--rerun-failed", "--json", cwd=place)
    assert [bool(job["reused"]) for job in again.json["jobs"]] == [True] * 4 + [False]
    (tmp_path / "bad.json").write_text("[")
    for words, said in (
        (["--job", "sai"], "say"),
        (["--step", "Sya"], "Say"),
        (["--env", "X"], "NAME=VALUE"),
        (["--matrix", "n"], "NAME:VALUE"),
        (["--event-file", str(tmp_path / "bad.json")], "not JSON"),
        (["--event", "schedule"], "schedule"),
        (["nowhere.yml"], "nowhere.yml"),
        (["--on-failure", "cry"], "shell"),
        (["--notify"], "nobody to tell"),
        (["--secret-key", "x"], "--secret-file"),
        (["--local-action", "x"], "NAME=VALUE"),
        (["--local-action", "a/b=."], "OWNER/REPO@REF=DIR"),
        (["--local-action", "a/b@v1=none"], "no folder none"),
        (["--matrix", "n:3"], "(one of: 1, 2)"),
        (["--secret", "a b=c"], "no name of a secret"),
        (["ci.yml"], "did you mean '.github/workflows/ci.yml'?"),
        (["/etc/hosts"], "outside of"),
        ([".github"], "no workflow in .github."),
        (["--report", "."], "it is a folder"),
        (["--logs", ".github/workflows/ci.yml"], "needs a folder"),
        (["--dry-run", "--events"], "no --events"),
    ):
        wrong = cli("run", *words, cwd=place, expect=2)
        assert said in wrong.err, str(wrong)
    (place / ".github" / "workflows" / "ci.yml").write_text("on: push\njobs: {a: {runs-onn: x}, b: {step: []}}\n")
    faulty = cli("run", "--json", cwd=place, expect=2)
    assert faulty.err.count("ci.yml:2:") >= 2 and faulty.json["error"]["code"]


def test_notify(cli: Any, place: Path) -> None:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/x"
        (place / "ecluse.toml").write_text(f'[notify]\nwebhook = "{address}"\n')
        for fails in (False, True, True, False, False):
            cli("run", "--notify", *(["--env", "FAIL=1"] if fails else []), cwd=place, expect=5 if fails else 0)
    finally:
        server.shutdown()
        server.server_close()
    assert [one["kind"] for one in got] == ["checks.failed", "checks.failed", "checks.recovered"]
    assert "failed: other" in got[0]["text"] and got[0]["data"]["branch"] == "main"
    lost = cli("run", "--notify", "--env", "FAIL=1", cwd=place, expect=5)
    assert "nobody was told by webhook" in lost.err
