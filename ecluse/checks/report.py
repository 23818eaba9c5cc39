"""Reports as documents: to and from JSON, and into the folders where people and tools look for them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ecluse.clock import now
from ecluse.errors import Invalid
from ecluse.files import read_capped, storage_problem, write_atomically
from ecluse.measured import CaseCounts, CaseTime, Coverage, FailedCase, FileCoverage, TestResults
from ecluse.model import Annotation, Artifact, Job, NotRunHere, Report, Result, Step

_CAP = 256 << 20


def to_json(report: Report) -> dict[str, Any]:
    """The document of a report (``schema_version`` 1): the dataclass's fields, results in GitHub's words.

    As a step has ``outcome`` and ``conclusion``, a job has ``outcome``, what this combination came to, and ``result``,
    what the job counts as (``needs.ID.result``): one value for all its combinations, after ``continue-on-error``.
    """
    document = asdict(report)
    for job in document["jobs"]:
        counts_as = job.pop("job_result")
        job["outcome"] = job["result"]
        job["result"] = counts_as or job["result"]
    return {"schema_version": document.pop("schema_version"), **document}


def from_json(document: Mapping[str, Any]) -> Report:
    """The report in a document of :func:`to_json`. Raises :class:`Invalid` when it is not one."""
    try:
        if document["schema_version"] != 1:
            raise Invalid(
                "report.version",
                f"The report has schema_version {document['schema_version']}, this version reads 1.",
                "run the checks again with: ecluse run",
            )
        jobs = tuple(_job(job) for job in document["jobs"])
        rest = dict(document) | {"jobs": jobs, "result": Result(document["result"])}
        for name, noun in (("annotations", Annotation), ("artifacts", Artifact), ("not_run_here", NotRunHere)):
            rest[name] = tuple(noun(**one) for one in document.get(name, ()))
        rest["tests"] = _tests(document.get("tests"))
        rest["coverage"] = _coverage(document.get("coverage"))
        return Report(**rest)
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            "report.invalid", f"This is not a report of checks: {error}.", "run the checks again with: ecluse run"
        ) from error


def _job(document: Mapping[str, Any]) -> Job:
    rest = dict(document)
    steps = tuple(_step(step) for step in rest.pop("steps", ()))
    counts_as = Result(rest["result"])
    own = Result(rest.pop("outcome", counts_as))
    rest |= {"steps": steps, "result": own, "job_result": counts_as, "needs": tuple(rest.get("needs", ()))}
    tests = rest.get("tests")
    rest |= {"tests": CaseCounts(**tests) if tests else None, "coverage": _coverage(rest.get("coverage"))}
    return Job(**rest)


def _tests(document: Mapping[str, Any] | None) -> TestResults | None:
    if document is None:
        return None
    return TestResults(
        counts=CaseCounts(**document["counts"]),
        failures=tuple(FailedCase(**one) for one in document["failures"]),
        slowest=tuple(CaseTime(**one) for one in document["slowest"]),
        flaky=tuple(document["flaky"]),
        files=tuple(document["files"]),
    )


def _coverage(document: Mapping[str, Any] | None) -> Coverage | None:
    if document is None:
        return None
    return Coverage(**dict(document) | {"files": tuple(FileCoverage(**one) for one in document["files"])})


def _step(document: Mapping[str, Any]) -> Step:
    rest = dict(document)
    outcome, conclusion = Result(rest.pop("outcome")), Result(rest.pop("conclusion"))
    return Step(**rest | {"outcome": outcome, "conclusion": conclusion, "tail": tuple(rest.get("tail", ()))})


def schema() -> dict[str, Any]:
    """The JSON Schema of the document, as shipped in ``report.schema.json`` beside this module; a test compares."""
    from pydantic import TypeAdapter

    from ecluse import measured, model
    from ecluse.checks.fields import describe

    adapter = TypeAdapter(Report)
    adapter.rebuild(_types_namespace=vars(model) | vars(measured))  # model names these nouns for type checkers only
    made = adapter.json_schema(mode="serialization")
    fields = made["$defs"]["Job"]["properties"]
    fields.pop("job_result")
    fields["outcome"] = dict(fields["result"])
    describe(made)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report of ecluse run, version 1"}
    return head | {key: value for key, value in made.items() if key != "title"}


def to_bytes(report: Report) -> bytes:
    return json.dumps(to_json(report), ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


def write(report: Report, root: Path) -> Path:
    """Write ``reports/report.json`` below ``root``, its dated copy and a line of ``memory/session.log``.

    Returns the dated copy. Raises :class:`ecluse.errors.Failed` when the disk does not take it.
    """
    path = root / "reports" / "report.json"
    write_atomically(path, to_bytes(report))
    word = "SUCCESS" if report.result is Result.SUCCESS else "FAILURE"
    return _remember(word, path, root / "memory")


def update_ci_status(result: str, report_path: str | os.PathLike[str] = "reports/report.json") -> None:
    """Keep a finished test run in ``memory/`` of the current folder: a dated copy of the report, and a log line.

    ``result`` is written as given (``SUCCESS`` or ``FAILURE``). Two calls in one second make two copies.
    Raises :class:`Invalid` when the report is missing.
    """
    _remember(result, Path(report_path), Path("memory"))


def _remember(result: str, report: Path, memory: Path) -> Path:
    data = read_capped(report, _CAP)
    moment = now().astimezone()
    try:
        memory.mkdir(parents=True, exist_ok=True)
        copy = _write_new(memory, moment, data)
        line = f"[CI/CD] Test run {moment.replace(tzinfo=None, microsecond=0).isoformat()} -> {result}\n"
        with (memory / "session.log").open("a", encoding="utf-8") as log:
            log.write(line)
    except OSError as error:
        raise storage_problem(error, memory) from error
    return copy


def _write_new(folder: Path, moment: datetime, data: bytes) -> Path:
    """Write a dated file that was not there before; the second of one second gets a number."""
    stem = f"ci_report_{moment:%Y%m%d-%H%M%S}"
    number = 1
    while True:
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        with contextlib.suppress(FileExistsError), path.open("xb") as handle:
            handle.write(data)
            return path
        number += 1
