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
from ecluse.model import Annotation, Job, Report, Result, Step

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
        notes = tuple(Annotation(**note) for note in document.get("annotations", ()))
        rest = {key: value for key, value in document.items() if key not in ("jobs", "annotations", "result")}
        return Report(result=Result(document["result"]), jobs=jobs, annotations=notes, **rest)
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
    return Job(**rest)


def _step(document: Mapping[str, Any]) -> Step:
    rest = dict(document)
    outcome, conclusion = Result(rest.pop("outcome")), Result(rest.pop("conclusion"))
    return Step(**rest | {"outcome": outcome, "conclusion": conclusion, "tail": tuple(rest.get("tail", ()))})


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
