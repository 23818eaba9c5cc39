"""Reusable workflows: what is handed in and out, how they nest, and what is refused before anything runs."""

from __future__ import annotations

import secrets
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, plan, run
from ecluse.checks.problems import WorkflowProblem
from ecluse.model import Report, Result

CALLED = """
on:
  workflow_call:
    inputs:
      word: {type: string, required: true}
      flag: {type: boolean, default: true}
      count: {type: number, default: 2}
    secrets:
      key: {required: true}
    outputs:
      said: {value: "${{ jobs.inner.outputs.said }}"}
env: {OWN: called}
jobs:
  inner:
    runs-on: ubuntu-latest
    outputs: {said: "${{ steps.s.outputs.said }}"}
    steps:
      - id: s
        run: |
          test "${{ toJSON(inputs.flag) }},${{ inputs.count == 2 }},$OWN,$OUTER" = "true,true,called,"
          test "${{ github.event_name }}" = push
          test -n "${{ secrets.key }}"
          echo "said=${{ inputs.word }}" >> "$GITHUB_OUTPUT"
"""


class Shelf:
    """A folder of workflows; ``ci.yml`` is the one that runs."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"

    def put(self, name: str, text: str) -> None:
        path = self.tree / ".github" / "workflows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, jobs: str, head: str = "on: push", **request: Any) -> Report:
        self.put("ci.yml", f"{head}\njobs:\n{textwrap.indent(textwrap.dedent(jobs), '  ')}")
        return run(self.tree, RunRequest(workflows=(".github/workflows/ci.yml",), **request))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path)
    made.put("called.yml", CALLED)
    return made


def results(report: Report) -> list[tuple[str, str]]:
    return sorted((job.name, job.result.value) for job in report.jobs)


@pytest.mark.parametrize("how", ["inherit", "{key: '${{ secrets.key }}'}"])
def test_inputs_and_secrets_go_in_and_outputs_come_out(shelf: Shelf, how: str) -> None:
    report = shelf.run(
        f"""
        call:
          uses: ./.github/workflows/called.yml
          with: {{word: hello}}
          secrets: {how}
        after:
          needs: call
          runs-on: ubuntu-latest
          steps:
            - run: test "${{{{ needs.call.outputs.said }}}},${{{{ needs.call.result }}}}" = "hello,success"
        """,
        head="on: push\nenv: {OUTER: visible}",
        secrets={"key": secrets.token_hex(8)},
    )
    assert results(report) == [("after", "success"), ("call / inner", "success")]


def test_secrets_that_are_not_handed_on_are_not_there(shelf: Shelf) -> None:
    shelf.put(
        "bare.yml",
        """
        on: workflow_call
        jobs:
          inner:
            runs-on: ubuntu-latest
            steps: [{run: 'test -z "${{ secrets.key }}"'}]
        """,
    )
    report = shelf.run("call: {uses: ./.github/workflows/bare.yml}", secrets={"key": secrets.token_hex(8)})
    assert results(report) == [("call / inner", "success")]


def test_calls_nest_unfold_a_matrix_and_fail_as_one(shelf: Shelf) -> None:
    shelf.put(
        "middle.yml",
        """
        on: {workflow_call: {inputs: {n: {type: number}}}}
        jobs:
          deep: {uses: ./.github/workflows/deep.yml, with: {n: "${{ inputs.n }}"}}
        """,
    )
    shelf.put(
        "deep.yml",
        """
        on: {workflow_call: {inputs: {n: {type: number}}}}
        jobs:
          one:
            runs-on: ubuntu-latest
            steps: [{run: "exit ${{ inputs.n }}"}]
          two: {needs: one, runs-on: ubuntu-latest, steps: [{run: "true"}]}
        """,
    )
    report = shelf.run(
        """
        call:
          strategy: {fail-fast: false, matrix: {n: [0, 3]}}
          uses: ./.github/workflows/middle.yml
          with: {n: "${{ matrix.n }}"}
        not: {needs: call, runs-on: ubuntu-latest, steps: [{run: "true"}]}
        told:
          needs: call
          if: failure() && needs.call.result == 'failure'
          runs-on: ubuntu-latest
          steps: [{run: "true"}]
        """
    )
    assert report.result is Result.FAILURE
    assert results(report) == [
        ("call (0) / deep / one", "success"),
        ("call (0) / deep / two", "success"),
        ("call (3) / deep / one", "failure"),
        ("call (3) / deep / two", "skipped"),
        ("not", "skipped"),
        ("told", "success"),
    ]


def test_a_call_whose_condition_is_false_is_skipped_whole(shelf: Shelf) -> None:
    report = shelf.run(
        "call: {if: false, uses: ./.github/workflows/called.yml, with: {word: x}, secrets: inherit}",
    )
    assert results(report) == [("call", "skipped")]


def test_a_dry_run_lists_the_jobs_of_called_workflows(shelf: Shelf) -> None:
    shelf.put(
        "ci.yml",
        "on: push\njobs:\n  call: {uses: ./.github/workflows/called.yml, with: {word: x}, secrets: inherit}\n",
    )
    assert [job.name for job in plan(shelf.tree, RunRequest()).jobs] == ["call / inner"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("uses: ./.github/workflows/called.yml\nsecrets: inherit", "Input word is required"),
        ("uses: ./.github/workflows/called.yml\nwith: {word: a}", "Secret key is required"),
        ("uses: ./.github/workflows/called.yml\nwith: {word: a, wort: b}\nsecrets: inherit", "wort is not defined"),
        ("uses: ./.github/workflows/called.yml\nwith: {word: a, flag: 7}\nsecrets: inherit", "Unexpected value '7'"),
        ("uses: ./.github/workflows/none.yml", "There is no workflow"),
        ("uses: ./.github/workflows/../../../outside.yml", "There is no workflow"),
        ("uses: ./.github/workflows/closed.yml", "on.workflow_call"),
        ("uses: ./.github/workflows/loop.yml", "without end"),
        ("uses: ./.github/workflows/greedy.yml\npermissions: {contents: read}", "requesting 'contents: write'"),
    ],
)
def test_wrong_calls_are_refused_with_their_place(shelf: Shelf, call: str, words: str) -> None:
    (shelf.tree.parent / "outside.yml").write_text(CALLED)
    shelf.put("closed.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest}}\n")
    shelf.put("loop.yml", "on: workflow_call\njobs: {a: {uses: ./.github/workflows/loop.yml}}\n")
    shelf.put("greedy.yml", "on: workflow_call\npermissions: {contents: write}\njobs: {a: {runs-on: ubuntu-latest}}\n")
    with pytest.raises(WorkflowProblem, match=words) as caught:
        shelf.run(f"call:\n{textwrap.indent(call, '  ')}\n")
    assert all(fault.line for fault in caught.value.faults)


def test_a_secret_that_is_not_declared_is_warned_of(shelf: Shelf) -> None:
    shelf.put("bare.yml", "on: workflow_call\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    report = shelf.run("call: {uses: ./.github/workflows/bare.yml, secrets: {extra: value-of-it}}")
    assert report.result is Result.SUCCESS
    assert any("extra is not defined" in note.message for note in report.annotations)


def test_a_workflow_of_another_repository_comes_from_the_folder_given_for_it(shelf: Shelf, tmp_path: Path) -> None:
    other = tmp_path / "other" / ".github" / "workflows"
    other.mkdir(parents=True)
    (other / "w.yml").write_text("on: workflow_call\njobs: {a: {uses: ./.github/workflows/v.yml}}\n")
    (other / "v.yml").write_text("on: workflow_call\njobs: {b: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    report = shelf.run(
        "call: {uses: some/one/.github/workflows/w.yml@v1}", local_actions={"some/one@v1": str(tmp_path / "other")}
    )
    assert results(report) == [("call / a / b", "success")]
