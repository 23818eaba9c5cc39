"""Actions that every job uses, and what cannot run here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.model import Job, Report, Result


def job(report: Report, name: str) -> Job:
    return next(one for one in report.jobs if one.id == name)


def outcomes(report: Report, name: str = "a") -> list[str]:
    return [step.outcome.value for step in job(report, name).steps]


UNSUPPORTED = [
    ("- uses: docker://alpine:3", "container image"),
    ("- uses: someone/something@v1", "someone/something@v1 is not on this machine and could not be fetched"),
    ("- {uses: actions/checkout@v4, with: {repository: other/repo}}", "another repository"),
    ("- {uses: actions/checkout@v4, with: {ref: other}}", "another ref"),
    ("- {run: 'true', shell: fish}", "neither a shell"),
    ("- {uses: actions/setup-python@v5, with: {python-version: '2.6'}}", "Python 2.6 is not on this machine"),
    ("- {uses: actions/setup-python@v5, with: {python-version: pypy3.9}}", "CPython"),
    ("- uses: ./missing", "There is no action.yml"),
    ("- run: echo '::set-env name=A::b'", "disabled"),
    ("- run: echo nonsense >> $GITHUB_ENV", "Invalid format"),
    ("- {run: 'true', working-directory: nowhere}", "does not exist"),
]


@pytest.mark.parametrize(("step", "words"), UNSUPPORTED)
def test_what_is_not_supported_fails_and_says_so(yard: Any, step: str, words: str) -> None:
    report = yard.report_of(step)
    failed = job(report, "a").steps[0]
    assert failed.outcome is Result.FAILURE
    assert words in failed.reason
    assert any(words in line for line in failed.tail)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("runs-on: windows-latest", "Windows"),
        ("runs-on: ubuntu-latest\n    container: node:20", "node:20"),
        ("uses: someone/else/.github/workflows/other.yml@v1", "reusable workflow"),
    ],
)
def test_jobs_that_cannot_run_here_fail_and_say_so(yard: Any, body: str, words: str) -> None:
    report = yard.run(f"on: push\njobs:\n  a:\n    {body}\n")
    assert report.result is Result.FAILURE
    assert words in job(report, "a").reason and job(report, "a").steps == ()


def test_checkout_brings_the_tree_with_uncommitted_files_and_a_repository(yard: Any) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=yard.tree, check=True, capture_output=True)

    yard.write("one\n", "kept.txt")
    yard.write("ignored.txt\n", ".gitignore")
    git("init", "-q", "-b", "main", ".")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    yard.write("two\n", "kept.txt")
    yard.write("new\n", "folder/untracked.txt")
    yard.write("x\n", "ignored.txt")
    (yard.tree / "link").symlink_to("kept.txt")
    report = yard.report_of(
        """
        - uses: actions/checkout@v4
        - run: |
            test "$(cat kept.txt)" = two && test "$(cat folder/untracked.txt)" = new && test ! -e ignored.txt
            test -L link && test "$(git log --format=%s)" = first && test "$(git branch --show-current)" = main
            git status --porcelain; git diff --quiet HEAD -- .gitignore
            echo changed > kept.txt; rm -rf folder
        - {uses: actions/checkout@v4, with: {path: again}}
        - run: test "$(cat again/kept.txt)" = two
        """
    )
    assert report.result is Result.SUCCESS, "\n".join(yard.lines)
    assert " M kept.txt" in yard.lines
    assert (yard.tree / "kept.txt").read_text() == "two\n"


def test_checkout_does_not_follow_links_out_of_the_workspace(yard: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("mine")
    yard.write("theirs\n", "folder/file.txt")
    report = yard.report_of(
        f"""
        - run: ln -s {outside} folder
        - {{uses: actions/checkout@v4, with: {{clean: false}}}}
        - {{uses: actions/checkout@v4, with: {{path: ../../..}}}}
        """
    )
    assert outcomes(report) == ["success", "success", "failure"]
    assert (outside / "file.txt").read_text() == "mine"


def test_composite_actions(yard: Any) -> None:
    yard.write(
        """
        inputs: {who: {default: world}, must: {required: true}}
        outputs: {said: {value: "${{ steps.s.outputs.v }}"}}
        runs:
          using: composite
          steps:
            - {id: s, shell: bash, run: 'echo "v=${{ inputs.who }}-$EXTRA" >> "$GITHUB_OUTPUT"'}
            - {shell: bash, run: 'test -f "$GITHUB_ACTION_PATH/action.yml"; exit ${{ inputs.must }}'}
            - {shell: bash, if: failure(), run: echo rescued}
        """,
        "act/action.yml",
    )
    report = yard.report_of(
        """
        - uses: actions/checkout@v4
        - {id: good, uses: ./act, with: {must: 0}, env: {EXTRA: e}}
        - run: test "${{ steps.good.outputs.said }}" = world-e && test -z "$EXTRA"
        - {uses: ./act, with: {must: 4, who: you}, continue-on-error: true}
        - {uses: ./act, with: {must: 5}}
        """
    )
    assert outcomes(report) == ["success", "success", "success", "failure", "failure"], "\n".join(yard.lines)
    assert yard.lines.count("rescued") == 2
    assert job(report, "a").steps[4].exit_code == 5


def test_artifacts_go_from_job_to_job(yard: Any) -> None:
    report = yard.run(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - run: mkdir -p out/x && echo 1 > out/x/one.txt && echo 2 > out/two.log && ln -s /etc/passwd out/leak.txt
              - {uses: actions/upload-artifact@v4, with: {name: kept, path: "out/**/*.txt"}}
              - {uses: actions/upload-artifact@v4, with: {name: none, path: nowhere}}
              - {uses: actions/upload-artifact@v4, with: {name: kept, path: out}, continue-on-error: true}
          b:
            needs: a
            runs-on: ubuntu-latest
            steps:
              - {uses: actions/download-artifact@v4, with: {name: kept, path: got}}
              - run: test "$(cd got && find . -type f)" = ./x/one.txt
              - {uses: actions/download-artifact@v4, with: {name: gone}}
        """
    )
    assert outcomes(report) == ["success", "success", "success", "failure"]
    assert outcomes(report, "b") == ["success", "success", "failure"]
    assert "kept" in job(report, "b").steps[2].reason
    assert (yard.logs / "artifacts" / "kept" / "x" / "one.txt").read_text() == "1\n"


def test_setup_python_gives_an_environment_of_its_own(yard: Any) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    yard.write(
        '[project]\nname = "ownthing"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']\n",
        "pyproject.toml",
    )
    report = yard.report_of(
        f"""
        - uses: actions/checkout@v4
        - {{id: py, uses: actions/setup-python@v5, with: {{python-version: "{version}"}}}}
        - run: |
            python -c 'import sys; assert sys.prefix != sys.base_prefix and "{version}" in sys.version'
            python3 -c 'import sys, os; assert sys.prefix == os.environ["pythonLocation"]'
            case "$(command -v pip)" in "$pythonLocation"/*) ;; *) exit 1 ;; esac
            case "$(pip --version)" in *"$pythonLocation"*) ;; *) exit 1 ;; esac
            test -n "${{{{ steps.py.outputs.python-version }}}}"
        - {{uses: actions/setup-python@v5, with: {{python-version-file: pyproject.toml}}}}
        """
    )
    assert report.result is Result.SUCCESS, "\n".join(yard.lines)
