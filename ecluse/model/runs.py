"""A run of checks and the report of what it came to."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ecluse.dataclass import dataclass, field
from ecluse.model.events import Instant

if TYPE_CHECKING:  # commands that only read start faster without these
    from ecluse.measured import CaseCounts, Coverage, TestResults


class RunState(StrEnum):
    """Where a run of checks stands. ``ERROR`` is a run that could not be carried out, which is not a red one."""

    QUEUED = "queued"
    RUNNING = "running"
    GREEN = "green"
    RED = "red"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self not in (RunState.QUEUED, RunState.RUNNING)


class Result(StrEnum):
    """Result of a job or step, in GitHub's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class Cause(StrEnum):
    """What kind of thing made a step fail; ``docs/report.md`` has the rules."""

    TIMEOUT = "timeout"
    TEST = "test"
    SYNTAX = "syntax"
    PERMISSION = "permission"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job as it went. ``outcome`` is before ``continue-on-error``, ``conclusion`` after it."""

    number: int
    id: str
    name: str
    outcome: Result
    conclusion: Result
    duration_ms: float
    exit_code: int | None = None
    reason: str = ""
    tail: tuple[str, ...] = ()
    started_at: Instant = ""
    cause: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Files that a job handed on under a name; sizes are bytes."""

    name: str
    job: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NotRunHere:
    """Something that a workflow asks for and that was not done here, with the reason."""

    job: str
    what: str
    why: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a run as it went, or one combination of its matrix; ``key`` is unique in the run.

    ``result`` is its own. ``job_result`` is what the job counts as for the run and for ``needs``: all its combinations
    together, after ``continue-on-error``; nothing when the job was never finished.

    ``reason`` says why it was skipped, could not run here, or ran unlike on GitHub; ``log`` is a file. ``permissions``
    are those that the workflow asks for, ``environment`` and ``environment_url`` the deployment environment it names
    and its address: recorded, nothing is granted. ``reused`` is when the run began from which the result was taken over, for
    a job that was not run again.
    """

    id: str
    name: str
    workflow: str
    result: Result
    started_at: Instant = ""
    duration_ms: float = 0.0
    needs: tuple[str, ...] = ()
    matrix: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    reason: str = ""
    log: str = ""
    job_result: Result | None = None
    key: str = ""
    cause: str = ""
    permissions: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    tests: CaseCounts | None = None
    coverage: Coverage | None = None
    reused: str = ""
    environment_url: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A ``::error::``, ``::warning::`` or ``::notice::`` of a step, or what a problem matcher found; already masked."""

    level: str
    message: str
    job: str = ""
    path: str = ""
    line: int = 0
    column: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run of workflows came to; ``schema_version`` names the JSON form of ``reports/report.json``.

    ``workflows`` has ``name`` and ``run_name`` of each file that ran, by its path.
    """

    result: Result
    event: str
    commit: str
    tree: str
    started_at: Instant
    duration_ms: float
    jobs: tuple[Job, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    workflows: dict[str, dict[str, str]] = field(default_factory=dict)
    schema_version: int = 1
    tests: TestResults | None = None
    coverage: Coverage | None = None
    artifacts: tuple[Artifact, ...] = ()
    not_run_here: tuple[NotRunHere, ...] = ()
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A request for checks on one tree, and its outcome. ``parent`` is the subject that waits for it."""

    id: str
    parent: str
    state: RunState
    commit: str
    tree: str
    event: str
    workflows: tuple[str, ...]
    created_at: Instant
    updated_at: Instant
    attempt: int = 0
    reason: str = ""
    duration_ms: float = 0.0
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"run/{self.id}"
