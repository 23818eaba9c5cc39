"""What steps may say and what they find: commands, environment files, problem matchers, variables, contexts, limits."""

from __future__ import annotations

import json
import secrets
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, run
from ecluse.checks.labels import system_here
from ecluse.checks.report import to_json
from ecluse.errors import Invalid
from ecluse.model import Job, Report, Result

OTHER = "macos-14" if system_here() == "Linux" else "ubuntu-latest"

DOCUMENTED = [
    "CI",
    "GITHUB_ACTION",
    "GITHUB_ACTIONS",
    "GITHUB_ACTOR",
    "GITHUB_ACTOR_ID",
    "GITHUB_API_URL",
    "GITHUB_BASE_REF",
    "GITHUB_ENV",
    "GITHUB_EVENT_NAME",
    "GITHUB_EVENT_PATH",
    "GITHUB_GRAPHQL_URL",
    "GITHUB_HEAD_REF",
    "GITHUB_JOB",
    "GITHUB_OUTPUT",
    "GITHUB_PATH",
    "GITHUB_REF",
    "GITHUB_REF_NAME",
    "GITHUB_REF_PROTECTED",
    "GITHUB_REF_TYPE",
    "GITHUB_REPOSITORY",
    "GITHUB_REPOSITORY_ID",
    "GITHUB_REPOSITORY_OWNER",
    "GITHUB_REPOSITORY_OWNER_ID",
    "GITHUB_RETENTION_DAYS",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_RUN_ID",
    "GITHUB_RUN_NUMBER",
    "GITHUB_SERVER_URL",
    "GITHUB_SHA",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_TRIGGERING_ACTOR",
    "GITHUB_WORKFLOW",
    "GITHUB_WORKFLOW_REF",
    "GITHUB_WORKFLOW_SHA",
    "GITHUB_WORKSPACE",
    "RUNNER_ARCH",
    "RUNNER_DEBUG",
    "RUNNER_ENVIRONMENT",
    "RUNNER_NAME",
    "RUNNER_OS",
    "RUNNER_TEMP",
    "RUNNER_TOOL_CACHE",
]
"""GitHub's list of default variables of a `run` step; RUNNER_DEBUG is there when debugging was asked for."""


class Bench:
    """A folder with a workflow; runs it and keeps what it says."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.logs = folder / "logs"
        self.events: list[dict[str, Any]] = []
        (self.tree / ".github" / "workflows").mkdir(parents=True)

    def run(self, text: str, **request: Any) -> Report:
        path = self.tree / ".github" / "workflows" / "ci.yml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return run(self.tree, RunRequest(log_dir=self.logs, **request), self.events.append)

    def job(self, steps: str, head: str = "", **request: Any) -> Job:
        """Run one job ``a`` with these steps (a YAML list) and more of its own keys."""
        body = textwrap.indent(textwrap.dedent(steps), "      ")
        self.report = self.run(
            f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n{head}    steps:\n{body}", **request
        )
        return self.report.jobs[0]

    @property
    def lines(self) -> list[str]:
        return [str(event["text"]) for event in self.events if event["event"] == "line"]

    @property
    def notes(self) -> list[tuple[str, str]]:
        return [(note.level, note.message) for note in self.report.annotations]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_documented_variable_is_there_and_those_of_the_runner_cannot_be_changed(bench: Bench) -> None:
    names = " ".join(DOCUMENTED)
    job = bench.job(
        f"""
        - run: |
            for name in {names}; do test -n "${{!name+set}}" || {{ echo "$name is missing"; exit 1; }}; done
            test "$GITHUB_ACTION/$GITHUB_JOB/$RUNNER_OS" = "__run/a/{system_here()}"
            echo GITHUB_SHA=changed >> $GITHUB_ENV
        - {{id: own, run: 'test "$GITHUB_ACTION" = own'}}
        - env: {{RUNNER_OS: mine, GITHUB_JOB: mine, CI: mine}}
          run: test "$RUNNER_OS/$GITHUB_JOB/$CI/$GITHUB_SHA" = "{system_here()}/a/mine/{"0" * 40}"
        - run: test "${{{{ github.action }}}}/${{{{ runner.debug }}}}" = __run_3/1
        - run: |
            echo "A=1" >> ${{{{ github.env }}}}; echo "B=2" >> ${{{{ github.output }}}}; echo "# x" >> ${{{{ github.step_summary }}}}
          id: files
        - run: test "$A-${{{{ steps.files.outputs.B }}}}" = 1-2
        """,
        vars={"ACTIONS_STEP_DEBUG": "true"},
    )
    assert job.result is Result.SUCCESS, bench.lines
    assert (bench.logs / "a.summary.md").read_text("utf-8").strip() == "# x"


def test_each_run_has_an_id_of_its_own(bench: Bench) -> None:
    ids = set()
    for _ in range(2):
        job = bench.job(
            "- {id: s, run: 'echo v=$GITHUB_RUN_ID >> $GITHUB_OUTPUT'}",
            "    outputs: {v: '${{ steps.s.outputs.v }}'}\n",
        )
        ids.add(job.outputs["v"])
    assert len(ids) == 2


def test_environment_nearer_and_later_wins(bench: Bench) -> None:
    report = bench.run("""
        on: push
        env: {A: workflow, B: workflow, C: workflow, D: workflow}
        jobs:
          a:
            runs-on: ubuntu-latest
            env: {B: job, C: job, D: "${{ github.event_name }}-job"}
            steps:
              - {env: {C: step}, run: 'test "$A$B$C$D" = workflowjobsteppush-job'}
              - run: echo B=file >> $GITHUB_ENV; echo C=file >> $GITHUB_ENV
              - {env: {C: step}, run: 'test "$A$B$C" = workflowfilestep'}
              - run: test "${{ env.B }}$C" = filefile
    """)
    assert report.result is Result.SUCCESS, bench.lines


def test_problem_matchers_find_what_tools_say(bench: Bench) -> None:
    pattern = {"regexp": r"^(\S+):(\d+): (warning|error) (.*)$", "file": 1, "line": 2, "severity": 3, "message": 4}
    matcher = json.dumps({"problemMatcher": [{"owner": "tool", "pattern": [pattern]}]})
    hidden = secrets.token_hex(12)
    job = bench.job(
        f"""
        - run: |
            echo '{matcher}' > m.json
            echo "a.c:1: error too early"
            echo "::add-matcher::m.json"
        - run: |
            echo "a.c:3: warning odd ${{{{ secrets.KEY }}}}"
            echo "$PWD/b.c:4: error bad"
        - run: |
            echo "::remove-matcher owner=tool::"
            echo "a.c:5: error too late"
        - {{continue-on-error: true, run: 'echo "::add-matcher::absent.json"'}}
        """,
        secrets={"KEY": hidden},
    )
    assert job.result is Result.SUCCESS
    found = [(note.level, note.path, note.line, note.message) for note in bench.report.annotations if note.line]
    assert found == [("warning", "a.c", 3, "odd ***"), ("error", "b.c", 4, "bad")]
    assert job.steps[3].outcome is Result.FAILURE
    assert "##[error]Unable to process command 'add-matcher' successfully." in bench.lines


COMMANDS: dict[str, tuple[str, Result, list[str], list[str]]] = {
    "annotations": (
        "echo '::warning file=x.py,line=3,col=4,title=T::careful%0Aplease'; echo '::notice::hm'; echo '::debug::silent'",
        Result.SUCCESS,
        ["##[warning]careful", "##[warning]please", "##[notice]hm"],
        ["silent"],
    ),
    "stop-commands": (
        "echo '::stop-commands::t0ken'; echo '::warning::text'; echo '::T0KEN::'; echo '::notice::again'",
        Result.SUCCESS,
        ["::stop-commands::t0ken", "::warning::text", "##[notice]again"],
        ["##[warning]text"],
    ),
    "a weak stop token": (
        "echo '::stop-commands::'",
        Result.FAILURE,
        ["##[error]Unable to process command 'stop-commands' successfully."],
        [],
    ),
    "echo": (
        "echo '::echo::on'; echo '::set-output name=a::1'; echo '::echo::off'; echo '::set-output name=b::2'",
        Result.SUCCESS,
        ["::set-output name=a::1"],
        ["::set-output name=b::2"],
    ),
    "a wrong echo": ("echo '::echo::maybe'", Result.FAILURE, ["Current value is: 'maybe'."], []),
    "an output without a name": (
        "echo '::set-output::1'",
        Result.FAILURE,
        ["##[error]Required field 'name' is missing in ##[set-output] command."],
        [],
    ),
    "groups and unknown commands": (
        "echo '::group::G'; echo '::unheard::of'; echo '::endgroup::'",
        Result.SUCCESS,
        ["##[group]G", "::unheard::of", "##[endgroup]"],
        [],
    ),
    "disabled commands": (
        "echo '::set-env name=A::1'",
        Result.FAILURE,
        ["The `set-env` command is disabled"],
        [],
    ),
    "a blocked variable": (
        "echo NODE_OPTIONS=--x >> $GITHUB_ENV",
        Result.SUCCESS,
        ["##[error]Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command."],
        [],
    ),
    "a wrong environment file, and the others count": (
        "echo 'no equals' >> $GITHUB_ENV; echo v=1 >> $GITHUB_OUTPUT",
        Result.FAILURE,
        ["##[error]Unable to process file command 'env' successfully.", "##[error]Invalid format 'no equals'"],
        [],
    ),
    "a wrong output file": (
        "printf 'v<<END\\n1\\n' >> $GITHUB_OUTPUT",
        Result.FAILURE,
        [
            "##[error]Unable to process file command 'output' successfully.",
            "##[error]Invalid value. Matching delimiter not found 'END'",
        ],
        [],
    ),
    "a summary that is too large": (
        "head -c 1100000 /dev/zero | tr '\\0' x >> $GITHUB_STEP_SUMMARY",
        Result.SUCCESS,
        ["##[error]$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got 1074k."],
        [],
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(bench: Bench, name: str) -> None:
    script, result, said, unsaid = COMMANDS[name]
    job = bench.job(f"- id: s\n  run: |\n    {script}\n")
    assert job.result is result
    whole = "\n".join(bench.lines)
    assert all(text in whole for text in said), whole
    assert not any(text in bench.lines for text in unsaid), whole


def test_annotations_tell_place_and_title(bench: Bench) -> None:
    bench.job("- run: echo '::error file=src/x.py,line=3,col=4,title=Bad::broken'")
    (note,) = bench.report.annotations
    assert (note.level, note.path, note.line, note.column, note.title) == ("error", "src/x.py", 3, 4, "Bad")


def test_a_secret_that_is_masked_by_command_is_not_echoed(bench: Bench) -> None:
    value = secrets.token_hex(12)
    bench.job(f"- run: 'echo ::echo::on; echo ::add-mask::{value}; echo {value}'")
    assert "***" in bench.lines and not any(value in line for line in bench.lines)


def test_shells(bench: Bench) -> None:
    python = Path(sys.executable).name
    job = bench.job(
        f"""
        - {{shell: sh, run: 'test -z "$BASH_VERSION" || test -n "$POSIXLY_CORRECT" || true'}}
        - {{shell: python, run: 'import sys; assert sys.version_info'}}
        - {{shell: '{python} -B {{0}}', run: 'import sys; assert sys.dont_write_bytecode'}}
        - {{shell: bash, id: pipe, continue-on-error: true, run: 'false | true'}}
        - {{id: plain, run: 'false | true'}}
        - {{shell: 'cat {{0}}', run: 'only shown'}}
        - {{run: 'test $(basename $PWD) = deep', working-directory: made/deep}}
        - {{id: cmd, shell: cmd, continue-on-error: true, run: dir}}
        """.replace("- {run: 'test $(base", "- run: mkdir -p made/deep\n        - {run: 'test $(base"),
    )
    assert job.result is Result.SUCCESS, bench.lines
    assert "only shown" in bench.lines
    outcomes = {step.id: step.outcome for step in job.steps if step.id}
    assert outcomes == {"pipe": Result.FAILURE, "plain": Result.SUCCESS, "cmd": Result.FAILURE}
    assert any("exists on Windows only" in line for line in bench.lines)


def test_names_environment_and_permissions_are_recorded(bench: Bench) -> None:
    report = bench.run(
        """
        name: Deploy
        run-name: Deploy ${{ inputs.to }} by @${{ github.actor }}
        on: {workflow_dispatch: {inputs: {to: {type: choice, options: [a, b], default: b}, dry: {type: boolean}}}}
        permissions: {contents: read}
        jobs:
          a:
            runs-on: ubuntu-latest
            permissions: {contents: read, id-token: write}
            environment: {name: "${{ inputs.to }}", url: "${{ steps.s.outputs.url }}"}
            steps:
              - {id: s, run: 'echo url=https://example.invalid/x >> $GITHUB_OUTPUT'}
              - run: test "${{ github.event.inputs.dry }}" = false -a "${{ inputs.dry && 1 || 2 }}" = 2
          b: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}
        """,
        event="workflow_dispatch",
        actor="ada",
    )
    assert report.result is Result.SUCCESS
    document = to_json(report)
    assert document["workflows"] == {".github/workflows/ci.yml": {"name": "Deploy", "run_name": "Deploy b by @ada"}}
    a, b = document["jobs"]
    assert (a["environment"], a["environment_url"]) == ("b", "https://example.invalid/x")
    assert a["permissions"] == {"contents": "read", "id-token": "write"} and b["permissions"] == {"contents": "read"}


def test_a_schedule_is_told_to_the_workflow(bench: Bench) -> None:
    report = bench.run(
        """
        on: {schedule: [{cron: "7 4 * * *"}]}
        jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'test "${{ github.event.schedule }}" = "7 4 * * *"'}]}}
        """,
        event="schedule",
    )
    assert report.result is Result.SUCCESS


def test_inputs_are_empty_unless_the_run_was_started_with_them(bench: Bench) -> None:
    text = """
        on: {push: , workflow_dispatch: {inputs: {who: {default: all}}}, workflow_call: {inputs: {who: {type: string, default: us}}}}
        jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo "who=${{ inputs.who }}"'}]}}
    """
    for event, given, wanted in (
        ("push", {}, "who="),
        ("workflow_dispatch", {}, "who=all"),
        ("workflow_dispatch", {"WHO": "me"}, "who=me"),
        ("workflow_call", {}, "who=us"),
    ):
        bench.events.clear()
        bench.run(text, event=event, inputs=given)
        assert bench.lines == [wanted]


def test_jobs_for_another_system_stand_in_are_skipped_or_fail_and_always_say_so(bench: Bench) -> None:
    text = f"""
        on: push
        jobs:
          a:
            runs-on: ${{{{ matrix.os }}}}
            strategy: {{fail-fast: false, matrix: {{os: [{OTHER}, windows-latest, ubuntu-latest]}}}}
            steps: [{{run: 'test "${{{{ runner.os }}}}" = {system_here()}'}}]
          b: {{needs: a, runs-on: ubuntu-latest, steps: [{{run: 'true'}}]}}
    """
    report = bench.run(text, platforms={"windows-*": "skip"})
    by_name = {job.name: job for job in report.jobs}
    assert report.result is by_name["b"].result is Result.SUCCESS
    assert by_name[f"a ({OTHER})"].result is Result.SUCCESS and "in its place" in by_name[f"a ({OTHER})"].reason
    assert by_name["a (windows-latest)"].result is Result.SKIPPED and by_name["a (windows-latest)"].reason
    assert any("in its place" in note.message for note in report.annotations)
    report = bench.run(text)
    assert report.result is Result.FAILURE
    assert [job.result.value for job in report.jobs] == ["success", "failure", "success", "skipped"]
    assert "--platform windows-latest=skip" in report.jobs[1].reason


def test_the_report_tells_a_combination_and_what_its_job_counts_as(bench: Bench) -> None:
    report = bench.run("""
        on: push
        jobs:
          m:
            runs-on: ubuntu-latest
            strategy: {fail-fast: false, matrix: {ok: [true, false]}}
            steps: [{run: '${{ matrix.ok }}'}]
          t: {runs-on: ubuntu-latest, continue-on-error: true, steps: [{run: 'false'}]}
    """)
    told = [(job["id"], job["outcome"], job["result"]) for job in to_json(report)["jobs"]]
    assert told == [("m", "success", "failure"), ("m", "failure", "failure"), ("t", "failure", "success")]


def test_limits_of_time_that_make_no_sense_fail_the_job(bench: Bench) -> None:
    job = bench.job("- run: 'true'", "    timeout-minutes: ${{ fromJSON('0') }}\n")
    assert job.result is Result.FAILURE and "must be a number above 0" in job.reason
    job = bench.job("- {timeout-minutes: 0.0, run: 'true'}")
    assert job.result is Result.FAILURE


def test_the_grace_of_always_steps_is_what_the_job_says(bench: Bench) -> None:
    job = bench.job(
        "- run: sleep 60\n- {if: always(), run: echo cleaning; sleep 60}\n",
        "    timeout-minutes: 0.005\n    cancel-timeout-minutes: 0.03\n",
    )
    assert job.result is Result.CANCELLED and "cleaning" in bench.lines


def test_the_event_document_names_the_ref_and_the_base(bench: Bench) -> None:
    text = """
        on: {push: {tags: ["v*"]}, pull_request: {branches: [release]}}
        jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo "$GITHUB_REF_TYPE $GITHUB_REF_NAME $GITHUB_BASE_REF"'}]}}
    """
    assert bench.run(text, event_payload={"ref": "refs/tags/v1"}).result is Result.SUCCESS
    pull = {"number": 7, "pull_request": {"number": 7, "base": {"ref": "release"}, "head": {"ref": "x"}}}
    assert bench.run(text, event="pull_request", event_payload=pull).result is Result.SUCCESS
    assert bench.lines == ["tag v1 ", "branch 7/merge release"]
    with pytest.raises(Invalid, match="is started by"):
        bench.run(text, event_payload={"ref": "refs/heads/main"})


def test_a_title_that_cannot_be_computed_fails_nothing_and_has_one_line(bench: Bench) -> None:
    job = bench.job("""
        - {name: "${{ fromJSON('x') }}", run: 'true'}
        - run: test "${{ toJSON(runner.os) }}${{ toJSON(strategy) }}" != ""
    """)
    assert job.result is Result.SUCCESS
    assert job.steps[0].name == "${{ fromJSON('x') }}"
    assert "\n" not in job.steps[1].name


def test_a_workflow_that_the_event_does_not_start_says_so_when_it_was_named(bench: Bench) -> None:
    text = "on: pull_request\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'test ${{ vars.V }} = 1'}]}}\n"
    bench.report = bench.run(text, workflows=(".github/workflows/ci.yml",), vars={"V": "1"})
    assert bench.report.result is Result.SUCCESS
    assert "is not started by push" in bench.notes[0][1]
