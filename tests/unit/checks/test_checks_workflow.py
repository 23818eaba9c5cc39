"""Workflow files: what is read from them, and every fault told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.checks import RunRequest, plan, select
from ecluse.checks.matrix import expand
from ecluse.checks.problems import WorkflowProblem
from ecluse.checks.workflow import read
from ecluse.errors import Invalid


def put(tree: Path, text: str, name: str = "ci.yml") -> Path:
    path = tree / ".github" / "workflows" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_all_faults_are_told_at_once_with_line_column_and_suggestion() -> None:
    text = """on: push
jobs:
  a:
    run-on: ubuntu-latest
    steps:
      - run: echo ${{ secret.X }}
      - uses: actions/checkout
      - id: one
        run: "true"
        shel: bash
      - id: ONE
        run: "true"
  b:
    needs: [aa]
    runs-on: ubuntu-latest
    if: env.X == 'y'
    steps: []
"""
    with pytest.raises(WorkflowProblem) as caught:
        read(text, "ci.yml")
    found = {(fault.line, fault.column): fault for fault in reversed(caught.value.faults)}
    assert "Unexpected value 'run-on'" in found[4, 5].message and "runs-on" in found[4, 5].suggestion
    assert "Unrecognized named-value: 'secret'" in found[6, 14].message
    assert "Expected format" in found[7, 15].message
    assert "Unexpected value 'shel'" in found[10, 9].message and "shell" in found[10, 9].suggestion
    assert "may not be used more than once" in found[11, 13].message
    assert "unknown job 'aa'" in found[14, 13].message
    assert "Unrecognized named-value: 'env'" in found[16, 9].message
    assert "ci.yml:4:5" in caught.value.message


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("on: push\njobs:\n  a: {needs: b, runs-on: x}\n  b: {needs: a, runs-on: x}\n", (3, 3), "at least one job"),
        (
            "on: push\njobs:\n  s: {runs-on: x}\n  a: {needs: [s, b], runs-on: x}\n  b: {needs: a, runs-on: x}\n",
            (4, 18),
            "creates a cycle in the dependency graph",
        ),
        ("on: pusch\njobs:\n  a: {runs-on: x}\n", (1, 5), "Unexpected value 'pusch'"),
        ("jobs:\n  a: {runs-on: x}\n", (1, 1), "Required property is missing: on"),
        ("on: push\njobs:\n  1a: {runs-on: x}\n", (3, 3), "identifier '1a' is invalid"),
        ("on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{}]\n", (5, 13), "not enough info"),
        ("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      -\n", (6, 8), "Unexpected value ''"),
        ("on: push\njobs: [a\n", (3, 1), ""),
    ],
)
def test_single_faults(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(WorkflowProblem) as caught:
        read(text, "ci.yml")
    first = caught.value.faults[0]
    assert (first.line, first.column) == place, caught.value.message
    assert words in first.message


def test_on_stays_a_word_and_numbers_become_text(tmp_path: Path) -> None:
    workflow = read("on: [push]\njobs:\n  a:\n    runs-on: x\n    env: {V: 3.10}\n    steps: [{run: 1}]\n", "w.yml")
    assert workflow.triggers == {"push": {}}
    assert workflow.jobs[0].steps[0].run == "1"


def test_matrix_include_and_exclude_work_as_documented() -> None:
    matrix = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert expand(matrix) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]
    less = {"os": ["a", "b"], "v": [1, 2], "exclude": [{"os": "b", "v": "2"}, {"v": 9}]}
    assert expand(less) == [{"os": "a", "v": 1}, {"os": "a", "v": 2}, {"os": "b", "v": 1}]
    assert expand(less, {"v": ("1",), "other": ("x",)}) == [{"os": "a", "v": 1}, {"os": "b", "v": 1}]
    assert expand({"include": [{"x": 1}]}) == [{"x": 1}]
    assert expand(None) == [{}]


def test_plan_unfolds_jobs_in_the_order_of_their_needs(tmp_path: Path) -> None:
    put(
        tmp_path,
        """on: push
jobs:
  last: {needs: [middle, first], runs-on: ubuntu-latest, steps: [{run: echo z}]}
  first: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v4}, {name: Test, run: pytest}]}
  middle:
    needs: first
    runs-on: ubuntu-latest
    strategy: {matrix: {v: [1, 2]}}
  later:
    needs: first
    runs-on: ubuntu-latest
    strategy: {matrix: "${{ fromJSON(needs.first.outputs.m) }}"}
  boxed: {runs-on: ubuntu-latest, container: "node:20"}
  served: {runs-on: ubuntu-latest, services: {db: {image: "postgres:16"}}}
  optional: {runs-on: ubuntu-latest, container: "${{ github.event.image }}"}
  empty: {runs-on: ubuntu-latest, container: "docker://"}
  other: {runs-on: windows-latest}
  called: {uses: someone/else/.github/workflows/x.yml@v1}
""",
    )
    planned = plan(tmp_path, RunRequest())
    names = [job.name for job in planned.jobs]
    assert names.index("first") < names.index("middle (1)") < names.index("middle (2)") < names.index("last")
    jobs = {job.id: job for job in planned.jobs}
    assert [step.name for step in jobs["first"].steps] == ["Run actions/checkout@v4", "Test"]
    assert jobs["later"].open_matrix and not jobs["middle"].open_matrix
    assert "node:20" in jobs["boxed"].reason and "db" in jobs["served"].reason
    assert "Windows" in jobs["other"].reason and "reusable workflow" in jobs["called"].reason
    assert jobs["optional"].reason == jobs["empty"].reason == "" and jobs["first"].reason == ""


def test_plan_keeps_the_jobs_asked_for_and_their_needs(tmp_path: Path) -> None:
    put(
        tmp_path,
        "on: push\njobs:\n  a: {runs-on: x}\n  b: {needs: a, runs-on: x}\n  c: {runs-on: x}\n",
    )
    assert [job.id for job in plan(tmp_path, RunRequest(jobs=("b",))).jobs] == ["a", "b"]
    with pytest.raises(Invalid, match="no job 'bb'"):
        plan(tmp_path, RunRequest(jobs=("bb",)))


def test_plan_collects_the_faults_of_all_files(tmp_path: Path) -> None:
    put(tmp_path, "on: push\njobs:\n  a: {}\n", "one.yml")
    put(tmp_path, "on: push\njobs:\n  b: {runs-on: x, stepps: []}\n", "two.yml")
    with pytest.raises(WorkflowProblem) as caught:
        plan(tmp_path, RunRequest())
    assert {Path(fault.path).name for fault in caught.value.faults} == {"one.yml", "two.yml"}


def test_a_required_input_must_be_given(tmp_path: Path) -> None:
    text = "on: {workflow_dispatch: {inputs: {v: {required: true}, n: {type: number}}}}\njobs: {a: {runs-on: x}}\n"
    put(tmp_path, text)
    with pytest.raises(Invalid, match="needs the input 'v'"):
        plan(tmp_path, RunRequest(event="workflow_dispatch"))
    with pytest.raises(Invalid, match="must be a number"):
        plan(tmp_path, RunRequest(event="workflow_dispatch", inputs={"v": "1", "n": "x"}))
    assert plan(tmp_path, RunRequest(event="workflow_dispatch", inputs={"v": "1", "n": "2"})).jobs


@pytest.mark.parametrize("name", ["../ci.yml", "nowhere.yml", "/etc"])
def test_a_workflow_that_is_not_in_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match=r"There is no workflow|The workflow \S+ lies outside of"):
        plan(tmp_path, RunRequest(workflows=(name,)))


def test_select_looks_at_event_branch_and_paths(tmp_path: Path) -> None:
    put(tmp_path, "on: push\njobs: {a: {runs-on: x}}\n", "any.yml")
    put(tmp_path, "on: {push: {branches: [main, 'rel/**'], paths: ['src/**', '!**.md']}}\njobs: {}\n", "src.yml")
    put(tmp_path, "on: {push: {branches-ignore: ['wip/*']}}\njobs: {}\n", "notwip.yml")
    put(tmp_path, "on: {push: {tags: ['v*']}}\njobs: {}\n", "tags.yml")
    put(tmp_path, "on: {pull_request: {paths-ignore: ['docs/**']}}\njobs: {}\n", "pr.yml")

    def chosen(event: str, branch: str, *changed: str) -> list[str]:
        return [Path(path).stem for path in select(tmp_path, event=event, branch=branch, changed=changed)]

    assert chosen("push", "main", "src/a.py") == ["any", "notwip", "src"]
    assert chosen("push", "main", "src/README.md", "x.py") == ["any", "notwip"]
    assert chosen("push", "wip/x", "src/a.py") == ["any"]
    assert chosen("push", "rel/1/2", "src/a.py") == ["any", "notwip", "src"]
    assert chosen("push", "refs/tags/v1") == ["any", "tags"]
    assert chosen("pull_request", "main", "docs/a", "b") == ["pr"]
    assert chosen("pull_request", "main", "docs/a") == []
    assert [Path(p).stem for p in select(tmp_path, event="push", branch="main", changed=None)] == [
        "any",
        "notwip",
        "src",
    ]


def test_nothing_to_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        plan(tmp_path, RunRequest())
    assert caught.value.code == "workflow.none" and caught.value.hint
