"""Cron times, labels of machines, names of steps, and what is wrong with a workflow before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.checks import RunRequest, plan
from ecluse.checks.labels import check_platforms, place_labels, system_here
from ecluse.checks.problems import WorkflowProblem
from ecluse.checks.schedule import is_cron
from ecluse.checks.workflow import read
from ecluse.errors import Invalid

OTHER = "macos-14" if system_here() == "Linux" else "ubuntu-latest"


@pytest.mark.parametrize(
    "text", ["0 0 * * *", "*/15 2-5,9 1 JAN-mar SUN", "59 23 31 12 6", "0 4/2 * * 1-5", "0  8 * * *"]
)
def test_times(text: str) -> None:
    assert is_cron(text)


@pytest.mark.parametrize(
    "text",
    ["", "0 0 * *", "60 0 * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 7", "5-1 0 * * *", "*/0 * * * *",
     "a b c d e", "1,,2 * * * *", "0 0 * * * *", "-1 * * * *", "@daily", "0 0 * * MON-", "*/5/5 * * * *"],
)  # fmt: skip
def test_no_times(text: str) -> None:
    assert not is_cron(text)


def test_labels_of_other_systems() -> None:
    assert place_labels("self-hosted", {}).reason == ""
    stand_in = place_labels(["self-hosted", OTHER], {})
    assert stand_in.choice == "here" and OTHER in stand_in.reason and "in its place" in stand_in.reason
    assert place_labels({"group": "g", "labels": OTHER}, {}).reason
    assert place_labels("windows-latest", {}).choice == "fail"
    assert place_labels("windows-latest", {"win*": "skip"}).choice == "skip"
    assert place_labels("Windows-2022", {"windows-*": "here"}).reason.endswith("as told")
    assert place_labels("ubuntu-22.04", {"ubuntu-22.04": "fail"}).choice == "fail"
    assert place_labels(None, {}).choice == "here"
    with pytest.raises(Invalid, match="'maybe'"):
        check_platforms({"x": "maybe"})


def test_steps_without_an_id_have_the_names_that_the_runner_gives_them() -> None:
    workflow = read(
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
        "      - run: a\n      - {id: own, run: b}\n      - run: c\n      - uses: actions/cache/save@v4\n"
        "      - uses: ./x\n      - uses: docker://alpine:3\n",
        "ci.yml",
    )
    names = [step.action for step in workflow.jobs[0].steps]
    assert names == ["__run", "own", "__run_2", "__actions_cache", "__self", "__alpine_3"]


HEAD = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
WRONG = [
    (
        "on:\n  schedule:\n    - cron: '0 0 * * 9'\njobs: {a: {runs-on: x, steps: [{run: a}]}}\n",
        "ci.yml:3:13: Invalid cron expression",
    ),
    (HEAD + "      - {id: one, background: true, run: a}\n      - wait: oen\n", "ci.yml:7:15: Step references unknown"),
    (HEAD + "      - {id: one, background: true, run: a}\n      - wait: oen\n", "did you mean 'one'"),
    (HEAD + "      - {id: x, wait: x}\n", "Step 'x' cannot reference itself"),
    (HEAD + "      - {id: x, run: a}\n      - wait-all: false\n", "ci.yml:7:19: The value of 'wait-all'"),
    (
        "on:\n  push: {branches: [a], branches-ignore: [b]}\njobs: {a: {runs-on: x, steps: [{run: a}]}}\n",
        "ci.yml:2:25: you may only define one of `branches` and `branches-ignore`",
    ),
    (
        "on: push\nconcurrency: {group: g, queue: max, cancel-in-progress: true}\njobs: {a: {runs-on: x, steps: [{run: a}]}}\n",
        "ci.yml:2:32: 'queue: max' cannot be combined",
    ),
    (HEAD + "      - uses: $/act@v1\n", "ci.yml:6:15: Expected format $/{path}, without a version. Actual '$/act@v1'"),
    ("on: push\njobs:\n  a:\n    uses: $/w.yml@v1\n", "ci.yml:4:11: Expected format $/{path}, without a version"),
    (HEAD + "      - runn: a\n", "ci.yml:6:9: Unexpected value 'runn' (did you mean 'run'?)"),
    ("on: push\njobs:\n  a:\n    runs-on: {group: me/x}\n", "ci.yml:4:22: Invalid runs-on group name 'me/x'"),
    ("on: pusch\njobs: {a: {runs-on: x}}\n", "ci.yml:1:5: Unexpected value 'pusch' (did you mean 'push'?)"),
    ("on: push\njobs:\n  a: {runs-on: x, needs: bb}\n  b: {runs-on: x}\n", "ci.yml:3:26: Job 'a' depends on unknown"),
    ("on: push\njobs:\n  a:\n   runs-on: x\n  - b\n", "ci.yml:5:3:"),
    ("on: push\njobs: {a: {runs-on: x, timeout-minutes: '5'}}\n", "ci.yml:2:41: Unexpected value '5'"),
    ("on: push\njobs: {a: {runs-on: x, if: 'secrets.X'}}\n", "Unrecognized named-value: 'secrets'"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_wrong_workflows(text: str, words: str) -> None:
    with pytest.raises(WorkflowProblem) as caught:
        read(text, "ci.yml")
    assert words in str(caught.value)


def put(folder: Path, text: str) -> Path:
    path = folder / ".github" / "workflows" / "ci.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return folder


DISPATCH = """
on:
  workflow_dispatch:
    inputs:
      where: {type: choice, options: [here, there], required: true}
      count: {type: number, default: 2}
      loud: {type: boolean}
      to: {type: environment, required: true}
run-name: to ${{ inputs.where }}
jobs:
  a:
    runs-on: ubuntu-latest
    strategy: {matrix: {v: [1]}}
    steps: [{run: a}]
"""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, r"needs the inputs 'where', 'to'"),
        ({"inputs": {"where": "here"}}, r"needs the input 'to'"),
        ({"inputs": {"where": "nowhere", "to": "x"}}, "one of here, there"),
        ({"inputs": {"where": "here", "to": "x", "count": "many"}}, "must be a number"),
        ({"inputs": {"where": "here", "to": "x", "loud": "yes"}}, "true or false"),
        ({"inputs": {"were": "here"}}, r"did you mean 'where'"),
        ({"inputs": {"where": "here", "to": "x"}, "matrix": {"w": ("1",)}}, r"no job has the matrix key|No job has"),
        ({"event": "push", "inputs": {"where": "here"}}, "the event 'push' has none"),
        ({"event": "pul_request"}, r"did you mean 'pull_request'"),
        ({"inputs": {"where": "here", "to": "x"}, "platforms": {"a": "b"}}, "must be one of here, skip, fail"),
    ],
)
def test_what_is_asked_for_wrongly(tmp_path: Path, request_: dict[str, object], words: str) -> None:
    tree = put(tmp_path, DISPATCH)
    asked = {"event": "workflow_dispatch", "workflows": (".github/workflows/ci.yml",), **request_}
    with pytest.raises(Invalid, match=words):
        plan(tree, RunRequest(**asked))  # type: ignore[arg-type]


def test_the_plan_tells_permissions_environment_and_stand_ins(tmp_path: Path) -> None:
    tree = put(
        tmp_path,
        f"on: push\npermissions: {{contents: read}}\njobs:\n  a: {{runs-on: {OTHER}, environment: {{name: live}}}}\n"
        "  b: {runs-on: x, permissions: {}}\n  c: {runs-on: x, permissions: write-all}\n",
    )
    a, b, c = plan(tree, RunRequest()).jobs
    assert (a.permissions, a.environment, b.permissions) == ({"contents": "read"}, "live", {})
    assert a.note and not a.reason and (c.permissions or {})["id-token"] == "write"


def test_expressions_that_name_what_is_not_there() -> None:
    text = """
on: {workflow_dispatch: {inputs: {who: {}}}}
env: {W: "${{ inputs.wo }}"}
jobs:
  a:
    runs-on: ubuntu-latest
    strategy: {matrix: {os: [x], include: [{arch: y}]}}
    steps:
      - {id: one, run: 'echo ${{ matrix.arch }} ${{ matrix.oss }} ${{ inputs.who }}'}
      - parallel: [{id: two, run: a}]
      - {if: steps.on.outcome == 'success', run: 'echo ${{ steps.two.outputs.x }} ${{ steps.*.outcome }}'}
  b:
    needs: a
    runs-on: ${{ needs.a.outputs.x }}
    strategy: {matrix: "${{ fromJSON(needs.a.outputs.m) }}"}
    steps: [{run: 'echo ${{ matrix.any }} ${{ needs.c.result }} ${{ github.event.x }}'}]
"""
    told = [str(hint) for hint in read(text, "ci.yml").hints]
    assert told == [
        "ci.yml:3:10: There is no input 'wo' here, so inputs.wo is empty (did you mean 'who'?)",
        "ci.yml:9:24: There is no matrix key 'oss' here, so matrix.oss is empty (did you mean 'os'?)",
        "ci.yml:11:14: There is no step with the id 'on' here, so steps.on is empty (did you mean 'one'?)",
        "ci.yml:16:19: There is no need 'c' here, so needs.c is empty (one of: a)",
    ]


def test_calls_that_cannot_succeed() -> None:
    text = """
on: push
jobs:
  a:
    runs-on: x
    steps:
      - run: echo ${{ format('{0} {1}', 'a') }} ${{ format(github.ref, 1) }} ${{ format('{{{0}}}', 1) }}
      - run: echo ${{ format('{1}', 'a', 'b') }} ${{ fromJSON('[1]') }} ${{ fromJSON(github.x) }}
      - run: echo ${{ fromJSON('[1') }}
"""
    assert [str(hint) for hint in read(text, "ci.yml").hints] == [
        "ci.yml:7:14: The following format string references more arguments than were supplied: {0} {1}",
        "ci.yml:8:14: The text of format() has no {0}, so the value for it is not used",
        "ci.yml:9:14: Error parsing JSON when evaluating fromJson",
    ]


def test_real_workflows_get_few_hints(shared: Path) -> None:
    files = [path for path in (shared / "conformance" / "real").rglob("*.y*ml") if "_actions" not in path.parts]
    assert sum(bool(read(path.read_bytes(), path.name).hints) for path in files) <= len(files) // 50


def faults_of(text: str) -> list[str]:
    with pytest.raises(WorkflowProblem) as caught:
        read(text, "ci.yml")
    return [f"{fault.line}:{fault.column} {fault.message}" for fault in caught.value.faults]


def test_a_key_is_no_expression_where_none_is_allowed() -> None:
    told = "A template expression is not allowed in this context"
    assert faults_of("on:\n  ${{ 1 }}:\njobs:\n  ${{ 2 }}: {runs-on: x}\n")[:2] == [f"2:3 {told}", f"4:3 {told}"]
    assert faults_of("name: ${{ 1 }}\non: push\njobs: ${{ 2 }}\n") == [f"1:7 {told}", f"3:7 {told}"]
    read(HEAD + "      - {run: x, env: {'${{ github.ref }}': y}}\n", "ci.yml")


def test_needs_that_are_never_met_are_told_one_by_one() -> None:
    jobs = "on: push\njobs:\n  one: {runs-on: x}\n  two: {needs: [one, three], runs-on: x}\n"
    jobs += "  three: {needs: two, runs-on: x}\n  four: {needs: none, runs-on: x}\n"
    cycle = "which creates a cycle in the dependency graph."
    assert faults_of(jobs) == [
        f"4:22 Job 'two' depends on job 'three' {cycle}",
        f"5:18 Job 'three' depends on job 'two' {cycle}",
        "6:17 Job 'four' depends on unknown job 'none'.",
    ]


def test_a_container_has_an_image() -> None:
    body = "on: push\njobs:\n  a:\n    runs-on: x\n    container: {options: o}\n    services: {db: {options: o}}\n    steps: [run: x]\n"
    assert faults_of(body.replace("[run: x]", "[{run: x}]")) == [
        "5:16 Container image cannot be empty",
        "6:20 Container image cannot be empty",
    ]
    read(body.replace("[run: x]", "[{run: x}]").replace("options: o", "options: '${{ github.ref }}'"), "ci.yml")


def test_a_job_without_steps_is_warned_of_and_a_snapshot_is_let_pass() -> None:
    workflow = read(
        "on: push\njobs:\n  a: {runs-on: x}\n  b: {runs-on: x, steps: []}\n  c: {uses: o/r/.github/workflows/w.yml@v1}\n",
        "ci.yml",
    )
    assert [(one.line, one.message.rpartition(" ")[2]) for one in workflow.warnings] == [(3, "a"), (4, "b")]
    read("on: push\njobs: {a: {runs-on: x, steps: [{run: x}], snapshot: {image-name: n, if: always()}}}\n", "ci.yml")
    assert faults_of("on: push\njobs: {a: {runs-on: x, steps: [{run: x}], snapshot: {name: n}}}\n")


def test_a_choice_has_options_and_nothing_else_has() -> None:
    head = "on:\n  workflow_dispatch:\n    inputs:\n"
    jobs = "jobs:\n  a: {runs-on: x, steps: [{run: x}]}\n"
    assert faults_of(head + "      a: {type: choice}\n" + jobs) == ["4:10 Missing 'options' for choice input"]
    workflow = read(head + "      a: {type: string, options: [b]}\n" + jobs, "ci.yml")
    assert [(one.line, one.message[:24]) for one in workflow.warnings] == [(4, "Input type is not 'choic")]


def test_a_fault_in_needs_is_told_once() -> None:
    assert faults_of("on: push\njobs:\n  a:\n    needs:\n    runs-on: x\n") == ["4:11 Unexpected value ''"]
    assert faults_of("on: push\njobs:\n  a:\n") == ["3:5 Unexpected value ''"]


def test_a_called_workflow_is_named_with_its_version() -> None:
    jobs = "on: push\njobs:\n  a: {uses: o/r/.github/workflows/x.yml}\n  b: {uses: .github/workflows/x.yml}\n  c: {uses: x@v1}\n"
    told = "invalid value workflow reference: "
    assert [one.partition(told)[2][:22] for one in faults_of(jobs)] == ["no version specified"] * 2 + [
        "references to workflow"
    ]
