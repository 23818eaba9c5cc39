"""The run before: kept for each folder and choice of workflows, so that only what failed has to run again.

Below the user's cache, readable by the user only; may be deleted at any time. Secrets are not in it: a report is
masked, and an output that holds a secret is never handed on. What an artifact's files hold is the workflow's affair.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecluse.checks.linecoverage import Lines
from ecluse.checks.report import from_json, to_bytes
from ecluse.checks.request import RunRequest
from ecluse.errors import Invalid
from ecluse.files import read_capped, storage_problem
from ecluse.model import Artifact, Job, Report, Result

_CAP = 256 << 20
_REPEATED = ("workflows", "event", "inputs", "matrix", "jobs")
_KEPT = (*_REPEATED, "run_id", "attempt")


@dataclass(frozen=True, slots=True)
class Before:
    """A run that is over: its report, the folder with its artifacts, and which lines each job's tests went through."""

    report: Report
    artifacts: Path
    lines: dict[str, Lines] = field(default_factory=dict)

    def job(self, key: str, name: str, matrix: dict[str, Any]) -> Job | None:
        """The job or combination of this key when it succeeded and is still the same one."""
        for job in self.report.jobs:
            if job.key == key and job.result is Result.SUCCESS and job.name == name:
                same = json.dumps(job.matrix, sort_keys=True) == json.dumps(matrix, sort_keys=True)
                return job if same else None
        return None

    def artifacts_of(self, key: str) -> tuple[Artifact, ...]:
        return tuple(one for one in self.report.artifacts if one.job == key)


def home(tree: Path) -> Path:
    """Where the runs of one folder are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "ecluse" / "last" / _digest(str(tree.resolve()))


def place_of(tree: Path, request: RunRequest) -> Path:
    """Where the last run of these workflows in this folder is kept."""
    return home(tree) / _digest("\0".join([request.event, *request.workflows]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def counters(tree: Path) -> Path:
    """Where the numbers of this folder's runs are kept."""
    return home(tree) / "numbers.json"


def keep(
    folder: Path, request: RunRequest, report: Report, artifacts: Path | None, lines: dict[str, Lines] | None = None
) -> str:
    """Keep a finished run; ``artifacts`` is moved here, ``lines`` is the coverage of each job by its key.

    Returns why it could not be kept, which spoils no run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if artifacts is not None and artifacts.is_dir():
            shutil.rmtree(folder / "artifacts", ignore_errors=True)
            shutil.move(artifacts, folder / "artifacts")
        document = {name: value for name, value in request.to_json().items() if name in _KEPT}
        put_cached(folder / "request.json", json.dumps(document).encode())
        put_cached(folder / "report.json", to_bytes(report))
        put_cached(
            folder / "lines.json", json.dumps({key: _packed(one) for key, one in (lines or {}).items()}).encode()
        )
        put_cached(folder.parent / "latest", folder.name.encode())
    except OSError as error:
        return f"This run is not kept for --rerun-failed: {storage_problem(error, folder).message}"
    return ""


def _packed(lines: Lines) -> dict[str, list[list[int]]]:
    """For each file the lines that were run, and those that were not."""
    return {
        name: [[line for line, hit in found.items() if hit is wanted] for wanted in (True, False)]
        for name, found in lines.items()
    }


def _unpacked(path: Path) -> dict[str, Lines]:
    """What :func:`_packed` wrote for each job; nothing when it is not there."""
    try:
        document = json.loads(read_capped(path, _CAP))
        return {
            key: {
                name: {**dict.fromkeys(missed, False), **dict.fromkeys(run, True)}
                for name, (run, missed) in one.items()
            }
            for key, one in document.items()
        }
    except (Invalid, ValueError, TypeError, AttributeError):
        return {}


def put_cached(path: Path, data: bytes) -> None:
    """Replace a file of the cache at once, without waiting for the disk: it may be lost, not half-written."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(data)
    aside.replace(path)


def recall(tree: Path, request: RunRequest) -> tuple[RunRequest, Before]:
    """The run before, and the request to run again: when it names no workflow, that of the last run here.

    Raises :class:`Invalid` when there was none.
    """
    folder = place_of(tree, request)
    if not request.workflows:
        try:
            folder = home(tree) / read_capped(home(tree) / "latest", 100).decode("ascii", "replace")
        except Invalid:
            folder = home(tree) / "none"
    if not (folder / "report.json").is_file():
        raise Invalid(
            "run.no_last",
            "There is no earlier run of these workflows in this folder whose results could be taken over.",
            " ".join(["ecluse run", *request.workflows]),
        )
    report = from_json(json.loads(read_capped(folder / "report.json", _CAP)))
    before = Before(report, folder / "artifacts", _unpacked(folder / "lines.json"))
    stored = RunRequest.from_json(json.loads(read_capped(folder / "request.json", _CAP)))
    if not request.workflows:
        chosen = {name: getattr(stored, name) for name in _REPEATED if not getattr(request, name) or name == "event"}
        request = replace(request, **chosen)
    return replace(request, run_id=stored.run_id, attempt=stored.attempt + 1), before


def bring(before: Before, target: Path) -> None:
    """Put the artifacts of the jobs that succeeded into a new run's folder."""
    green = {job.key for job in before.report.jobs if job.result is Result.SUCCESS}
    for artifact in before.report.artifacts:
        source = before.artifacts / artifact.name
        if artifact.job in green and source.is_dir() and not (target / artifact.name).exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target / artifact.name, symlinks=True)


def drop(before: Before, key: str, target: Path) -> None:
    """Take the artifacts of a job that runs again out of the new run's folder."""
    for artifact in before.artifacts_of(key):
        shutil.rmtree(target / artifact.name, ignore_errors=True)
