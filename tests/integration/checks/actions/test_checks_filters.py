"""Actions that look at what changed, judge the jobs before, or are known not to be run: on real repositories."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecluse.checks.actions.picomatch import matcher
from ecluse.model import Result

FIT = [
    ("src/**", "src/a/b.py", True), ("src/**", "src", True), ("src/*", "src/a", True), ("src/*", "src/a/b", False),
    ("**", "x/.y", True), ("**/*.md", "a.md", True), ("**/*.md", "d/e/a.md", True), ("*.{js,ts}", "a.ts", True),
    ("*.{js,ts}", "a.py", False), ("a/**/b", "a/b", True), ("a/**/b", "a/x/y/b", True), ("!docs/**", "src/a", True),
    ("!docs/**", "docs/a", False), ("v{1..3}", "v2", True), ("v{1..3}", "v4", False), ("[a-c]?", "bz", True),
    ("[!a]x", "ax", False), ("+(a|b).txt", "abba.txt", True), ("@(a|b)", "c", False), ("!(a|b).txt", "c.txt", True),
    ("!(a|b).txt", "a.txt", False), ("./x/*.py", "x/y.py", True), (".github/**", ".github/w/ci.yml", True),
    ("a\\*b", "a*b", True), ("{a}", "{a}", True), ("src", "src/x", False), ("*", ".hidden", True),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "fits"), FIT)
def test_patterns_as_picomatch_reads_them(pattern: str, path: str, fits: bool) -> None:
    assert matcher(pattern)(path) is fits


@pytest.fixture
def changed(play: Any) -> Any:
    """A branch with changes of every kind against main, some of them uncommitted."""
    for name in ("kept.txt", "gone.txt", "src/mod.py", "docs/old name.md"):
        play.write(name, f"{name}\n" * 20)
    play.write(".gitignore", "ignored\n.github\n")
    play.base = play.commit("base")
    play.git("checkout", "-q", "-b", "topic")
    play.git("rm", "-q", "gone.txt")
    play.git("mv", "docs/old name.md", "docs/new.md")
    play.write("src/mod.py", "changed\n")
    play.write("src/new.js", "new\n")
    play.head = play.commit("topic")
    play.write("src/late.py", "not committed\n")
    play.write("ignored", "x\n")
    return play


FILTERS = """
- id: f
  uses: dorny/paths-filter@v3
  with:
    list-files: json
    filters: |
      docs: 'docs/**'
      py: &py
        - '**/*.py'
      code:
        - *py
        - 'src/**'
      fresh:
        - added: 'src/**'
      lost:
        - deleted|modified: ['*.txt', 'docs/**']
      none: 'nothing/**'
- env: {ALL: "${{ toJSON(steps.f.outputs) }}"}
  run: echo "$ALL" > "$OUT/all.json"
"""


def outputs(play: Any, steps: str, tmp_path: Any, **request: Any) -> dict[str, str]:
    job = play.job(steps, env={"OUT": str(tmp_path)}, **request)
    assert job.result is Result.SUCCESS, job
    found: dict[str, str] = json.loads((tmp_path / "all.json").read_text())
    return found


def test_paths_filter_against_the_base_of_a_pull_request(changed: Any, tmp_path: Any) -> None:
    given = {"event": "pull_request", "ref": "refs/heads/topic", "base_branch": "main"}
    found = outputs(changed, FILTERS, tmp_path, **given)
    assert json.loads(found["changes"]) == ["docs", "py", "code", "fresh", "lost"]
    assert json.loads(found["py_files"]) == ["src/mod.py", "src/late.py"]
    assert json.loads(found["fresh_files"]) == ["src/new.js", "src/late.py"]
    assert json.loads(found["lost_files"]) == ["docs/old name.md", "gone.txt"]
    assert (found["docs_count"], found["none"], found["none_count"], found["none_files"]) == ("2", "false", "0", "[]")
    assert (found["any_changed"], found["all_changed"]) == ("true", "false")


def test_paths_filter_on_a_branch_a_commit_and_the_trunk(changed: Any, tmp_path: Any) -> None:
    found = outputs(changed, FILTERS, tmp_path, ref="refs/heads/topic", base_branch="main")
    assert found["docs"] == "true"
    against = FILTERS.replace("list-files: json", f"base: {changed.head}")
    found = outputs(changed, against, tmp_path)
    assert json.loads(found["changes"]) == ["py", "code", "fresh"] and "py_files" not in found
    told = outputs(changed, FILTERS.replace("list-files: json", "base: HEAD"), tmp_path)
    assert json.loads(told["changes"]) == []
    trunk = {"ref": "refs/heads/main", "base_branch": "main"}
    assert outputs(changed, FILTERS, tmp_path, **trunk)["docs_files"] == '["docs/new.md"]'
    assert outputs(changed, FILTERS, tmp_path, changed=("docs/new.md", "gone.txt"), **trunk)["lost_count"] == "2"
    before = outputs(changed, FILTERS, tmp_path, base_commit=changed.base, **trunk)
    assert json.loads(before["lost_files"]) == ["docs/old name.md", "gone.txt"]
    every = FILTERS.replace("list-files: json", f"base: {changed.base}, predicate-quantifier: every").replace(
        "base: ", "base: "
    )
    every = every.replace(f"base: {changed.base}, predicate", f"base: {changed.base}\n    predicate")
    assert json.loads(outputs(changed, every, tmp_path)["changes"])[:1] == ["docs"]


def test_wrong_filters_and_no_repository_are_said(play: Any) -> None:
    play.write("x", "x")
    steps = "- {uses: dorny/paths-filter@v3, with: {filters: 'a: b'}}\n"
    assert "cannot be found without a git repository" in play.job(steps).steps[0].reason
    play.commit()
    assert "not a mapping" in play.job(steps.replace("a: b", "- a: [b]")).steps[0].reason
    assert "no pattern" in play.job(steps.replace("a: b", "a: 3")).steps[0].reason
    bad = "- {uses: dorny/paths-filter@v3, with: {filters: 'a: b', list-files: xml}}\n"
    assert "list-files is 'xml'" in play.job(bad).steps[0].reason


CHANGED = """
- id: c
  uses: tj-actions/changed-files@v45
  with: {WITH}
- env: {ALL: "${{ toJSON(steps.c.outputs) }}"}
  run: echo "$ALL" > "$OUT/all.json"
"""
PULL = {"event": "pull_request", "ref": "refs/heads/topic", "base_branch": "main"}


def test_changed_files_by_kind(changed: Any, tmp_path: Any) -> None:
    steps = CHANGED.replace("WITH", "separator: '|', safe_output: false, include_all_old_new_renamed_files: true")
    found = outputs(changed, steps, tmp_path, **PULL)
    assert found["added_files"] == "src/late.py|src/new.js"
    assert found["modified_files"] == "src/mod.py" and found["deleted_files"] == "gone.txt"
    assert found["renamed_files"] == "docs/new.md"
    assert found["all_old_new_renamed_files"] == "docs/old name.md,docs/new.md"
    assert found["all_changed_files"] == "docs/new.md|src/late.py|src/mod.py|src/new.js"
    assert found["all_modified_files_count"] == "5" and found["any_deleted"] == "true"
    assert found["other_changed_files"] == "" and found["only_changed"] == "true"
    for name in ("copied_files", "type_changed_files", "unmerged_files", "unknown_files"):
        assert found[name] == "" and found[f"{name}_count"] == "0"


def test_changed_files_filtered_grouped_and_in_other_forms(changed: Any, tmp_path: Any) -> None:
    steps = CHANGED.replace("WITH", 'files: "src/**\\n!**/*.js", json: true')
    found = outputs(changed, steps, tmp_path, **PULL)
    assert found["all_changed_files"] == '[\\"src/late.py\\",\\"src/mod.py\\"]'
    assert (found["any_changed"], found["only_changed"], found["only_deleted"]) == ("true", "false", "false")
    assert found["other_changed_files_count"] == "2"
    steps = CHANGED.replace("WITH", "matrix: true, dir_names: true, files_ignore: docs/**")
    found = outputs(changed, steps, tmp_path, **PULL)
    assert json.loads(found["all_modified_files"]) == [".", "src"]
    steps = CHANGED.replace("WITH", "files_yaml: \"py:\\n  - '**/*.py'\\nmd: [docs/**, '!docs/new.md']\\n\"")
    found = outputs(changed, steps, tmp_path, **PULL)
    assert (found["py_any_changed"], found["md_any_changed"], found["changed_keys"]) == ("true", "false", "py")
    assert "any_changed" not in found


def test_changed_files_between_commits(changed: Any, tmp_path: Any) -> None:
    found = outputs(changed, CHANGED.replace("{WITH}", f"{{base_sha: {changed.base}, sha: {changed.base}}}"), tmp_path)
    assert found["all_changed_and_modified_files"] == "" and found["any_changed"] == "false"
    found = outputs(changed, CHANGED.replace("{WITH}", "{}"), tmp_path)
    assert found["added_files"] == "src/late.py src/new.js"
    first = changed.git("rev-list", "--max-parents=0", "HEAD")
    whole = outputs(changed, CHANGED.replace("{WITH}", f"{{base_sha: {first}}}"), tmp_path)
    assert whole == outputs(changed, CHANGED.replace("{WITH}", "{since: 2001-01-01}"), tmp_path)
    early = changed.job("- {uses: tj-actions/changed-files@v45, with: {until: '2001-01-01'}}\n")
    assert "until is '2001-01-01', and there is no such commit" in early.steps[0].reason
    bad = changed.job("- {uses: tj-actions/changed-files@v45, with: {base_sha: nowhere}}\n")
    assert "there is no such commit" in bad.steps[0].reason


@pytest.mark.parametrize(
    ("jobs", "more", "good"),
    [
        ({"a": "success", "b": "success"}, "", True),
        ({"a": "success", "b": "failure"}, "", False),
        ({"a": "success", "b": "skipped"}, "", False),
        ({"a": "success", "b": "skipped"}, "allowed-skips: b", True),
        ({"a": "success", "b": "failure"}, "allowed-skips: b", False),
        ({"a": "success", "b": "failure"}, "allowed-failures: 'b, c'", True),
        ({"a": "success", "b": "cancelled"}, "allowed-failures: '[\"b\"]'", True),
        ({}, "", False),
    ],
)
def test_alls_green(play: Any, jobs: dict[str, str], more: str, good: bool) -> None:
    text = json.dumps({name: {"result": result, "outputs": {}} for name, result in jobs.items()})
    job = play.job(f"- id: g\n  uses: re-actors/alls-green@release/v1\n  with:\n    jobs: '{text}'\n    {more}\n")
    assert (job.result is Result.SUCCESS) is good


def test_what_publishes_or_reports_is_skipped_with_the_reason(play: Any) -> None:
    job = play.job("""
        - {id: up, uses: codecov/codecov-action@v5, with: {files: x}}
        - uses: github/codeql-action/init@v3
        - uses: pypa/gh-action-pypi-publish@release/v1
        - uses: docker/build-push-action@v6
        - run: test "${{ steps.up.outcome }}" = skipped
    """)
    assert [step.conclusion.value for step in job.steps] == ["skipped"] * 4 + ["success"]
    assert all(step.reason.startswith("not run here: ") for step in job.steps[:4])
    assert [note.level for note in play.report.annotations] == ["notice"] * 4
    assert "codecov/codecov-action was not run here" in play.report.annotations[0].message


def test_pre_commit_is_run_when_it_is_there_and_said_when_not(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from pathlib import Path

    git = Path(shutil.which("git") or "")
    folder = play.tree.parent / "bin"
    folder.mkdir()
    for name in ("git", "bash", "sh", "chmod", "cat"):
        (folder / name).symlink_to(shutil.which(name) or git)
    monkeypatch.setenv("PATH", str(folder))
    reason = play.job("- uses: pre-commit/action@v3.0.1\n").steps[0].reason
    assert "pre-commit is not on this machine, and neither uv nor a Python of setup-python" in reason
    job = play.job("""
        - run: |
            printf '#!/bin/sh\\necho "asked: $*"\\nexit 1\\n' > "$RUNNER_TEMP/pre-commit"
            chmod +x "$RUNNER_TEMP/pre-commit"; echo "$RUNNER_TEMP" >> "$GITHUB_PATH"
        - {uses: pre-commit/action@v3.0.1, with: {extra_args: "flake8 --files 'a b'"}}
    """)
    assert "asked: run --show-diff-on-failure --color=always flake8 --files a b" in play.lines
    assert (job.steps[1].outcome, job.steps[1].exit_code) == (Result.FAILURE, 1)
