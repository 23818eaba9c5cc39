"""Runs as pages show them: jobs and steps of a report, and the log files beside it.

A report is JSON that a run of other people's code produced: every field may be missing or of a wrong kind, and the
place of a log is believed only inside the folders where our runs keep theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecluse import runs
from ecluse.git import Repository
from ecluse.model import Run
from ecluse.web.words import uncoloured

TAIL_LINES = 400
_TAIL_BYTES = 128 << 10


@dataclass(frozen=True, slots=True)
class StepView:
    number: int
    name: str
    outcome: str
    conclusion: str
    duration_ms: float
    exit_code: int | None
    reason: str
    tail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobView:
    """One job; ``index`` is its place in the report (ids repeat in a matrix), ``log`` its file when it is here."""

    index: int
    id: str
    name: str
    workflow: str
    result: str
    duration_ms: float
    reason: str
    steps: tuple[StepView, ...]
    log: Path | None

    @property
    def failed(self) -> bool:
        return self.result not in ("success", "skipped")


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a log: its lines without terminal colours, and how many bytes come before them."""

    lines: tuple[str, ...]
    skipped_bytes: int


def jobs_of(repository: Repository, run: Run) -> list[JobView]:
    """The jobs of a run's report, as far as it has one."""
    jobs = run.report.get("jobs")
    return [
        JobView(
            index,
            _text(job, "id"),
            _text(job, "name") or _text(job, "id"),
            _text(job, "workflow"),
            _text(job, "outcome") or _text(job, "result"),
            _number(job, "duration_ms"),
            _text(job, "reason"),
            tuple(_step(step, place) for place, step in enumerate(_objects(job.get("steps")), 1)),
            _log_file(repository, run, _text(job, "log")),
        )
        for index, job in enumerate(_objects(jobs))
    ]


def annotations_of(run: Run) -> list[dict[str, Any]]:
    """The annotations of a run's report: level, message, job, path, line."""
    return [
        {name: _text(one, name) for name in ("level", "message", "job", "path")} | {"line": int(_number(one, "line"))}
        for one in _objects(run.report.get("annotations"))
    ]


def tail_of(log: Path) -> Tail:
    """The last lines of a log; empty when it is gone (caches may be deleted at any time)."""
    try:
        with log.open("rb") as handle:
            total = handle.seek(0, 2)
            start = max(0, total - _TAIL_BYTES)
            handle.seek(start)
            data = handle.read(_TAIL_BYTES)
    except OSError:
        return Tail((), 0)
    if start:
        start += data.find(b"\n") + 1
        data = data[data.find(b"\n") + 1 :]
    raw = data.decode("utf-8", "replace").split("\n")
    if raw and not raw[-1]:
        raw.pop()
    cut = raw[-TAIL_LINES:]
    skipped = start + sum(len(line.encode("utf-8", "replace")) + 1 for line in raw[: len(raw) - len(cut)])
    return Tail(tuple(uncoloured(line) for line in cut), skipped)


def _log_file(repository: Repository, run: Run, named: str) -> Path | None:
    """The file that a report names, when it lies in this run's own folders; links cannot lead out of them."""
    if not named or "\0" in named:
        return None
    homes = [runs.log_folder(run.id), repository.state_dir / "jobs" / run.id]
    tried = [Path(named)] if Path(named).is_absolute() else [h / str(run.attempt) / named for h in homes]
    for path in tried:
        try:
            real = path.resolve(strict=True)
            if real.is_file() and any(real.is_relative_to(home.resolve()) for home in homes):
                return real
        except OSError:
            continue
    return None


def _step(step: Mapping[str, Any], place: int) -> StepView:
    code = step.get("exit_code")
    tail = step.get("tail")
    return StepView(
        int(_number(step, "number")) or place,
        _text(step, "name") or _text(step, "id") or f"step {place}",
        _text(step, "outcome"),
        _text(step, "conclusion"),
        _number(step, "duration_ms"),
        code if isinstance(code, int) else None,
        _text(step, "reason"),
        tuple(uncoloured(str(line)) for line in tail) if isinstance(tail, list) else (),
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    return value if isinstance(value, str) else ""


def _number(source: Mapping[str, Any], name: str) -> float:
    value = source.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
