"""The main job, as a newcomer sees it: one command, the whole line, real parts."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path
from typing import Any

from ecluse.history import History, search
from ecluse.model import (
    Change,
    ChangeState,
    Deployment,
    DeploymentState,
    Gate,
    Landing,
    LandingState,
    Release,
    ReleaseState,
)


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True).stdout.decode().strip()


def test_the_whole_line(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    said = cli("demo", "--to", str(folder), cwd=tmp_path)
    assert "ecluse serve" in said.out and str(folder / "locks") in said.out
    _shows_what_it_runs(said.err)
    repository = folder / "locks"
    with History.open(repository / ".git" / "ecluse") as history:
        _changes(history)
        _landings(history, repository)
        _releases(history, repository)
    _leak_is_nowhere(folder, said.out + said.err)
    _nothing_left_running(folder)


def _shows_what_it_runs(text: str) -> None:
    scenes = re.findall(r"^\[(\d+)/(\d+)\]", text, flags=re.M)
    assert [int(n) for n, _ in scenes] == list(range(1, int(scenes[0][1]) + 1)), "every step has its progress line"
    for verb in ("init", "export", "import", "land", "run", "release start", "history list"):
        assert re.search(rf"^    \$ ecluse {verb}", text, flags=re.M), verb
    assert "test_" in text, "the failing test is shown"


def _changes(history: History) -> None:
    by_agent = {change.agent: change for change in history.find(Change)}
    good = by_agent["agent-1"]
    assert good.state is ChangeState.LANDED
    assert "docs/boats.md" in good.files, "the untracked file came along"
    assert len(good.commits) == 3, "two commits and the marked tip of uncommitted work"
    assert all(old == new for old, new in good.commits.items()), "commit ids are kept"
    assert by_agent["agent-2"].state is ChangeState.READY
    rejected = history.find(Change, state=ChangeState.REJECTED)
    assert [change.reason != "" for change in rejected] == [True]
    assert any(finding.code.startswith("secret.") for finding in rejected[0].findings)


def _landings(history: History, repository: Path) -> None:
    landings = history.find(Landing)
    red = [one for one in landings if one.state is LandingState.RED]
    assert len(red) == 1 and red[0].agent == "agent-2"
    for landed in (one for one in landings if one.state is LandingState.LANDED):
        assert git(repository, "rev-parse", f"{landed.candidate}^{{tree}}") == landed.tree
        subprocess.run(["git", "merge-base", "--is-ancestor", landed.candidate, "main"], cwd=repository, check=True)
    assert git(repository, "status", "--porcelain") == "", "the checkout followed"


def _releases(history: History, repository: Path) -> None:
    first, second = history.find(Release)
    assert (first.state, second.state) == (ReleaseState.DONE, ReleaseState.ROLLED_BACK)
    assert second.reason, "the history says why"
    assert first.played and second.played
    gates = history.find(Gate)
    assert gates and all("played" in gate.how for gate in gates)
    tags = git(repository, "tag", "--list").split()
    assert f"v{first.version}" in tags
    live = history.find(Deployment, state=DeploymentState.LIVE)
    assert [one.version for one in live] == [first.version]
    assert search.find(history, "played"), "whoever searches finds that the person was played"
    assert f"## [{first.version}]" in (repository / "CHANGELOG.md").read_text()


def _leak_is_nowhere(folder: Path, printed: str) -> None:
    parser = configparser.ConfigParser()
    parser.read(folder / "sandboxes" / "agent-3" / "config" / "archive.ini")
    values = [value for key, value in parser["archive"].items() if key.startswith("aws_")]
    assert len(values) == 2
    state = folder / "locks" / ".git" / "ecluse"
    for value in values:
        assert value not in printed
        for path in state.rglob("*"):
            if path.is_file() and "inbox" not in path.parts:
                assert value.encode() not in path.read_bytes(), path


def _nothing_left_running(folder: Path) -> None:
    from ecluse import process

    services = list((folder / "production" / "service").glob("*"))
    assert services
    assert all(process.job_status(one).state is not process.JobState.RUNNING for one in services)


def test_an_existing_folder_is_left_alone(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    said = cli("demo", "--to", str(tmp_path / "mine"), cwd=tmp_path, expect=1)
    assert "exists already" in said.err and "next: " in said.err
    assert list((tmp_path / "mine").iterdir()) == []
