"""JavaScript actions: their scripts before, in and after the steps, what they are given and what they leave."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from ecluse.model import Job, Result

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not on this machine")

SCRIPT = """
const fs = require('fs');
const say = (stage) => console.log(`${stage} of ${process.env.INPUT_NAME} saw ${process.env.STATE_seen || 'nothing'}`);
module.exports = (stage) => {
  say(stage);
  fs.appendFileSync(process.env.GITHUB_STATE, `seen=${stage}\\n`);
  if (process.env['INPUT_FAIL-IN'] === stage) process.exit(3);
};
"""
ACTION = """
name: traced
inputs:
  name: {default: nobody}
  fail-in: {default: ''}
  two words: {default: 'a b'}
outputs: {said: {description: what was said}}
runs: {using: USING, main: main.js, post: post.js, pre: pre.js}
"""
FILES = {
    "action.yml": ACTION.replace("USING", "node16"),
    "lib.js": SCRIPT,
    "pre.js": "require('./lib.js')('pre')\n",
    "post.js": "require('./lib.js')('post')\n",
    "main.js": (
        "require('./lib.js')('main');\n"
        "const e = process.env;\n"
        "console.log(`::set-output name=said::${e.INPUT_TWO_WORDS}`);\n"
        "console.log(`${e.GITHUB_ACTION_REPOSITORY} ${e.GITHUB_ACTION_REF} ${process.cwd() === e.GITHUB_WORKSPACE}`);\n"
    ),
}


def names(job: Job) -> list[tuple[str, str]]:
    return [(step.name, step.outcome.value) for step in job.steps]


def said(play: Any, word: str = " saw ") -> list[str]:
    return [line for line in play.lines if word in line]


def put_local(play: Any, folder: str = "act") -> None:
    for name, text in FILES.items():
        play.write(f"{folder}/{name}", text)


def test_a_local_action_with_state_inputs_outputs_and_post_in_reverse_order(play: Any) -> None:
    put_local(play)
    job = play.job("""
        - uses: actions/checkout@v4
        - {id: one, uses: ./act, with: {Name: one}}
        - {name: second, uses: ./act, with: {name: two}, env: {EXTRA: x}}
        - run: test "${{ steps.one.outputs.said }}" = "a b"
    """)
    assert job.result is Result.SUCCESS
    assert names(job)[-2:] == [("Post second", "success"), ("Post Run ./act", "success")]
    assert said(play) == [
        "main of one saw nothing", "main of two saw nothing", "post of two saw main", "post of one saw main",
    ]  # fmt: skip
    assert len([line for line in play.lines if "actions ask for node16" in line]) == 1
    assert [step.number for step in job.steps] == [1, 2, 3, 4, 5, 6]


def test_post_runs_after_a_failure_and_its_own_failure_fails_the_job(play: Any) -> None:
    put_local(play)
    job = play.job("""
        - uses: actions/checkout@v4
        - {uses: ./act, with: {name: one, fail-in: main}}
        - run: echo never
    """)
    assert [outcome for _, outcome in names(job)] == ["success", "failure", "skipped", "success"]
    assert (job.steps[1].exit_code, job.result) == (3, Result.FAILURE)
    job = play.job("""
        - uses: actions/checkout@v4
        - {uses: ./act, with: {name: one, fail-in: post}}
        - {uses: ./act, with: {name: two}}
    """)
    assert said(play)[-2:] == ["post of two saw main", "post of one saw main"]
    assert (job.steps[-1].outcome, job.result) == (Result.FAILURE, Result.FAILURE)
    tolerated = play.job("""
        - uses: actions/checkout@v4
        - {uses: ./act, continue-on-error: true, with: {fail-in: post}}
    """)
    assert tolerated.result is Result.SUCCESS and tolerated.steps[-1].outcome is Result.FAILURE


def test_conditions_of_post_see_how_the_job_went(play: Any) -> None:
    put_local(play)
    for word in ("success()", "failure()"):
        text = FILES["action.yml"].replace("post: post.js", f"post: post.js, post-if: {word}")
        play.write("act/action.yml", text)
        good = play.job("- uses: actions/checkout@v4\n- uses: ./act\n")
        assert names(good)[-1] == ("Post Run ./act", "success" if word == "success()" else "skipped")
        bad = play.job("- uses: actions/checkout@v4\n- uses: ./act\n- run: exit 1\n")
        assert names(bad)[-1] == ("Post Run ./act", "skipped" if word == "success()" else "success")


def test_a_remote_action_has_a_pre_script_also_inside_a_composite_one(play: Any, forge: Any) -> None:
    forge.put("them/traced", FILES, tag="v1")
    forge.put(
        "them/outer",
        {
            "sub/action.yml": """
            inputs: {who: {required: true}}
            runs:
              using: composite
              steps:
                - {uses: them/traced@v1, with: {name: 'inner ${{ inputs.who }}'}}
                - {run: 'test "${{ github.action_repository }}@${{ github.action_ref }}" = them/outer@main', shell: bash}
            """
        },
    )
    job = play.job("""
        - run: echo first
        - {uses: them/traced@v1, with: {name: direct}}
        - {uses: them/outer/sub@main, with: {who: x}}
        - {uses: them/traced@v1, if: false, with: {name: unused}}
    """)
    assert job.result is Result.SUCCESS, job
    assert said(play) == [
        "pre of direct saw nothing", "pre of inner x saw nothing", "pre of unused saw nothing",
        "main of direct saw pre", "main of inner x saw pre",
        "post of unused saw pre", "post of inner x saw main", "post of direct saw main",
    ]  # fmt: skip
    assert "them/traced v1 true" in play.lines
    assert [step.number for step in job.steps if step.name.startswith("Pre ")] == [0, 0, 0]


def test_a_failing_pre_script_skips_the_steps_and_cleans_up(play: Any, forge: Any) -> None:
    forge.put("them/traced", FILES, tag="v1")
    job = play.job("- run: echo first\n- {uses: them/traced@v1, with: {fail-in: pre}}\n")
    assert [outcome for _, outcome in names(job)] == ["failure", "skipped", "skipped", "success"]
    assert "pre script" in job.steps[0].reason and "first" not in play.lines
    inner = "runs: {using: composite, steps: [{uses: them/traced@v1, with: {fail-in: pre}}]}"
    forge.put("them/outer", {"action.yml": inner})
    job = play.job("- uses: them/outer@main\n- run: echo first\n")
    assert [outcome for _, outcome in names(job)] == ["failure", "skipped", "skipped", "success"]
    assert "first" not in play.lines


def test_an_action_that_uses_itself_is_refused(play: Any, forge: Any) -> None:
    forge.put("them/loop", {"action.yml": "runs: {using: composite, steps: [{uses: them/loop@main}]}"})
    job = play.job("- uses: them/loop@main\n")
    assert job.result is Result.FAILURE and any("more than 10 levels deep" in line for line in play.lines)


def test_an_action_of_the_own_repository_needs_no_checkout(play: Any) -> None:
    put_local(play, "tools/act")
    job = play.job('- {uses: $/tools/act, with: {name: own}}\n- run: test -z "$(ls -A)"\n')
    assert job.result is Result.SUCCESS
    assert said(play) == ["pre of own saw nothing", "main of own saw pre", "post of own saw main"]


def test_what_is_wrong_with_an_action_is_said(play: Any) -> None:
    put_local(play)
    play.write("act/action.yml", "runs: {using: node20, main: gone.js}\n")
    assert "File not found: 'gone.js'" in play.job("- uses: actions/checkout@v4\n- uses: ./act\n").steps[1].reason
    play.write("act/action.yml", "runs: {using: docker, image: Dockerfile}\n")
    assert "runs in a container" in play.job("- uses: actions/checkout@v4\n- uses: ./act\n").steps[1].reason
    play.write("act/action.yml", "runs: {using: perl, main: x.pl}\n")
    assert "'perl', which is not known" in play.job("- uses: actions/checkout@v4\n- uses: ./act\n").steps[1].reason
    play.write("act/action.yml", "runs: {using: node20}\n")
    assert "names no script" in play.job("- uses: actions/checkout@v4\n- uses: ./act\n").steps[1].reason
    play.job("- uses: actions/checkout@v4\n- {uses: $/../outside}\n")
    assert any("leads out of its repository" in line for line in play.lines)


def test_a_time_limit_holds_for_a_script(play: Any) -> None:
    play.write("act/action.yml", "runs: {using: node20, main: main.js}\n")
    play.write("act/main.js", "setTimeout(() => {}, 60000)\n")
    job = play.job("- uses: actions/checkout@v4\n- {uses: ./act, timeout-minutes: 0.01}\n")
    assert job.steps[1].outcome is Result.FAILURE and "did not end within" in job.steps[1].reason
