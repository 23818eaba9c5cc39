"""What the event says of the commit under test, and the numbers of runs."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, numbers, rerun, run
from ecluse.checks.commitfacts import read_commit

SHOW = "- run: |\n    cat <<'EOT'\n    ${{ toJSON(github) }}\n    EOT\n"


def git(tree: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(yard: Any, message: str) -> str:
    if not (yard.tree / ".git").exists():
        git(yard.tree, "init", "-q", "-b", "main", ".")
    git(yard.tree, "add", "-A")
    git(yard.tree, "commit", "-q", "--allow-empty", "-m", message)
    return git(yard.tree, "rev-parse", "HEAD")


def seen(yard: Any, **request: Any) -> dict[str, Any]:
    """The ``github`` context of a job."""
    yard.events.clear()
    yard.steps(SHOW, **request)
    document: dict[str, Any] = json.loads("\n".join(yard.lines))
    return document


def test_a_push_tells_of_its_commit(yard: Any) -> None:
    yard.write("one", "a b.txt")
    first = commit(yard, "feat: begin\n\nwith more")
    event = seen(yard, commit=first)["event"]
    assert event["head_commit"]["message"] == "feat: begin\n\nwith more"
    assert event["head_commit"]["added"] == ["a b.txt"]
    assert event["head_commit"]["author"]["name"] == git(yard.tree, "log", "-1", "--format=%an")
    assert event["commits"] == [event["head_commit"]] and event["pusher"]["email"]
    yard.write("two", "a b.txt")
    second = commit(yard, "fix: change")
    told = read_commit(yard.tree, second)
    assert told is not None and "a b.txt" in told["modified"] and told["removed"] == []
    after = seen(yard, commit=second)["event"]
    assert (after["before"], after["created"], event["created"]) == (first, False, True)
    own = seen(yard, commit=second, event_payload={"head_commit": {"message": "mine"}})["event"]
    assert own["head_commit"] == {"message": "mine"}
    assert read_commit(yard.tree, "f" * 40) is None


def test_a_pull_request_has_the_title_of_its_commit(yard: Any) -> None:
    yard.write(
        "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: 'echo \"${{ github.event.pull_request.title }}\"'}]}}"
    )
    head = commit(yard, "feat: this\n\nand that")
    run(yard.tree, RunRequest(event="pull_request", commit=head), yard.events.append)
    assert yard.lines == ["feat: this"]


def test_without_a_repository_the_event_has_what_the_request_says(yard: Any) -> None:
    event = seen(yard, commit="f" * 40)["event"]
    assert (event["head_commit"]["id"], event["head_commit"]["message"]) == ("f" * 40, "")


def test_runs_are_numbered_for_each_workflow_and_keep_their_number(yard: Any) -> None:
    yard.write(
        "on: push\njobs: {a: {runs-on: x, steps: [{run: 'echo $GITHUB_RUN_NUMBER.$GITHUB_RUN_ATTEMPT; exit 1'}]}}"
    )
    place, counters = rerun.place_of(yard.tree, RunRequest()), rerun.counters(yard.tree)
    asked = RunRequest(keep=place, counters=counters)
    for _ in range(2):
        run(yard.tree, asked, yard.events.append)
    again, before = rerun.recall(yard.tree, RunRequest())
    again = dataclasses.replace(again, keep=place, counters=counters)
    run(yard.tree, again, yard.events.append, before=before)
    third, _ = rerun.recall(yard.tree, RunRequest())
    assert (third.run_id, third.attempt) == (again.run_id, 3)
    yard.write(
        "on: push\njobs: {b: {runs-on: x, steps: [{run: 'echo b$GITHUB_RUN_NUMBER'}]}}", ".github/workflows/b.yml"
    )
    run(yard.tree, asked, yard.events.append)
    assert sorted(line for line in yard.lines if line[0] != "#") == ["1.1", "2.1", "2.2", "3.1", "b1"]


@pytest.mark.parametrize("text", ["{", "[]", '{"last": {"a": "x"}, "runs": {}}', '{"last": 1, "runs": 2}'])
def test_numbers_that_cannot_be_read_begin_again(tmp_path: Path, text: str) -> None:
    file = tmp_path / "in" / "numbers.json"
    assert numbers.take(file, "r1", ["a", "b"]) == {"a": 1, "b": 1}
    assert numbers.take(file, "r2", ["a"]) == {"a": 2}
    assert numbers.take(file, "r1", ["a"]) == {"a": 1}
    file.write_text(text)
    assert numbers.take(file, "r3", ["a"]) == {"a": 1}
    assert numbers.take(Path("/proc/none/x"), "r", ["a"]) == {}
