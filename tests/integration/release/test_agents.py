"""A coding agent in a playbook: a real command on a clone, whose work comes back through intake and lands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ecluse.errors import Invalid
from ecluse.model import Change, ChangeState, ReleaseState

AGENT = """\
import os, pathlib, subprocess, sys
brief = sys.stdin.read()
print("brief:", brief.strip().splitlines()[0], flush=True)
print("remotes:", subprocess.run(["git", "remote"], capture_output=True, text=True).stdout.split(), flush=True)
print("token:", os.environ.get("MODEL_TOKEN", "none"), "other:", os.environ.get("OTHER_TOKEN", "none"), flush=True)
{body}
"""
WORK = """\
pathlib.Path("made.txt").write_text(brief)
subprocess.run(["git", "add", "-A"], check=True)
subprocess.run(["git", "commit", "-q", "-m", "feat: made by the agent"], check=True)
pathlib.Path("left.txt").write_text("not committed")
print('{"type": "result", "total_cost_usd": 0.25}')
"""
PAGE = """\
---
playbook: build
format: 1
---

# build

## Sequence

### [1] Do the work — by system

Add a file made.txt that says what was asked.

- uses: {first}
{rest}
"""


def ready(
    yard, tmp_path, body: str, first: str = "agent.run agent=dev", rest: str = "", trust: str = "all", **agent
) -> None:
    script = tmp_path / "agent.py"
    script.write_text(AGENT.replace("{body}", body))
    lines = {"command": [sys.executable, str(script)], "secrets": ["MODEL_TOKEN"], **agent}
    section = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items())
    yard.commit(
        "chore: an agent",
        ecluse_dot_toml=f'trust = "{trust}"\n{yard.policy()}\n[agents.dev]\n{section}\n',
        playbooks__build_dot_md=PAGE.format(first=first, rest=rest),
    )


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", "model-4711-4711")
    monkeypatch.setenv("OTHER_TOKEN", "other-0815-0815")


LAND = "\n### [2] Bring it in — by system\n\n- uses: landing.land\n"


def test_what_an_agent_made_goes_through_intake_and_lands(yard, tmp_path):
    ready(yard, tmp_path, WORK, rest=LAND, cost=1.0)
    done = yard.through_the_line(yard.start(playbook="build"))
    assert done.state is ReleaseState.DONE, done.reason
    result = done.outputs["steps"]["0"]["result"]
    change = yard.history.get(Change, result["change"])
    assert (
        change.state is ChangeState.LANDED and change.agent == "dev" and set(change.files) == {"made.txt", "left.txt"}
    )
    assert "Add a file made.txt" in yard.git("show", "main:made.txt")
    assert yard.git("show", "main:left.txt") == "not committed"
    log = Path(result["log"]).read_text()
    assert "brief: # Do the work" in log and "remotes: []" in log
    assert "token: *** other: none" in log, "only the secrets that are named, and hidden in the log"
    assert result["cost"] == 0.25 and done.commit == yard.git("rev-parse", "main")


def test_an_agent_whose_change_nobody_vouches_for_waits_for_a_person(yard, tmp_path):
    ready(yard, tmp_path, WORK, rest=LAND, trust="signed")
    waiting = yard.through_the_line(yard.start(playbook="build"))
    assert waiting.state is ReleaseState.WAITING and "waits" in waiting.reason, waiting.reason
    assert yard.git("rev-parse", "main") == yard.git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("body", "limits", "wanted"),
    [
        ("sys.exit(3)", {}, "dev ended with status 3"),
        ("import time; time.sleep(60)", {"minutes": 0.01}, "did not end within 0.01 minutes"),
        (
            "print('\"total_cost_usd\": 0.9', flush=True); print('\"total_cost_usd\": 2.5', flush=True); import time; time.sleep(60)",
            {"cost": 2.0},
            "had cost 2.5 and was ended: the limit is 2",
        ),
        ("pathlib.Path('key.txt').write_text('AKIA' + 'QWERTYUIOPASDFGH')", {}, ""),
    ],
)
def test_an_agent_that_goes_wrong_fails_the_step_and_nothing_comes_in(yard, tmp_path, body, limits, wanted):
    ready(yard, tmp_path, body, **limits)
    over = yard.through_the_line(yard.start(playbook="build"))
    assert over.state in (ReleaseState.FAILED, ReleaseState.DONE) and wanted in over.reason, over.reason
    assert yard.history.find(Change) == []


def test_an_agent_that_changes_nothing_is_done_without_a_change(yard, tmp_path):
    ready(yard, tmp_path, "pass")
    done = yard.through_the_line(yard.start(playbook="build"))
    assert done.state is ReleaseState.DONE and "changed nothing" in yard.texts(done.id)


def test_a_bundle_is_taken_in_and_the_same_one_again_is_the_same_change(yard, tmp_path):
    ready(yard, tmp_path, WORK)
    first = yard.through_the_line(yard.start(playbook="build"))
    result = first.outputs["steps"]["0"]["result"]
    bundle = Path(result["log"]).with_name("change.tar")
    ready(yard, tmp_path, WORK, first=f"intake.import bundle={bundle}", rest=LAND)
    again = yard.through_the_line(yard.start(playbook="build"))
    assert again.state is ReleaseState.DONE, again.reason
    assert again.outputs["steps"]["0"]["result"]["change"] == result["change"]
    assert yard.history.get(Change, result["change"]).state is ChangeState.LANDED


def test_an_agent_and_a_bundle_that_are_not_there_are_named(yard, tmp_path):
    ready(yard, tmp_path, WORK, first="agent.run agent=nobody")
    with pytest.raises(Invalid, match=r"no \[agents\.nobody\] \(there are: dev\)"):
        yard.start(playbook="build")
    ready(yard, tmp_path, WORK, first=f"intake.import bundle={tmp_path / 'nowhere.tar'}")
    over = yard.through_the_line(yard.start(playbook="build"))
    assert over.state is ReleaseState.FAILED and "nowhere.tar" in over.reason, over.reason
