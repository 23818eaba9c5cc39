"""The playbook build-story to its end: one scripted agent develops, another tests; people review and try.

Everything on the way is real: the clones, the portable exporter, intake, the checks of a workflow, two
landings, a service on staging that answers over HTTP.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecluse import http, process, signing
from ecluse.demo import template

AGENTS = Path(__file__).with_name("story")
STORY = "say good day to a boat"
CHECKS = """\
name: CI
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: PYTHON -m unittest discover
"""

pytestmark = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is needed to answer the gates")


class Team:
    """A repository with the shipped page, two agents, a staging, and a person with a key."""

    def __init__(self, folder: Path, cli: Any) -> None:
        self.cli, self.at, self.key = cli, folder / "repo", folder / "keys" / "marie"
        self.staging, port = folder / "staging", http.free_port()
        self.url = f"http://127.0.0.1:{port}"
        template.write(self.at)
        (self.at / ".github/workflows/ci.yml").write_text(CHECKS.replace("PYTHON", sys.executable))
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "feat: first")
        self.cli("init", "--trust", "all", cwd=self.at)
        self.cli("playbook", "add", "build-story", cwd=self.at)
        self.cli("keys", "make", "marie", "--role", "human", "--key", str(self.key), cwd=self.at)
        command = [sys.executable, "-m", "service.app", "--port", str(port)]
        agents = "".join(
            f"[agents.{name}]\ncommand = {json.dumps([sys.executable, str(AGENTS / f'{name}.py')])}\n"
            f'variables = ["STORY_EXPECTS"]\ncost = 1.0\n'
            for name in ("developer", "tester")
        )
        with (self.at / "ecluse.toml").open("a") as policy:
            policy.write(
                f"\n{agents}[environments.staging]\npath = {json.dumps(str(self.staging))}\n"
                f"command = {json.dumps(command)}\nurl = {json.dumps(self.url)}\n"
                'smoke = [{ request = "GET /hello", contains = "good day" }]\n'
            )
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "chore: agents and staging")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.at, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    def run(self) -> Any:
        """Start the playbook; it rests at the gate of the review."""
        said = self.cli(
            "playbook", "run", "build-story", "--input", f"story={STORY}", "--no-input", cwd=self.at, expect=3
        )
        assert "review" in said.err, str(said)
        return self.status()

    def answer(self, gate: str, word: str, expect: int) -> Any:
        words = ("release", "approve", "--gate", gate, "--answer", word, "--key", str(self.key), "--checked", "all")
        self.cli(*words, "--no-input", cwd=self.at, expect=expect)
        return self.status()

    def status(self) -> Any:
        listed = self.cli("release", "status", "--json", cwd=self.at).json["releases"]
        return self.cli("release", "status", listed[0]["id"], "--json", cwd=self.at).json

    def hello(self) -> Any:
        return json.loads(http.request(f"{self.url}/hello").body)

    def close(self) -> None:
        for folder in (self.staging / "service").glob("*"):
            process.cancel_job(folder)


@pytest.fixture
def team(tmp_path: Path, cli: Any) -> Iterator[Team]:
    made = Team(tmp_path, cli)
    yield made
    made.close()


def test_a_story_is_built_reviewed_landed_tested_and_accepted_on_staging(team: Team) -> None:
    at_review = team.run()
    built = at_review["steps"][0]["result"]
    assert built["cost"] == 0.4 and set(built["files"]) == {"service/app.py", "tests/test_app.py", "docs/hello.md"}
    assert "/hello" not in team.git("show", "main:service/app.py"), "nothing lands before the review"
    at_sign_off = team.answer("review", "approve", 3)
    assert at_sign_off["state"] == "waiting" and "sign-off" in at_sign_off["reason"], at_sign_off["reason"]
    assert team.hello() == {"said": "good day"}, "the one who wished it can try it"
    over = team.answer("sign-off", "OK", 0)
    assert over["state"] == "done", over["reason"]
    assert {step["state"] for step in over["steps"]} == {"done"}
    done = {step["title"]: step for step in over["steps"]}
    # both changes came through intake and landed, each tested by the repository's own workflow
    landed = [done[title]["result"] for title in ("Checks and landing", "The tests land too")]
    assert len({one["change"] for one in landed}) == 2
    assert team.git("show", "main:docs/hello.md") == "`/hello` says good day."
    assert "test_nobody_greets_nobody" in team.git("show", "main:tests/test_app.py")
    assert over["commit"] == landed[1]["commit"] == team.git("rev-parse", "main")
    (made,) = over["deployments"]
    assert made["commit"] == over["commit"] and made["environment"] == "staging" and made["state"] == "live"
    texts = [event["text"] for event in team.cli("history", "list", "--json", cwd=team.at).json["events"]]
    assert any(f"{STORY}: on staging and accepted." in text for text in texts)
    page = team.cli("release", "status", "--page", cwd=team.at).out
    assert "- [x] it can be taken back\n- gate: review\n  > **done** " in page and "approve by marie (key)" in page
    assert [gate["answered_by"] for gate in over["gates"]] == ["marie", "marie"]


def test_what_the_tester_finds_keeps_the_story_off_staging(team: Team) -> None:
    """The tester's test is red: it does not land, nothing is deployed, and the history says which test."""
    team.cli.env["STORY_EXPECTS"] = "200"
    team.run()
    over = team.answer("review", "approve", 1)
    assert over["state"] == "failed" and "checks are red" in over["reason"], over["reason"]
    assert "test_nobody_greets_nobody" not in team.git("show", "main:tests/test_app.py")
    assert over["deployments"] == [] and not (team.staging / "current").exists()
