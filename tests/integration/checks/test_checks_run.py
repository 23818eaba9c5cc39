"""Workflows run as they would on GitHub: real shells, real processes, real git, in folders of their own."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks.report import from_json, to_bytes
from ecluse.model import Job, Report, Result


def job(report: Report, name: str) -> Job:
    return next(one for one in report.jobs if one.id == name)


def outcomes(report: Report, name: str = "a") -> list[str]:
    return [step.outcome.value for step in job(report, name).steps]


def test_green(yard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    report = yard.report_of('- run: echo hello\n- run: test -z "$(ls -A)"')
    assert report.result is Result.SUCCESS
    assert yard.lines == ["hello"]
    assert [event["event"] for event in yard.events] == [
        "run.started", "job.started", "step.started", "line", "step.finished", "step.started", "step.finished",
        "job.finished", "run.finished",
    ]  # fmt: skip
    assert "hello" in (yard.logs / "a.log").read_text("utf-8")
    assert not list(tmp_path.glob("ecluse-run-*"))
    assert from_json(json.loads(to_bytes(report))) == report


def test_red_with_the_last_lines(yard: Any) -> None:
    report = yard.report_of("- run: seq 1 100; exit 7\n- run: echo never")
    failed, skipped = job(report, "a").steps
    assert report.result is Result.FAILURE
    assert (failed.outcome, failed.exit_code) == (Result.FAILURE, 7)
    assert failed.tail[-2:] == ("100", "##[error]Process completed with exit code 7.")
    assert len(failed.tail) == 40
    assert skipped.outcome is Result.SKIPPED and "never" not in yard.lines


CASES: dict[str, tuple[str, Result]] = {
    "needs, outputs and results": (
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            outputs: {v: "${{ steps.s.outputs.v }}"}
            steps: [{id: s, run: 'echo "v=4 2" >> "$GITHUB_OUTPUT"'}]
          b:
            needs: a
            runs-on: ubuntu-latest
            steps: [{run: 'test "${{ needs.a.outputs.v }}/${{ needs.a.result }}" = "4 2/success"'}]
        """,
        Result.SUCCESS,
    ),
    "matrix with include, and a matrix from an output": (
        """
        on: push
        jobs:
          m:
            runs-on: ubuntu-latest
            strategy: {matrix: {v: [1, 2], include: [{v: 2, w: x}]}}
            outputs: {list: '["p", "q"]'}
            steps: [{run: 'test "${{ matrix.v }}${{ matrix.w }}" = 1 || test "${{ matrix.v }}${{ matrix.w }}" = 2x'}]
          n:
            needs: m
            runs-on: ubuntu-latest
            strategy: {matrix: {k: "${{ fromJSON(needs.m.outputs.list) }}"}}
            steps: [{run: 'case ${{ matrix.k }}-${{ strategy.job-total }} in p-2|q-2) ;; *) exit 1;; esac'}]
        """,
        Result.SUCCESS,
    ),
    "a failed need skips its dependents, unless they say otherwise": (
        """
        on: push
        jobs:
          a: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}
          b: {needs: a, runs-on: ubuntu-latest, steps: [{run: 'true'}]}
          c: {needs: a, if: always(), runs-on: ubuntu-latest, steps: [{run: 'test ${{ needs.a.result }} = failure'}]}
          d: {needs: c, runs-on: ubuntu-latest, steps: [{run: 'true'}]}
          e: {needs: b, if: failure(), runs-on: ubuntu-latest, steps: [{run: 'true'}]}
        """,
        Result.FAILURE,
    ),
    "continue-on-error of a job lets the run pass": (
        """
        on: push
        jobs:
          a: {runs-on: ubuntu-latest, continue-on-error: true, steps: [{run: exit 1}]}
          b: {needs: a, runs-on: ubuntu-latest, steps: [{run: 'test ${{ needs.a.result }} = success'}]}
        """,
        Result.SUCCESS,
    ),
    "environment at every level, later and nearer wins": (
        """
        on: push
        env: {A: workflow, B: workflow, C: workflow, N: 1.50}
        jobs:
          a:
            runs-on: ubuntu-latest
            env: {B: job, C: job}
            steps:
              - env: {C: step}
                run: test "$A $B $C $N" = "workflow job step 1.5" && test "${{ env.C }}" = step
              - run: |
                  echo "B=file" >> "$GITHUB_ENV"
                  { echo "M<<END"; echo one; echo two; echo END; } >> "$GITHUB_ENV"
                  mkdir -p bin && printf '#!/bin/sh\\necho own' > bin/thing && chmod +x bin/thing
                  echo "$PWD/bin" >> "$GITHUB_PATH"
              - run: test "$B" = file && test "$(echo "$M" | wc -l)" = 2 && test "$(thing)" = own
              - if: env.B == 'file' && github.event_name == 'push' && runner.os == 'Linux'
                run: test -n "$GITHUB_SHA" && test "$CI" = true && test -d "$RUNNER_TEMP"
        """,
        Result.SUCCESS,
    ),
    "defaults, shells and folders": (
        """
        on: push
        defaults: {run: {working-directory: sub}}
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - {run: mkdir sub, working-directory: .}
              - run: test "$(basename "$PWD")" = sub && [[ 1 == 1 ]]
              - {shell: bash, run: 'set -o | grep -q "pipefail.*on"'}
              - {shell: sh, run: 'test "$(basename "$PWD")" = sub'}
              - {shell: python, run: 'import os; assert os.path.basename(os.getcwd()) == "sub"'}
              - {shell: 'cat {0}', run: text}
        """,
        Result.SUCCESS,
    ),
    "a background process serves later steps and is gone afterwards": (
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - run: sleep 300 & echo "PID=$!" >> "$GITHUB_ENV"
              - run: kill -0 "$PID"
        """,
        Result.SUCCESS,
    ),
    "a workflow without a job that can run here fails and says so": (
        """
        on: push
        jobs:
          a: {runs-on: ubuntu-latest, services: {db: {image: postgres}}, steps: [{run: 'true'}]}
        """,
        Result.FAILURE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_workflow(yard: Any, name: str) -> None:
    text, wanted = CASES[name]
    report = yard.run(text)
    assert report.result is wanted, "\n".join(yard.lines)


def test_results_of_jobs_after_a_failure(yard: Any) -> None:
    report = yard.run(CASES["a failed need skips its dependents, unless they say otherwise"][0])
    got = {one.id: one.result.value for one in report.jobs}
    assert got == {"a": "failure", "b": "skipped", "c": "success", "d": "skipped", "e": "success"}
    assert "a" in job(report, "b").reason


def test_conditions_of_steps(yard: Any) -> None:
    report = yard.report_of(
        """
        - {id: bad, run: exit 3, continue-on-error: true}
        - run: test "${{ steps.bad.outcome }} ${{ steps.bad.conclusion }}" = "failure success"
        - {if: "steps.bad.outcome == 'success'", run: exit 1}
        - run: exit 1
        - run: echo no
        - {if: failure(), run: echo after}
        - {if: always(), run: 'test ${{ job.status }} = failure'}
        - {if: "${{ success() }}", run: echo no}
        """
    )
    assert outcomes(report) == [
        "failure", "success", "skipped", "failure", "skipped", "success", "success", "skipped",
    ]  # fmt: skip
    assert report.result is Result.FAILURE


def test_secrets_are_masked_everywhere(yard: Any) -> None:
    token = secrets.token_hex(12)
    many = f"{secrets.token_hex(8)}\n{secrets.token_hex(8)}"
    late = secrets.token_hex(10)
    report = yard.report_of(
        """
        - name: use ${{ secrets.TOKEN }}
          run: |
            echo "plain $T"; echo "$T" | base64; echo "$M" | tail -1
            echo "::error file=x.py,line=3::$T"
            echo "::add-mask::$LATE"; echo "late $LATE"
            echo "sum $T" >> "$GITHUB_STEP_SUMMARY"
            exit 1
          env: {T: "${{ secrets.TOKEN }}", M: "${{ secrets.MANY }}", LATE: "LATE-VALUE"}
        """.replace("LATE-VALUE", late),
        secrets={"TOKEN": token, "MANY": many},
    )
    everything = json.dumps(yard.events) + to_bytes(report).decode()
    everything += "".join(path.read_text("utf-8") for path in yard.logs.rglob("*") if path.is_file())
    for hidden in (token, *many.splitlines(), late):
        assert hidden not in everything
    assert "plain ***" in yard.lines and "late ***" in yard.lines and "sum ***" in everything
    assert report.annotations[0].message == "***" and report.annotations[0].line == 3


def test_an_output_with_a_secret_is_not_handed_on(yard: Any) -> None:
    report = yard.run(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            outputs: {o: "${{ steps.s.outputs.o }}"}
            steps: [{id: s, env: {T: "${{ secrets.T }}"}, run: 'echo "o=$T" >> "$GITHUB_OUTPUT"'}]
          b: {needs: a, runs-on: ubuntu-latest, steps: [{run: 'test -z "${{ needs.a.outputs.o }}"'}]}
        """,
        secrets={"T": secrets.token_hex(8)},
    )
    assert report.result is Result.SUCCESS
    assert any("holds a secret" in note.message for note in report.annotations)


def test_expressions_see_the_pull_request(yard: Any) -> None:
    report = yard.run(
        """
        on: pull_request
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - run: test "${{ github.head_ref }} ${{ github.base_ref }}" = "topic main"
              - run: test "${{ github.event.pull_request.number }}" = 7 && test "$GITHUB_REF" = refs/pull/7/merge
        """,
        event="pull_request",
        ref="refs/heads/topic",
        base_branch="main",
        event_payload={"pull_request": {"number": 7, "head": {"ref": "topic"}, "base": {"ref": "main"}}},
    )
    assert report.result is Result.SUCCESS, "\n".join(yard.lines)


# -- the detached entry and the door ------------------------------------------------------------------------------
