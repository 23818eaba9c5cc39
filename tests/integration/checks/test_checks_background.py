"""Background and parallel steps: what they see, when others see them, and how they end."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ecluse.checks import RunRequest, run
from ecluse.model import Job, Result

Play = Callable[..., Job]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def go(steps: str, head: str = "") -> Job:
        path = tmp_path / "tree" / ".github" / "workflows" / "ci.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        body = textwrap.indent(textwrap.dedent(steps), "      ")
        path.write_text(f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n{head}    steps:\n{body}")
        return run(tmp_path / "tree", RunRequest()).jobs[0]

    return go


def meeting(me: str, other: str) -> str:
    return (
        f"touch $RUNNER_TEMP/{me}; for _ in $(seq 400); do "
        f"test -e $RUNNER_TEMP/{other} && exit 0; sleep 0.05; done; exit 1"
    )


def test_parallel_steps_run_at_the_same_time_and_their_results_are_there_afterwards(play: Play) -> None:
    job = play(f"""
        - parallel:
            - {{id: one, run: 'echo v=1 >> $GITHUB_OUTPUT; {meeting("one", "two")}'}}
            - {{id: two, run: 'echo W=2 >> $GITHUB_ENV; {meeting("two", "one")}'}}
        - run: test "${{{{ steps.one.outputs.v }}}}$W" = 12
    """)
    assert job.result is Result.SUCCESS
    assert [step.number for step in job.steps] == [1, 2, 3, 4]


def test_a_background_step_is_seen_only_after_it_was_waited_for(play: Play) -> None:
    job = play(f"""
        - id: bg
          background: true
          run: |
            echo v=42 >> $GITHUB_OUTPUT
            echo "$RUNNER_TEMP" >> $GITHUB_PATH
            echo SEEN=yes >> $GITHUB_ENV
            {meeting("bg", "front")}
        - run: test "${{{{ steps.bg.outputs.v }}}}$SEEN" = ""; touch $RUNNER_TEMP/front
        - wait: [bg]
        - run: test "${{{{ steps.bg.outputs.v }}}}$SEEN" = 42yes
        - run: echo ":$PATH:" | grep -qF ":$RUNNER_TEMP:"
    """)
    assert job.result is Result.SUCCESS


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        ("- {id: x, background: true, run: exit 3}\n- wait: x\n", Result.FAILURE),
        ("- {id: x, background: true, run: exit 3}\n- {wait: x, continue-on-error: true}\n", Result.FAILURE),
        ("- {id: x, background: true, continue-on-error: true, run: exit 3}\n- wait: x\n", Result.SUCCESS),
        ("- {id: x, background: true, run: exit 3}\n- run: 'true'\n", Result.FAILURE),
        ("- {id: x, background: true, run: exit 3}\n- wait-all:\n", Result.FAILURE),
        ("- {id: x, background: true, if: false, run: exit 3}\n- wait: x\n", Result.SUCCESS),
        ("- {id: x, run: 'true'}\n- wait: x\n", Result.FAILURE),
        ("- {id: x, background: true, timeout-minutes: 0.005, run: sleep 60}\n- wait: x\n", Result.FAILURE),
        ("- parallel: [{run: exit 3}, {run: 'true'}]\n", Result.FAILURE),
    ],
)
def test_what_becomes_of_the_job(play: Play, steps: str, result: Result) -> None:
    assert play(steps).result is result


def test_a_cancelled_background_step_ends_and_does_not_fail_the_job(play: Play) -> None:
    job = play("""
        - {id: server, background: true, run: 'touch $RUNNER_TEMP/up; sleep 600'}
        - run: until test -e $RUNNER_TEMP/up; do sleep 0.05; done
        - cancel: server
        - run: test "${{ steps.server.outcome }}" = cancelled
    """)
    assert job.result is Result.SUCCESS
    assert [step.outcome.value for step in job.steps] == ["cancelled", "success", "success", "success"]


def test_a_failure_that_whoever_waited_let_pass_fails_the_job_in_the_end(play: Play) -> None:
    job = play("""
        - {id: x, background: true, run: exit 3}
        - {wait: x, continue-on-error: true}
        - run: test "${{ steps.x.conclusion }}/${{ job.status }}" = failure/success
    """)
    assert [step.conclusion.value for step in job.steps] == ["failure", "success", "success"]
    assert job.result is Result.FAILURE


def test_a_background_step_that_failed_before_it_was_cancelled_fails_the_job(play: Play) -> None:
    job = play("""
        - {id: x, background: true, run: 'touch $RUNNER_TEMP/x; exit 3'}
        - run: until test -e $RUNNER_TEMP/x; do sleep 0.05; done; sleep 0.3
        - cancel: x
        - run: 'true'
    """)
    assert [step.conclusion.value for step in job.steps] == ["failure", "success", "success", "success"]
    assert job.result is Result.FAILURE


def test_a_server_is_cancelled_although_a_step_before_failed(play: Play) -> None:
    job = play("""
        - {id: server, background: true, run: sleep 600}
        - run: exit 1
        - cancel: server
    """)
    assert job.result is Result.FAILURE


def test_a_job_out_of_time_ends_its_background_steps(play: Play) -> None:
    job = play("- {background: true, run: sleep 600}\n- wait-all:\n", head="    timeout-minutes: 0.01\n")
    assert job.result is Result.CANCELLED


def test_more_background_steps_than_run_at_once_take_turns(play: Play) -> None:
    job = play("- {background: true, run: 'true'}\n" * 13 + "- wait-all: true\n")
    assert job.result is Result.SUCCESS and len(job.steps) == 14
