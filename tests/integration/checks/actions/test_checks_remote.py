"""Actions and workflows of other repositories: fetched once, pinned, used offline; and what is said when they are not."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ecluse.checks.remote import LOCK_FILE, Remote, read_lock, write_lock
from ecluse.errors import Invalid
from ecluse.model import Result

SAYS = """
    outputs: {word: {value: "${{ steps.s.outputs.word }}"}}
    runs:
      using: composite
      steps: [{id: s, shell: bash, run: 'echo "word=WORD" >> "$GITHUB_OUTPUT"'}]
"""


def says(word: str) -> dict[str, str]:
    return {"action.yml": SAYS.replace("WORD", word), "deep/er/action.yml": SAYS.replace("WORD", f"deep {word}")}


def uses(name: str, word: str) -> str:
    return f'- {{id: x, uses: "{name}"}}\n- run: test "${{{{ steps.x.outputs.word }}}}" = "{word}"\n'


def test_the_first_use_pins_a_tag_and_moving_it_changes_nothing_until_asked(play: Any, forge: Any) -> None:
    first = forge.put("them/says", says("one"), tag="v1")
    assert play.job(uses("them/says@v1", "one"), lock_actions=True).result is Result.SUCCESS
    lock = play.tree / LOCK_FILE
    assert read_lock(lock) == {"them/says@v1": first}
    second = forge.put("them/says", says("two"), tag="v1")
    assert play.job(uses("them/says@v1", "one"), lock_actions=True).result is Result.SUCCESS
    assert play.job(uses("them/says@v1", "two"), lock_actions=True, update_actions=True).result is Result.SUCCESS
    assert read_lock(lock) == {"them/says@v1": second}
    assert any(f"moved from {first[:12]} to {second[:12]}" in note.message for note in play.report.annotations)


def test_without_a_lock_file_nothing_is_written_and_refs_are_followed(play: Any, forge: Any) -> None:
    forge.put("them/says", says("one"), branch="release/x")
    assert play.job(uses("them/says/deep/er@release/x", "deep one")).result is Result.SUCCESS
    forge.put("them/says", says("two"), branch="release/x")
    assert play.job(uses("them/says/deep/er@release/x", "deep two")).result is Result.SUCCESS
    assert not (play.tree / LOCK_FILE).exists()


def test_a_commit_is_used_as_it_is_and_everything_works_offline_afterwards(play: Any, forge: Any) -> None:
    commit = forge.put("them/says", says("one"), tag="v1")
    forge.put("them/says", says("two"), tag="v2")
    play.job(uses(f"them/says@{commit}", "one"))
    play.job(uses("them/says@v2", "two"), lock_actions=True)
    forge.close()
    for name, word in ((f"them/says@{commit}", "one"), ("them/says@v2", "two")):
        assert play.job(uses(name, word)).result is Result.SUCCESS
    (play.tree / LOCK_FILE).unlink()
    assert play.job(uses("them/says@v2", "two")).result is Result.SUCCESS
    assert any("the commit last seen is used" in note.message for note in play.report.annotations)
    missing = play.job(uses("them/other@v1", ""))
    assert "them/other@v1 is not on this machine and could not be fetched" in missing.steps[0].reason
    assert "--local-action them/other@v1=DIR" in missing.steps[0].reason


def test_a_pinned_commit_that_is_gone_is_refused(play: Any, forge: Any) -> None:
    forge.put("them/says", says("one"), tag="v1")
    write_lock(play.tree / LOCK_FILE, {"them/says@v1": "1" * 40})
    reason = play.job(uses("them/says@v1", "one")).steps[0].reason
    assert "could not be fetched" in reason or "what was pinned is gone" in reason
    (play.tree / LOCK_FILE).write_text("them/says@v1 short\n")
    with pytest.raises(Invalid, match="line 1: expected OWNER/REPO@REF COMMIT"):
        play.job(uses("them/says@v1", "one"))


def test_refs_that_are_not_there_and_names_that_cannot_be(play: Any, forge: Any) -> None:
    commit = forge.put("them/says", says("one"), tag="v1")
    assert "unable to find version `v9`" in play.job(uses("them/says@v9", "")).steps[0].reason
    assert "is the shortened version of a commit SHA" in play.job(uses(f"them/says@{commit[:8]}", "")).steps[0].reason
    assert "no action.yml in them/says/no@v1" in play.job(uses("them/says/no@v1", "")).steps[0].reason
    assert "leads out" in play.job(uses("them/says/../../x@v1", "")).steps[0].reason
    for name in ("../says", "them/..", "them/sa ys", "-x"):
        with pytest.raises(Invalid, match="names no repository"):
            Remote(play.tree, forge.url).commit(name, "v1")
    with pytest.raises(Invalid, match="names no repository"):
        Remote(play.tree, forge.url).commit("them/says", "--upload-pack=x")


def test_a_skipped_step_needs_no_action(play: Any) -> None:
    job = play.job("- {if: false, uses: nobody/nothing@v1}\n- run: 'true'\n")
    assert job.result is Result.SUCCESS


def test_a_folder_stands_for_a_repository_and_its_parts(play: Any, tmp_path: Path) -> None:
    for name, text in says("mine").items():
        play.write(f"../stand-in/{name}", text)
    given = {"local_actions": {"them/says@v1": str(tmp_path / "stand-in")}}
    steps = uses("them/says@v1", "mine") + uses("them/says/deep/er@v1", "deep mine").replace("id: x", "id: y").replace(
        "steps.x", "steps.y"
    )
    assert play.job(steps, **given).result is Result.SUCCESS
    built_in = {"local_actions": {"actions/checkout@v4": str(tmp_path / "stand-in")}}
    assert play.job(uses("actions/checkout@v4", "mine"), **built_in).result is Result.SUCCESS


class GitOverHttp(BaseHTTPRequestHandler):
    """Hands requests to git's own HTTP program."""

    root: ClassVar[str] = ""

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("content-type", ""), "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
        }  # fmt: skip
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        out = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=True).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


def test_over_http_and_without_a_server_afterwards(play: Any, forge: Any) -> None:
    forge.put("them/says", says("one"), tag="v1")
    GitOverHttp.root = str(forge.folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitOverHttp)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        steps = uses("them/says@v1", "one")
        assert play.job(steps, actions_url=url, lock_actions=True).result is Result.SUCCESS, play.lines
        whole = uses(f"{url}/them/says@v1", "one") + "- uses: https://forge.example/actions/checkout@v4\n"
        assert play.job(whole, actions_url="http://127.0.0.1:1", lock_actions=True).result is Result.SUCCESS, play.lines
        assert f"{url}/them/says@v1 " in (play.tree / ".github" / "ecluse-actions.lock").read_text()
        missing = play.job("- uses: them/nothing@v1\n", actions_url=url).steps[0].reason
        assert "could not be fetched" in missing and "not found" in missing
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert play.job(steps, actions_url=url).result is Result.SUCCESS
    gone = play.job("- uses: them/a@v1\n- {if: always(), uses: them/b@v1}\n", actions_url=url)
    assert all("could not be fetched" in step.reason for step in gone.steps)


CALLED = """
    on:
      workflow_call:
        inputs: {who: {type: string, required: true}}
        outputs: {greeting: {value: "${{ jobs.b.outputs.g }}"}}
    jobs:
      b:
        runs-on: ubuntu-latest
        outputs: {g: "${{ steps.x.outputs.word }} ${{ inputs.who }}"}
        steps:
          - {id: x, uses: $/deep/er}
"""
CALLER = """
    on: push
    jobs:
      call:
        uses: them/says/.github/workflows/hello.yml@v1
        with: {who: you}
      after:
        needs: call
        runs-on: ubuntu-latest
        steps: [{run: 'test "${{ needs.call.outputs.greeting }}" = "deep one you"'}]
"""


def test_a_reusable_workflow_of_another_repository(play: Any, forge: Any) -> None:
    forge.put("them/says", {**says("one"), ".github/workflows/hello.yml": CALLED}, tag="v1")
    report = play.run(CALLER, lock_actions=True)
    assert report.result is Result.SUCCESS, report
    assert "them/says@v1" in read_lock(play.tree / LOCK_FILE)
    forge.close()
    assert play.run(CALLER).result is Result.SUCCESS


def test_a_reusable_workflow_out_of_reach_is_said_and_planning_never_asks(play: Any, forge: Any) -> None:
    report = play.run(CALLER)
    assert report.result is Result.FAILURE
    assert any("them/says@v1 is not on this machine" in note.message for note in report.annotations)
    forge.put("them/says", {**says("one"), ".github/workflows/hello.yml": CALLED}, tag="v1")
    planned = play.run(CALLER, dry_run=True)
    assert "not fetched" in planned.jobs[0].reason
    with pytest.raises(Invalid, match="There is no workflow"):
        play.run(CALLER.replace("hello.yml", "gone.yml"))
