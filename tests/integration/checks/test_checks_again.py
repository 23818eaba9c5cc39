"""Running part of a workflow: what failed before, one step, one job; and looking at the place of a failure."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, rerun, run
from ecluse.checks.session import FailedStep
from ecluse.errors import Invalid
from ecluse.model import Report, Result

FLOW = """
on: push
jobs:
  make:
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.w.outputs.word }}"}
    steps:
      - {id: w, run: 'echo x >> BASE/made; echo word=hello >> "$GITHUB_OUTPUT"; echo held > f.txt'}
      - {uses: actions/upload-artifact@v4, with: {name: made, path: f.txt}}
  test:
    needs: make
    runs-on: ubuntu-latest
    strategy: {fail-fast: false, matrix: {n: [1, 2]}}
    steps:
      - {uses: actions/download-artifact@v4, with: {name: made}}
      - run: |
          echo ${{ matrix.n }} >> BASE/tested
          test "$(cat f.txt) ${{ needs.make.outputs.word }}" = "held hello"
          test ${{ matrix.n }} = 1 || test -e BASE/mended
      - {uses: actions/upload-artifact@v4, with: {name: "log-${{ matrix.n }}", path: f.txt}, if: always()}
  other: {runs-on: ubuntu-latest, steps: [{run: echo x >> BASE/other}]}
  after: {needs: test, runs-on: ubuntu-latest, steps: [{run: echo x >> BASE/after}]}
  always: {needs: test, if: always(), runs-on: ubuntu-latest, steps: [{run: echo x >> BASE/always}]}
"""


class Place:
    def __init__(self, yard: Any, base: Path) -> None:
        self.yard, self.base = yard, base
        yard.write(FLOW.replace("BASE", str(base)))

    def run(self, **request: Any) -> Report:
        asked = RunRequest(**request)
        return run(self.yard.tree, dataclasses.replace(asked, keep=rerun.place_of(self.yard.tree, asked)))

    def again(self, **request: Any) -> Report:
        asked, before = rerun.recall(self.yard.tree, RunRequest(**request))
        return run(
            self.yard.tree, dataclasses.replace(asked, keep=rerun.place_of(self.yard.tree, asked)), before=before
        )

    def times(self, name: str) -> int:
        path = self.base / name
        return len(path.read_text().split()) if path.exists() else 0


@pytest.fixture
def place(yard: Any, tmp_path: Path) -> Place:
    return Place(yard, tmp_path)


def test_only_what_failed_and_what_needs_it_runs_again(place: Place) -> None:
    first = place.run()
    assert {job.key: job.result.value for job in first.jobs} == {
        "make": "success", "test-1": "success", "test-2": "failure", "other": "success", "after": "skipped",
        "always": "success",
    }  # fmt: skip
    (place.base / "mended").touch()
    second = place.again()
    assert second.result is Result.SUCCESS
    assert {job.key: bool(job.reused) for job in second.jobs} == {
        "make": True, "test-1": True, "test-2": False, "other": True, "after": False, "always": False,
    }  # fmt: skip
    assert (place.times("made"), place.times("tested"), place.times("other")) == (1, 3, 1)
    assert (place.times("after"), place.times("always")) == (1, 2)
    assert {(one.name, one.job) for one in second.artifacts} == {
        ("made", "make"), ("log-1", "test-1"), ("log-2", "test-2"),
    }  # fmt: skip
    third = place.again()
    assert all(job.reused for job in third.jobs) and place.times("after") == 1
    assert third.jobs[0].reused == first.started_at


def test_a_changed_workflow_runs_what_is_another_job_now(place: Place) -> None:
    place.run()
    place.yard.write(FLOW.replace("BASE", str(place.base)).replace("n: [1, 2]", "n: [3, 2]"))
    report = place.again()
    assert [job.reused != "" for job in report.jobs if job.id == "test"] == [False, False]


def test_the_run_before_is_that_of_this_folder_and_choice(place: Place, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no earlier run"):
        place.again()
    place.run(workflows=(".github/workflows/ci.yml",), matrix={"n": ("1",)})
    asked, before = rerun.recall(place.yard.tree, RunRequest())
    assert asked.workflows == (".github/workflows/ci.yml",) and asked.matrix == {"n": ("1",)}
    assert before.report.result is Result.SUCCESS
    with pytest.raises(Invalid, match="no earlier run"):
        rerun.recall(place.yard.tree, RunRequest(workflows=("other.yml",)))
    with pytest.raises(Invalid, match="no earlier run"):
        rerun.recall(tmp_path, RunRequest())
    kept = rerun.place_of(place.yard.tree, asked)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (kept, kept / "report.json", kept / "request.json"))


def test_jobs_of_a_called_workflow(place: Place) -> None:
    place.yard.write(
        f"""
        on: push
        jobs:
          first: {{runs-on: x, steps: [{{run: echo x >> {place.base}/first}}]}}
          call: {{needs: first, uses: ./.github/workflows/inner.yml}}
          last: {{needs: call, runs-on: x, steps: [{{run: 'test "${{{{ needs.call.outputs.w }}}}" = said'}}]}}
        """
    )
    place.yard.write(
        f"""
        on:
          workflow_call: {{outputs: {{w: {{value: "${{{{ jobs.good.outputs.w }}}}"}}}}}}
        jobs:
          good:
            runs-on: x
            outputs: {{w: "${{{{ steps.s.outputs.w }}}}"}}
            steps: [{{id: s, run: 'echo w=said >> "$GITHUB_OUTPUT"; echo x >> {place.base}/good'}}]
          bad: {{runs-on: x, steps: [{{run: test -e {place.base}/mended}}]}}
        """,
        ".github/workflows/inner.yml",
    )
    words: dict[str, Any] = {"workflows": (".github/workflows/ci.yml",)}
    assert place.run(**words).result is Result.FAILURE
    (place.base / "mended").touch()
    report = place.again(**words)
    assert {job.key: bool(job.reused) for job in report.jobs} == {
        "first": True, "call.good": True, "call.bad": False, "last": False,
    }  # fmt: skip
    assert report.result is Result.SUCCESS and (place.times("first"), place.times("good")) == (1, 1)


def test_coverage_counts_the_jobs_that_were_taken_over(yard: Any, tmp_path: Path) -> None:
    document = {"meta": {}, "files": {"FILE": {"executed_lines": [1, 2, 3], "missing_lines": [4]}}}
    write = f"echo '{json.dumps(document)}' | sed s/FILE/$GITHUB_JOB.py/ > coverage.json"
    jobs = "  good: {runs-on: x, steps: [{run: WRITE}]}\n  bad: {runs-on: x, steps: [{run: WRITE}, {run: 'test -e MENDED'}]}"
    text = "on: push\njobs:\n" + jobs.replace("WRITE", json.dumps(write)).replace("MENDED", str(tmp_path / "mended"))
    place = Place(yard, tmp_path)
    yard.write(text)
    whole = place.run()
    (tmp_path / "mended").touch()
    again = place.again()
    assert (whole.result, again.result) == (Result.FAILURE, Result.SUCCESS)
    assert [job.reused != "" for job in again.jobs] == [True, False]
    assert again.coverage == whole.coverage and again.coverage is not None
    assert (again.coverage.covered, again.coverage.total) == (6, 8)
    (rerun.place_of(yard.tree, RunRequest()) / "lines.json").write_text("{")
    assert place.again().coverage is None


def test_a_run_that_cannot_be_kept_is_as_green(yard: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = yard.jobs("a: {runs-on: x, steps: [{run: 'true'}]}", keep=tmp_path / "file" / "below")
    assert report.result is Result.SUCCESS
    assert "not kept for --rerun-failed" in report.annotations[-1].message


STEPS = """
a:
  runs-on: ubuntu-latest
  steps:
    - uses: actions/checkout@v4
    - {name: Build, run: echo built >> "$LOG"}
    - {id: unit, name: Unit tests, run: 'test -f .github/workflows/ci.yml; echo unit >> "$LOG"'}
    - {name: Publish, run: echo published >> "$LOG"}
b: {runs-on: ubuntu-latest, steps: [{run: echo b >> "$LOG"}]}
"""


@pytest.mark.parametrize("name", ["unit", "Unit tests", "3"])
def test_one_step(yard: Any, tmp_path: Path, name: str) -> None:
    log = tmp_path / "log"
    report = yard.jobs(STEPS, steps=(name,), env={"LOG": str(log)})
    assert log.read_text() == "unit\n"
    assert [job.id for job in report.jobs] == ["a"] and report.result is Result.SUCCESS
    assert [step.conclusion.value for step in report.jobs[0].steps] == ["success", "skipped", "success", "skipped"]
    assert report.jobs[0].steps[1].reason == "not chosen"


def test_a_step_that_is_nowhere(yard: Any) -> None:
    with pytest.raises(Invalid, match=r"no step 'Unit test' in .*Unit tests"):
        yard.jobs(STEPS, steps=("Unit test",))
    with pytest.raises(Invalid, match="no step 'unit' in job b"):
        yard.jobs(STEPS, steps=("unit",), jobs=("b",))


def test_the_place_of_a_failure_is_still_there(yard: Any) -> None:
    seen: list[tuple[FailedStep, bool, str]] = []

    def look(step: FailedStep) -> None:
        seen.append((step, (step.folder / "f").is_file(), step.env.get("MINE", "")))

    yard.write(
        "runs: {using: composite, steps: [{run: 'exit 4', shell: sh, id: deep}]}\n", ".github/actions/x/action.yml"
    )
    yard.write(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - uses: actions/checkout@v4
              - {run: 'exit 1', continue-on-error: true}
              - {name: Break, run: mkdir d; touch d/f; exit 3}
              - {if: always(), name: Sub, working-directory: d, env: {MINE: own}, run: exit 3}
              - {if: always(), uses: ./.github/actions/x}
        """
    )
    report = run(yard.tree, RunRequest(), on_failure=look)
    assert report.result is Result.FAILURE
    assert [(step.name, there, mine) for step, there, mine in seen] == [
        ("Break", False, ""),
        ("Sub", True, "own"),
        ("Run exit 4", False, ""),
    ]
    assert seen[1][0].env["GITHUB_ACTIONS"] == "true" and "MINE" not in repr(seen[1][0])


def test_the_request_is_a_document(tmp_path: Path) -> None:
    request = RunRequest(steps=("a",), results=("*.xml",), keep=tmp_path, log_dir=tmp_path / "l")
    assert RunRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
