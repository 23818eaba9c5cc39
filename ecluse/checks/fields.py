"""What the fields of a run's report mean: the descriptions in its JSON Schema, of which the reference page is made."""

from __future__ import annotations

from typing import Any

MEANINGS: dict[str, dict[str, str]] = {
    "": {
        "schema_version": "1; fields may be added, what it says today stays",
        "result": "`success` or `failure`, of all jobs together",
        "event": "what started the run, such as `push`",
        "commit": "id of the commit that was tested; empty outside of git",
        "tree": "id of exactly the files that were tested; empty outside of git",
        "started_at": "ISO 8601 in UTC",
        "duration_ms": "milliseconds",
        "jobs": "one for each job, and for each combination of a matrix",
        "annotations": "what steps and problem matchers pointed out",
        "environment": "the machine: `system`, `architecture`, `python`, `ecluse`, `isolation`",
        "reason": "one sentence, when the result needs one",
        "workflows": "the files that ran, each with its `name` and `run_name`",
        "tests": "test results of all jobs; null when no job left any",
        "coverage": "line coverage of all jobs; null when no job left any",
        "artifacts": "what was handed on within the run",
        "not_run_here": "what the workflows ask for and was not done, with the reason",
        "cause": "what made the first failing job fail: network, permission, syntax, timeout or test",
    },
    "Annotation": {
        "level": "`error`, `warning` or `notice`",
        "message": "the text",
        "job": "key of the job",
        "path": "file in the tree, when it names one",
        "line": "counted from 1; 0 when not known",
        "column": "counted from 1; 0 when not known",
        "title": "a short name",
    },
    "Artifact": {
        "name": "as the workflow named it",
        "job": "key of the job that made it",
        "files": "how many",
        "size_bytes": "all of them together",
    },
    "CaseCounts": {
        "total": "all cases; one that was tried again counts once",
        "passed": "how many passed",
        "failed": "how many failed",
        "errors": "how many could not be carried out",
        "skipped": "how many were left out",
        "duration_ms": "the sum of their times, milliseconds",
    },
    "CaseTime": {"name": "of the case", "job": "key of the job", "duration_ms": "milliseconds"},
    "Coverage": {
        "covered": "lines that ran",
        "total": "lines that could have run",
        "percent": "0 to 100",
        "files": "the least covered ones",
    },
    "FailedCase": {
        "name": "of the case",
        "job": "key of the job",
        "message": "what it said, masked",
        "file": "where it stands, when the test report says so",
        "line": "counted from 1; 0 when not known",
        "kind": "`failure` (it failed) or `error` (it could not run)",
    },
    "FileCoverage": {"name": "path in the tree", "covered": "lines that ran", "total": "lines that could have run"},
    "Job": {
        "id": "as in the workflow",
        "name": "as people see it",
        "workflow": "its file",
        "result": "what the job counts as for `needs` and the run: all its combinations, after `continue-on-error`",
        "outcome": "what this combination came to",
        "started_at": "ISO 8601 in UTC; empty when it never began",
        "duration_ms": "milliseconds",
        "needs": "ids of the jobs before it",
        "matrix": "this combination's values",
        "outputs": "as in the workflow; what holds a secret is not handed on",
        "steps": "in their order",
        "reason": "why it was skipped, could not run here, or ran unlike on GitHub",
        "log": "its log file, when logs are kept",
        "key": "unique in the run, such as `test-2`",
        "cause": "what kind of thing made it fail",
        "permissions": "what the workflow asks for: recorded, nothing is granted",
        "environment": "the deployment environment it names: recorded only",
        "environment_url": "and its address",
        "tests": "counts of this job alone",
        "coverage": "of this job alone",
        "reused": "when the run began whose result was taken over (`--rerun-failed`); empty when it ran",
    },
    "NotRunHere": {
        "job": "key of the job",
        "what": "the action, container or label",
        "why": "the reason",
        "step": "number of the step; 0 is the whole job",
    },
    "Step": {
        "number": "from 1; 0 is before or after the workflow's own steps",
        "id": "as in the workflow",
        "name": "as people see it",
        "outcome": "before `continue-on-error`",
        "conclusion": "after `continue-on-error`",
        "duration_ms": "milliseconds",
        "exit_code": "null when no process ran",
        "reason": "why it was skipped or failed, where there is something to say",
        "tail": "its last 40 lines, when it failed",
        "started_at": "ISO 8601 in UTC; empty when it never began",
        "cause": "what kind of thing made it fail",
        "summary": "what it wrote into its step summary",
    },
    "TestResults": {
        "counts": "of all cases",
        "failures": "the cases that failed",
        "slowest": "the 20 that took longest",
        "flaky": "cases that failed and passed in one job",
        "files": "where the results were read",
    },
}
"""Object of the schema (the document itself is empty) -> field -> meaning."""

_JOB = "One job of a run as it went, or one combination of its matrix."


def describe(schema: dict[str, Any]) -> None:
    """Put the meanings into the schema."""
    for name, fields in MEANINGS.items():
        place = schema["$defs"][name] if name else schema
        for field, text in fields.items():
            place["properties"][field]["description"] = text
    schema["$defs"]["Job"]["description"] = _JOB
