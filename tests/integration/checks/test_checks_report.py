"""The report of a run: its shape, what it says of tests, artifacts and causes, and where it is kept."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import ecluse
from ecluse.checks import report as papers
from ecluse.model import Cause, Result

ROOT = Path(papers.__file__).parents[2]
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider -c /dev/null --rootdir ."

WHOLE = """
prepare:
  runs-on: ubuntu-latest
  permissions: {contents: read, id-token: write}
  environment: {name: "stage-${{ github.ref_name }}"}
  outputs: {word: "${{ steps.say.outputs.word }}"}
  steps:
    - {id: say, run: 'echo word=hello >> "$GITHUB_OUTPUT"; echo "# Made" >> "$GITHUB_STEP_SUMMARY"'}
    - run: mkdir out && echo 12345 > out/a.txt
    - uses: actions/upload-artifact@v4
      with: {name: made, path: out}
test:
  needs: prepare
  runs-on: ubuntu-latest
  strategy: {fail-fast: false, matrix: {fails: [0, 1]}}
  steps:
    - uses: actions/checkout@v4
    - run: RUN_PYTEST --junitxml=reports/junit.xml tests
      env: {FAILS: "${{ matrix.fails }}"}
elsewhere: {runs-on: ubuntu-latest, services: {db: {image: postgres}}, steps: [{run: 'true'}]}
"""


def fits(schema: dict[str, Any], value: Any, whole: dict[str, Any]) -> str:
    """What is wrong with ``value``, for the part of JSON Schema that our file uses; nothing when it fits."""
    if "$ref" in schema:
        return fits(whole["$defs"][schema["$ref"].rpartition("/")[2]], value, whole)
    if "anyOf" in schema:
        wrong = [fits(one, value, whole) for one in schema["anyOf"]]
        return "" if "" in wrong else " and ".join(wrong)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)}
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return f"{value!r} is no {schema['type']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is none of {schema['enum']}"
    for name in schema.get("required", ()):
        if name not in value:
            return f"{name} is missing"
    if isinstance(value, dict):
        inner = schema.get("additionalProperties", {})
        rules = schema.get("properties", {})
        unknown = set(value) - set(rules) if rules else set()
        found = [fits(rules.get(name, inner if inner is not True else {}), one, whole) for name, one in value.items()]
        return next((one for one in found if one), f"unknown: {unknown}" if unknown else "")
    if isinstance(value, list) and "items" in schema:
        return next((one for one in (fits(schema["items"], item, whole) for item in value) if one), "")
    return ""


@pytest.fixture
def whole(yard: Any) -> dict[str, Any]:
    yard.write(
        """
        import os, time

        def test_good():
            time.sleep(0.02)

        def test_maybe():
            assert os.environ["FAILS"] == "0", "it was told to fail"
        """,
        "tests/test_thing.py",
    )
    report = yard.jobs(WHOLE.replace("RUN_PYTEST", PYTEST))
    assert papers.from_json(json.loads(papers.to_bytes(report))) == report
    found: dict[str, Any] = json.loads(papers.to_bytes(report))
    return found


def test_a_whole_report(whole: dict[str, Any]) -> None:
    shipped = json.loads((Path(papers.__file__).parent / "report.schema.json").read_text("utf-8"))
    assert fits(shipped, whole, shipped) == ""
    jobs = {job["key"]: job for job in whole["jobs"]}
    assert jobs["test-1"]["result"] == "failure"  # what the job counts as: one of its combinations failed
    assert {key: job["outcome"] for key, job in jobs.items()} == {
        "prepare": "success", "test-1": "success", "test-2": "failure", "elsewhere": "failure",
    }  # fmt: skip
    assert jobs["prepare"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert jobs["prepare"]["environment"] == "stage-main"
    assert jobs["prepare"]["outputs"] == {"word": "hello"}
    assert jobs["prepare"]["steps"][0]["summary"] == "# Made\n"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", step["started_at"]) for step in jobs["prepare"]["steps"])
    assert whole["artifacts"] == [{"name": "made", "job": "prepare", "files": 1, "size_bytes": 6}]
    assert [(note["job"], "postgres" in note["why"] or "db" in note["why"]) for note in whole["not_run_here"]] == [
        ("elsewhere", True)
    ]
    assert jobs["test-2"]["matrix"] == {"fails": 1} and jobs["test-2"]["cause"] == whole["cause"] == "test"
    assert jobs["test-1"]["tests"]["passed"] == 2 and jobs["test-2"]["tests"]["failed"] == 1


def test_tests_are_named(whole: dict[str, Any]) -> None:
    tests = whole["tests"]
    assert (tests["counts"]["total"], tests["counts"]["passed"], tests["counts"]["failed"]) == (4, 3, 1)
    (failure,) = tests["failures"]
    assert failure["name"].endswith("test_thing::test_maybe") and failure["job"] == "test-2"
    assert "it was told to fail" in failure["message"]
    assert tests["slowest"][0]["name"].endswith("test_good") and tests["slowest"][0]["duration_ms"] >= 20
    assert sorted(tests["files"]) == ["test-1: reports/junit.xml", "test-2: reports/junit.xml"]


def test_the_shipped_schema_is_that_of_the_code() -> None:
    shipped = (Path(papers.__file__).parent / "report.schema.json").read_text("utf-8")
    assert json.loads(shipped) == papers.schema()


def test_the_page_names_every_field() -> None:
    page = (ROOT / "docs" / "report.md").read_text("utf-8")
    schema = papers.schema()
    names = {name for one in [schema, *schema["$defs"].values()] for name in one.get("properties", ())}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
    assert [cause.value for cause in Cause if f"`{cause.value}`" not in page] == []


def test_an_unreadable_version_and_another_document_are_said() -> None:
    with pytest.raises(ecluse.errors.Invalid, match="schema_version 9"):
        papers.from_json({"schema_version": 9})
    with pytest.raises(ecluse.errors.Invalid, match="not a report"):
        papers.from_json({"schema_version": 1, "jobs": 3})


COVERAGE = """<coverage><packages><package><classes><class filename="a.py"><lines>
<line number="1" hits="1"/><line number="2" hits="0"/></lines></class></classes></package></packages></coverage>"""


def test_coverage_of_several_jobs_is_one(yard: Any) -> None:
    said = json.dumps({"meta": {}, "files": {"a.py": {"executed_lines": [2], "missing_lines": [1, 3, 4]}}})
    report = yard.jobs(
        f"""
        a: {{runs-on: ubuntu-latest, steps: [{{run: "echo '$XML' > coverage.xml", env: {{XML: 'x'}}}}]}}
        b: {{runs-on: ubuntu-latest, steps: [{{run: 'echo "$JSON" > coverage.json', env: {{JSON: '{said}'}}}}]}}
        c:
          runs-on: ubuntu-latest
          steps:
            - run: echo "$XML" > deep.xml
              env:
                XML: '{COVERAGE.replace(chr(10), "")}'
        """
    )
    assert report.coverage is not None
    assert (report.coverage.covered, report.coverage.total, report.coverage.percent) == (2, 4, 50.0)
    jobs = {job.id: job for job in report.jobs}
    assert jobs["b"].coverage is not None and jobs["b"].coverage.percent == 25.0
    assert jobs["a"].coverage is None


def test_hostile_results_are_refused_by_name_and_the_job_goes_on(yard: Any) -> None:
    yard.write('<!DOCTYPE a [<!ENTITY x "y">]><testsuite><testcase name="&x;"/></testsuite>', "bomb.txt")
    report = yard.jobs(
        """
        a: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v4}, {run: cp bomb.txt junit.xml}]}
        """
    )
    assert report.result is Result.SUCCESS and report.tests is None
    (note,) = report.annotations
    assert note.level == "warning" and "junit.xml is not read" in note.message and "declarations" in note.message


def test_results_where_the_request_says(yard: Any) -> None:
    step = """- run: "mkdir o; echo '<testsuite><testcase name=\\"t\\"/></testsuite>' | tee a.xml > o/b.xml" """
    assert yard.steps(step).tests.total == 1
    yard.steps(step, results=("o/*.xml",))
    assert yard.jobs("a: {runs-on: x, steps: [{run: 'true'}]}", results=("o/*.xml",)).tests is None


REAL = {
    Cause.SYNTAX: ["python -c 'def ('", "bash -c 'if true; then'", "sh -c 'fi'"],
    Cause.PERMISSION: ["touch plain; ./plain", "rm /proc/version"],
    Cause.NETWORK: [
        "python -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:9/\")'",
        "git ls-remote http://127.0.0.1:9/x.git",
    ],
    Cause.TIMEOUT: ["timeout 0.1 sleep 5"],
    Cause.TEST: ["python -m unittest test_it"],
}


def test_causes_of_real_failures(yard: Any) -> None:
    """Each failure runs as a step of its own; what follows it runs all the same."""
    if shutil.which("git") is None or shutil.which("timeout") is None:
        pytest.skip("git and timeout are needed for these failures")
    lines = [(cause, line) for cause, some in REAL.items() for line in some]
    yard.write(
        "import unittest\nclass T(unittest.TestCase):\n    def test_x(self):\n        self.assertEqual(1, 2)\n",
        "test_it.py",
    )
    steps = ["- uses: actions/checkout@v4"]
    for _, line in lines:
        steps += ["- if: always()", f"  run: {json.dumps(line.replace('python ', sys.executable + ' '))}"]
    steps += ["- if: always()", "  timeout-minutes: 0.002", "  run: sleep 5"]
    job = yard.steps("\n".join(steps))
    wanted = [*(cause.value for cause, _ in lines), "timeout"]
    assert [step.cause for step in job.steps[1:]] == wanted, [step.tail for step in job.steps]
    assert job.cause == Cause.SYNTAX


def test_no_secret_is_in_a_report(yard: Any) -> None:
    token = secrets.token_hex(10)
    report = yard.jobs(
        """
        a:
          runs-on: ubuntu-latest
          steps:
            - name: step ${{ secrets.T }}
              env: {T: "${{ secrets.T }}"}
              run: |
                echo "$T" > "$T.txt"; echo "sum $T" >> "$GITHUB_STEP_SUMMARY"
                echo "<testsuite><testcase name='n $T' file='$T'><failure message='m $T'/></testcase></testsuite>" > "j$T.xml"
                echo "<coverage><class filename='$T.py'><lines><line number='1' hits='0'/></lines></class></coverage>" > c.xml
            - uses: actions/upload-artifact@v4
              with: {name: "art-${{ secrets.T }}", path: "*.txt"}
            - run: echo "::error file=${{ secrets.T }}::${{ secrets.T }}"; exit 3
        """,
        secrets={"T": token},
    )
    document = papers.to_bytes(report).decode()
    assert token not in document + json.dumps(yard.events)
    assert report.artifacts[0].name == "art-***" and report.tests.failures[0].name == "n ***"
    assert report.coverage.files[0].name == "***.py" and report.jobs[0].steps[0].summary == "sum ***\n"


def test_the_public_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "report.json").write_bytes(b'{"any": "report"}')
    for result in ("SUCCESS", "FAILURE", "SUCCESS"):
        ecluse.update_ci_status(result)
    copies = sorted(path.name for path in (tmp_path / "memory").glob("ci_report_*.json"))
    assert len(copies) == 3
    assert all(re.fullmatch(r"ci_report_\d{8}-\d{6}(-\d+)?\.json", name) for name in copies)
    assert all((tmp_path / "memory" / name).read_bytes() == b'{"any": "report"}' for name in copies)
    lines = (tmp_path / "memory" / "session.log").read_text("utf-8").splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert all(re.fullmatch(r"\[CI/CD\] Test run \d{4}(-\d\d){2}T\d\d(:\d\d){2} -> [A-Z]+", line) for line in lines)
    with pytest.raises(ecluse.errors.Invalid):
        ecluse.update_ci_status("SUCCESS", report_path="elsewhere.json")
