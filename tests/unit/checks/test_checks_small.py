"""Small parts of the checks: versions, requests, reports, patterns, printed commands, environment files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse import update_ci_status
from ecluse.checks import RunRequest
from ecluse.checks import report as papers
from ecluse.checks.commands import parse
from ecluse.checks.contexts import inherited_environment, wants_debug
from ecluse.checks.envfiles import FileCommandProblem, parse_pairs
from ecluse.checks.globs import matches as glob_matches
from ecluse.checks.globs import path_pattern
from ecluse.checks.shells import choose
from ecluse.checks.versions import matches
from ecluse.checks.versions import parse as parse_version
from ecluse.errors import Invalid, Unsupported
from ecluse.model import Annotation, Job, Report, Result, Step


@pytest.mark.parametrize(
    ("wish", "fits", "fits_not"),
    [
        ("3.11", (3, 11, 7), (3, 12, 0)),
        ("3", (3, 12, 0), (2, 7, 18)),
        ("3.x", (3, 9, 1), (2, 7, 18)),
        ("3.11.x", (3, 11, 1), (3, 1, 1)),
        ("3.11.7", (3, 11, 7), (3, 11, 6)),
        (">=3.9 <3.13", (3, 12, 9), (3, 13, 0)),
        (">= 3.9, < 3.13", (3, 9, 0), (3, 8, 9)),
        ("3.9 - 3.11", (3, 10, 0), (3, 12, 0)),
        ("^18.2", (18, 3, 0), (19, 0, 0)),
        ("~18.2", (18, 2, 9), (18, 3, 0)),
        ("~=3.9", (3, 12, 0), (4, 0, 0)),
        ("3.8 || 3.12", (3, 12, 0), (3, 9, 0)),
        ("*", (1, 2, 3), None),
        ("3.14-dev", (3, 14, 0), (3, 13, 0)),
        ("!=3.12", (3, 11, 0), (3, 12, 3)),
    ],
)
def test_version_wishes(wish: str, fits: tuple[int, ...], fits_not: tuple[int, ...] | None) -> None:
    assert matches(wish, fits)
    assert fits_not is None or not matches(wish, fits_not)


def test_a_wish_that_is_not_understood_is_refused() -> None:
    with pytest.raises(Unsupported):
        matches("pypy3.9", (3, 9, 0))
    assert parse_version("v20.1.2\n") == (20, 1, 2)


def test_a_request_survives_json_and_never_carries_secrets() -> None:
    request = RunRequest(
        workflows=("a.yml",),
        secrets={"TOKEN": "not to be written"},
        matrix={"v": ("1", "2")},
        changed=("x",),
        log_dir=Path("logs"),
        event_payload={"a": [1]},
    )
    text = json.dumps(request.to_json())
    assert "not to be written" not in text and "not to be written" not in repr(request)
    again = RunRequest.from_json(json.loads(text))
    assert again == RunRequest(**{**{f: getattr(request, f) for f in request.__slots__}, "secrets": {}})
    with pytest.raises(Invalid, match="nonsense"):
        RunRequest.from_json({"nonsense": 1})
    with pytest.raises(Invalid, match="secrets"):
        RunRequest.from_json({"secrets": {"A": "b"}})


def make_report(result: Result = Result.SUCCESS) -> Report:
    step = Step(1, "s", "Run x", Result.FAILURE, Result.SUCCESS, 1.5, 3, "why", ("last", "lines"))
    job = Job(
        "a",
        "a (1)",
        "ci.yml",
        result,
        needs=("z",),
        matrix={"v": 1},
        outputs={"o": "1"},
        steps=(step,),
        job_result=result,
    )
    note = Annotation("error", "said", "a", "f.py", 3)
    return Report(result, "push", "c" * 40, "t" * 40, "2025-01-01T00:00:00.000000Z", 9.0, (job,), (note,))


def test_a_report_survives_json() -> None:
    report = make_report()
    document = json.loads(papers.to_bytes(report))
    assert document["schema_version"] == 1
    assert document["jobs"][0]["steps"][0]["outcome"] == "failure"
    assert papers.from_json(document) == report
    for broken in ({}, {**document, "schema_version": 2}, {**document, "result": "fine"}, {**document, "jobs": [{}]}):
        with pytest.raises(Invalid):
            papers.from_json(broken)


def test_reports_are_kept_and_two_in_one_second_do_not_collide(tmp_path: Path) -> None:
    first = papers.write(make_report(), tmp_path)
    second = papers.write(make_report(Result.FAILURE), tmp_path)
    assert first != second
    assert json.loads((tmp_path / "reports" / "report.json").read_bytes())["result"] == "failure"
    assert json.loads(first.read_bytes())["result"] == "success"
    lines = (tmp_path / "memory" / "session.log").read_text("utf-8").splitlines()
    assert [line.rpartition(" -> ")[2] for line in lines] == ["SUCCESS", "FAILURE"]
    assert lines[0].startswith("[CI/CD] Test run 20")


def test_update_ci_status_works_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid, match="There is no file"):
        update_ci_status("SUCCESS")
    Path("reports").mkdir()
    Path("reports/report.json").write_text("{}")
    update_ci_status("SUCCESS")
    update_ci_status("SUCCESS", report_path="reports/report.json")
    assert len(list(Path("memory").glob("ci_report_*.json"))) == 2
    assert Path("memory/session.log").read_text().count("-> SUCCESS") == 2


@pytest.mark.parametrize(
    ("patterns", "name", "selected"),
    [
        (["*"], "a/b", False),
        (["**"], "a/b", True),
        (["**/x/**"], "x/y", True),
        (["*.jsx?"], "a.js", True),
        (["v[0-9]+.*"], "v12.1", True),
        (["*.md", "!README.md"], "README.md", False),
        (["!README.md", "*.md"], "README.md", True),
        (["a.b"], "axb", False),
        (["\\*"], "*", True),
        (["["], "[", True),
    ],
)
def test_filter_patterns(patterns: list[str], name: str, selected: bool) -> None:
    assert glob_matches(patterns, name) is selected


@given(st.text(alphabet="ab*?[]+!\\/.", max_size=12), st.text(alphabet="ab/.", max_size=12))
def test_any_pattern_can_be_tried(pattern: str, name: str) -> None:
    assert glob_matches([pattern], name) in (True, False)
    path_pattern(pattern)


@pytest.mark.parametrize("pattern", ["[!]", "[^]", "[b-a]", "[]"])
def test_a_bracket_that_is_no_set_stands_for_itself(pattern: str) -> None:
    assert path_pattern(pattern).fullmatch(pattern)
    assert glob_matches([pattern], pattern)


def test_path_patterns_bring_what_a_folder_holds() -> None:
    assert path_pattern("dist").fullmatch("dist/a/b.txt")
    assert path_pattern("./dist/*.txt").fullmatch("dist/b.txt")
    assert not path_pattern("dist/*.txt").fullmatch("dist/a/b.txt")
    assert path_pattern("**/*.txt").fullmatch("b.txt")


def test_printed_commands_are_read() -> None:
    command = parse("  ::error file=a%2Cb.py,line=3::bad%0Athing")
    assert command is not None
    assert (command.name, command.data, command.properties) == (
        "error",
        "bad\nthing",
        {"file": "a,b.py", "line": "3"},
    )
    assert parse("x ::error::y") is None
    assert parse("##[group]title") is not None
    assert parse("a plain line") is None


def test_environment_files_are_read() -> None:
    assert parse_pairs("A=1\r\nB<<E\nx=1\n\ny\nE\nC<<=\n=\n") == {"A": "1", "B": "x=1\n\ny", "C": ""}
    for faulty in ("A", "=1", "A<<\n", "A<<E\nx", "A<<E\nx\n"):
        with pytest.raises(FileCommandProblem):
            parse_pairs(faulty)


def test_steps_inherit_little() -> None:
    source = {
        "PATH": "/venv/bin:/usr/bin",
        "VIRTUAL_ENV": "/venv",
        "GIT_DIR": "/x",
        "PYTHONPATH": "/y",
        "HOME": "/home",
        "LC_ALL": "C",
        "SOME_TOKEN": "t",
    }
    assert inherited_environment(source) == {"PATH": "/usr/bin", "HOME": "/home", "LC_ALL": "C"}


def test_shells() -> None:
    assert choose("", lambda name: name).command("s") == ["bash", "-e", "s"]
    assert choose("", lambda name: None).command("s") == ["sh", "-e", "s"]
    assert choose("bash", lambda name: name).command("s") == ["bash", "--noprofile", "--norc", "-eo", "pipefail", "s"]
    assert choose("node", lambda name: name).command("s.js") == ["node", "s.js"]
    assert choose("perl -w {0}", lambda name: name).command("s") == ["perl", "-w", "s"]
    assert choose("python", lambda name: None).command("s") == ["python3", "s"]
    for wrong in ("cmd", "fish"):
        with pytest.raises(Unsupported):
            choose(wrong, lambda name: name)


def test_a_folder_of_interpreters_that_cannot_be_read_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from ecluse.checks import pythons

    monkeypatch.setenv("PYENV_ROOT", "/" + "x" * 5000)  # as unreadable for root as for anybody
    assert pythons.known(os.environ["PATH"])


def test_the_secret_that_asks_for_debugging_goes_before_the_variable() -> None:
    name = "ACTIONS_STEP_DEBUG"
    assert wants_debug(RunRequest(vars={name: "True"})) and wants_debug(RunRequest(secrets={name: "true"}))
    assert not wants_debug(RunRequest(vars={name: "true"}, secrets={name: "false"}))
