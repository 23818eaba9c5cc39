"""Workflows run as they would on GitHub: real shells, real processes, real git, in folders of their own."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, run
from ecluse.checks.report import from_json, to_bytes
from ecluse.model import Job, Report, Result


class Bench:
    """A folder with a workflow; runs it and keeps the events."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.logs = folder / "logs"
        self.events: list[dict[str, Any]] = []
        (self.tree / ".github" / "workflows").mkdir(parents=True)

    def write(self, text: str, path: str = ".github/workflows/ci.yml") -> None:
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, text: str = "", **request: Any) -> Report:
        if text:
            self.write(text)
        return run(self.tree, RunRequest(log_dir=self.logs, **request), self.events.append)

    def steps(self, jobs: str, **request: Any) -> Report:
        """Run one job ``a`` with these steps (a YAML list)."""
        body = textwrap.indent(textwrap.dedent(jobs), "      ")
        return self.run(f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{body}", **request)

    @property
    def lines(self) -> list[str]:
        return [str(event["text"]) for event in self.events if event["event"] == "line"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def job(report: Report, name: str) -> Job:
    return next(one for one in report.jobs if one.id == name)


def outcomes(report: Report, name: str = "a") -> list[str]:
    return [step.outcome.value for step in job(report, name).steps]


def test_green(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    report = bench.steps('- run: echo hello\n- run: test -z "$(ls -A)"')
    assert report.result is Result.SUCCESS
    assert bench.lines == ["hello"]
    assert [event["event"] for event in bench.events] == [
        "run.started", "job.started", "step.started", "line", "step.finished", "step.started", "step.finished",
        "job.finished", "run.finished",
    ]  # fmt: skip
    assert "hello" in (bench.logs / "a.log").read_text("utf-8")
    assert not list(tmp_path.glob("ecluse-run-*"))
    assert from_json(json.loads(to_bytes(report))) == report


def test_red_with_the_last_lines(bench: Bench) -> None:
    report = bench.steps("- run: seq 1 100; exit 7\n- run: echo never")
    failed, skipped = job(report, "a").steps
    assert report.result is Result.FAILURE
    assert (failed.outcome, failed.exit_code) == (Result.FAILURE, 7)
    assert failed.tail[-2:] == ("100", "##[error]Process completed with exit code 7.")
    assert len(failed.tail) == 40
    assert skipped.outcome is Result.SKIPPED and "never" not in bench.lines


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
def test_workflow(bench: Bench, name: str) -> None:
    text, wanted = CASES[name]
    report = bench.run(text)
    assert report.result is wanted, "\n".join(bench.lines)


def test_results_of_jobs_after_a_failure(bench: Bench) -> None:
    report = bench.run(CASES["a failed need skips its dependents, unless they say otherwise"][0])
    got = {one.id: one.result.value for one in report.jobs}
    assert got == {"a": "failure", "b": "skipped", "c": "success", "d": "skipped", "e": "success"}
    assert "a" in job(report, "b").reason


def test_conditions_of_steps(bench: Bench) -> None:
    report = bench.steps(
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


def test_secrets_are_masked_everywhere(bench: Bench) -> None:
    token = secrets.token_hex(12)
    many = f"{secrets.token_hex(8)}\n{secrets.token_hex(8)}"
    late = secrets.token_hex(10)
    report = bench.steps(
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
    everything = json.dumps(bench.events) + to_bytes(report).decode()
    everything += "".join(path.read_text("utf-8") for path in bench.logs.rglob("*") if path.is_file())
    for hidden in (token, *many.splitlines(), late):
        assert hidden not in everything
    assert "plain ***" in bench.lines and "late ***" in bench.lines and "sum ***" in everything
    assert report.annotations[0].message == "***" and report.annotations[0].line == 3


def test_an_output_with_a_secret_is_not_handed_on(bench: Bench) -> None:
    report = bench.run(
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


def alive(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see processes")
def test_a_step_that_takes_too_long_is_ended_with_its_children(bench: Bench) -> None:
    mark = f"1{secrets.randbelow(10**8):08d}"
    report = bench.steps(
        f"""
        - timeout-minutes: 0.01
          run: sleep {mark} & sleep {mark}
        - if: always()
          run: echo later
        """
    )
    assert outcomes(report) == ["failure", "success"]
    assert "did not end within" in job(report, "a").steps[0].reason
    assert alive(mark) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to see processes")
def test_a_daemon_of_a_step_does_not_outlive_the_run(bench: Bench) -> None:
    mark = f"2{secrets.randbelow(10**8):08d}"
    assert bench.steps(f"- run: setsid sleep {mark} > /dev/null 2>&1 < /dev/null &").result is Result.SUCCESS
    deadline = time.monotonic() + 10
    while alive(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(mark) == []


def test_a_job_that_takes_too_long_is_cancelled_and_cleans_up(bench: Bench) -> None:
    report = bench.run(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            timeout-minutes: 0.01
            steps:
              - run: sleep 60
              - run: echo no
              - {if: always(), run: echo cleaned}
        """
    )
    assert job(report, "a").result is Result.CANCELLED and "limit" in job(report, "a").reason
    assert outcomes(report) == ["cancelled", "skipped", "success"]
    assert report.result is Result.FAILURE


def test_fail_fast_cancels_the_siblings(bench: Bench) -> None:
    report = bench.run(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            strategy: {matrix: {v: [1, 60, 60, 60]}}
            steps: [{run: 'sleep ${{ matrix.v == 1 && 0.2 || matrix.v }}; exit 1'}]
        """
    )
    assert [one.result.value for one in report.jobs] == ["failure", "cancelled", "cancelled", "cancelled"]


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
def test_what_is_not_supported_fails_and_says_so(bench: Bench, step: str, words: str) -> None:
    report = bench.steps(step)
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
def test_jobs_that_cannot_run_here_fail_and_say_so(bench: Bench, body: str, words: str) -> None:
    report = bench.run(f"on: push\njobs:\n  a:\n    {body}\n")
    assert report.result is Result.FAILURE
    assert words in job(report, "a").reason and job(report, "a").steps == ()


def test_checkout_brings_the_tree_with_uncommitted_files_and_a_repository(bench: Bench) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=bench.tree, check=True, capture_output=True)

    bench.write("one\n", "kept.txt")
    bench.write("ignored.txt\n", ".gitignore")
    git("init", "-q", "-b", "main", ".")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    bench.write("two\n", "kept.txt")
    bench.write("new\n", "folder/untracked.txt")
    bench.write("x\n", "ignored.txt")
    (bench.tree / "link").symlink_to("kept.txt")
    report = bench.steps(
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
    assert report.result is Result.SUCCESS, "\n".join(bench.lines)
    assert " M kept.txt" in bench.lines
    assert (bench.tree / "kept.txt").read_text() == "two\n"


def test_checkout_does_not_follow_links_out_of_the_workspace(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("mine")
    bench.write("theirs\n", "folder/file.txt")
    report = bench.steps(
        f"""
        - run: ln -s {outside} folder
        - {{uses: actions/checkout@v4, with: {{clean: false}}}}
        - {{uses: actions/checkout@v4, with: {{path: ../../..}}}}
        """
    )
    assert outcomes(report) == ["success", "success", "failure"]
    assert (outside / "file.txt").read_text() == "mine"


def test_composite_actions(bench: Bench) -> None:
    bench.write(
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
    report = bench.steps(
        """
        - uses: actions/checkout@v4
        - {id: good, uses: ./act, with: {must: 0}, env: {EXTRA: e}}
        - run: test "${{ steps.good.outputs.said }}" = world-e && test -z "$EXTRA"
        - {uses: ./act, with: {must: 4, who: you}, continue-on-error: true}
        - {uses: ./act, with: {must: 5}}
        """
    )
    assert outcomes(report) == ["success", "success", "success", "failure", "failure"], "\n".join(bench.lines)
    assert bench.lines.count("rescued") == 2
    assert job(report, "a").steps[4].exit_code == 5


def test_artifacts_go_from_job_to_job(bench: Bench) -> None:
    report = bench.run(
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
    assert (bench.logs / "artifacts" / "kept" / "x" / "one.txt").read_text() == "1\n"


def test_setup_python_gives_an_environment_of_its_own(bench: Bench) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    bench.write(
        '[project]\nname = "ownthing"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']\n",
        "pyproject.toml",
    )
    report = bench.steps(
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
    assert report.result is Result.SUCCESS, "\n".join(bench.lines)


def test_a_wrong_workflow_runs_nothing(bench: Bench) -> None:
    from ecluse.errors import Invalid

    with pytest.raises(Invalid) as caught:
        bench.run("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - rn: echo\n")
    assert "ci.yml:6:9" in caught.value.message and bench.events == []


def test_dry_run_runs_nothing(bench: Bench) -> None:
    report = bench.steps("- run: echo no", dry_run=True)
    assert report.jobs[0].result is Result.SKIPPED and bench.events == []


def test_expressions_see_the_pull_request(bench: Bench) -> None:
    report = bench.run(
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
    assert report.result is Result.SUCCESS, "\n".join(bench.lines)


# -- the detached entry and the door ------------------------------------------------------------------------------


def detached(folder: Path, tree: Path, **request: Any) -> subprocess.Popen[bytes]:
    folder.mkdir()
    document = {"tree": str(tree), "request": RunRequest(**request).to_json()}
    (folder / "check.json").write_text(json.dumps(document))
    return subprocess.Popen([sys.executable, "-m", "ecluse.checks", str(folder)])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo hi}]}}\n", 0),
        ("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}}\n", 5),
        ("on: push\njobs: {a: {}}\n", 2),
    ],
)
def test_the_detached_entry(bench: Bench, tmp_path: Path, text: str, status: int) -> None:
    bench.write(text)
    folder = tmp_path / "job"
    assert detached(folder, bench.tree).wait(60) == status
    document = json.loads((folder / "report.json").read_bytes())
    if status == 2:
        assert document["problem"]["code"] == "workflow.invalid" and document["problem"]["hint"]
    else:
        assert from_json(document).result is (Result.SUCCESS if status == 0 else Result.FAILURE)
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        assert events[-1]["event"] == "run.finished"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see processes")
def test_a_detached_run_that_is_asked_to_end_ends_its_steps(bench: Bench, tmp_path: Path) -> None:
    mark = f"3{secrets.randbelow(10**8):08d}"
    bench.write(
        f"on: push\njobs: {{a: {{runs-on: ubuntu-latest, steps: [{{run: sleep {mark}}}, {{if: always(), run: sleep {mark}}}]}}}}\n"
    )
    process = detached(tmp_path / "job", bench.tree)
    deadline = time.monotonic() + 30
    while not alive(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(mark)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert alive(mark) == []


def ecluse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecluse", "run", *words], cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_the_door_shows_progress_and_keeps_the_report(bench: Bench) -> None:
    bench.write("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo deep inside; exit 1}]}}\n")
    done = ecluse(bench.tree)
    assert done.returncode == 5 and done.stdout == ""
    assert "deep inside" in done.stderr and "red" in done.stderr
    assert json.loads((bench.tree / "reports" / "report.json").read_bytes())["result"] == "failure"
    assert "-> FAILURE" in (bench.tree / "memory" / "session.log").read_text()


def test_the_door_prints_documents_and_events(bench: Bench, tmp_path: Path) -> None:
    bench.write("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo ${{ secrets.S }}'}]}}\n")
    secret = secrets.token_hex(8)
    done = ecluse(bench.tree, "--json", "--report", str(tmp_path / "r.json"), "--secret", f"S={secret}")
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads((tmp_path / "r.json").read_bytes())
    assert not (bench.tree / "reports").exists()
    streamed = ecluse(bench.tree, "--events", "--report", str(tmp_path / "r.json"), "--secret", f"S={secret}")
    assert [json.loads(line)["event"] for line in streamed.stdout.splitlines()][-1] == "run.finished"
    assert secret not in done.stdout + done.stderr + streamed.stdout + streamed.stderr


def test_the_door_tells_faults_and_plans(bench: Bench) -> None:
    bench.write("on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{name: Compile, run: make}]}\n")
    planned = ecluse(bench.tree, "--dry-run")
    assert planned.returncode == 0 and "Compile" in planned.stdout
    assert not (bench.tree / "reports").exists()
    bench.write("on: push\njobs:\n  a: {runs-onn: ubuntu-latest}\n")
    wrong = ecluse(bench.tree)
    assert wrong.returncode == 2 and "ci.yml:3:7" in wrong.stderr and "next:" in wrong.stderr
    assert ecluse(bench.tree, "--secret", "NOT_IN_THE_ENVIRONMENT_AT_ALL").returncode == 2
    assert ecluse(bench.tree, "nowhere.yml").returncode == 2
