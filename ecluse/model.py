"""The nouns of Écluse and their states. Imports nothing of ours but the nouns of measurements.

All nouns are frozen; a new state is a new value (``dataclasses.replace``) stored together with the event that made
it. Instants are text as :func:`ecluse.clock.instant` writes them; durations are milliseconds; commit and tree ids are
full lower-case hex object ids; sizes are bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ecluse.dataclass import dataclass, field

if TYPE_CHECKING:  # commands that only read start faster without these
    from ecluse.measured import CaseCounts, Coverage, TestResults

Instant = str


class Verdict(StrEnum):
    """What intake says of a change, from harmless to hostile (HANDOFF contract)."""

    ACCEPT = "accept"
    WARN = "warn"
    NEUTRALISE = "neutralise"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def lets_in(self) -> bool:
        """Whether a change with this verdict may go on to checks without a person."""
        return self in (Verdict.ACCEPT, Verdict.WARN, Verdict.NEUTRALISE)


class ChangeState(StrEnum):
    """Where a change stands. ``READY`` is judged, applied in a temporary clone and kept under its ref."""

    RECEIVED = "received"
    READY = "ready"
    QUARANTINED = "quarantined"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    LANDED = "landed"
    UNDONE = "undone"

    @property
    def is_terminal(self) -> bool:
        return self in (ChangeState.REJECTED, ChangeState.SUPERSEDED, ChangeState.LANDED, ChangeState.UNDONE)


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


class LandingState(StrEnum):
    """Where a landing stands. ``MOVING`` is the journalled compare-and-swap; ``BLOCKED`` waits for a person."""

    QUEUED = "queued"
    TESTING = "testing"
    MOVING = "moving"
    LANDED = "landed"
    RED = "red"
    BLOCKED = "blocked"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (LandingState.LANDED, LandingState.RED, LandingState.FAILED, LandingState.CANCELLED)

    @property
    def waits_for_person(self) -> bool:
        return self is LandingState.BLOCKED


class ReleaseState(StrEnum):
    """Where a release stands. ``WAITING`` is at a gate; ``ASKING`` is at an effect that cannot be probed; ``PAUSED`` is
    held by a person until they resume it.
    """

    RUNNING = "running"
    WAITING = "waiting"
    ASKING = "asking"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        return self in (ReleaseState.DONE, ReleaseState.ROLLED_BACK, ReleaseState.ABORTED, ReleaseState.FAILED)

    @property
    def waits_for_person(self) -> bool:
        return self in (ReleaseState.WAITING, ReleaseState.ASKING, ReleaseState.PAUSED)


class GateState(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    VOID = "void"

    @property
    def is_terminal(self) -> bool:
        return self is not GateState.OPEN


class DeploymentState(StrEnum):
    """What one attempt to bring a version to an environment came to."""

    BEGUN = "begun"
    LIVE = "live"
    FAILED = "failed"
    REPLACED = "replaced"
    ROLLED_BACK = "rolled_back"

    @property
    def is_terminal(self) -> bool:
        return self not in (DeploymentState.BEGUN, DeploymentState.LIVE)


class HoldKind(StrEnum):
    """A ``FREEZE`` keeps everybody out of an environment, a ``LOCK`` everybody but its holder."""

    FREEZE = "freeze"
    LOCK = "lock"


class HoldState(StrEnum):
    """Whether a hold stands or was lifted; one whose time is over stands no more, without anybody saying so."""

    STANDING = "standing"
    LIFTED = "lifted"


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


class Role(StrEnum):
    """What a key in the trunk's ``allowed_signers`` may do."""

    AGENT = "agent"
    HUMAN = "human"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who made a change, in its own words (``cost`` with its unit); a claim until a signature proves ``key``."""

    name: str
    tool: str = ""
    model: str = ""
    session: str = ""
    task: str = ""
    key: str = ""
    cost: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing intake saw: the rule's ``code``, the verdict it asks for, where, and a sentence (never a secret)."""

    code: str
    verdict: Verdict
    message: str
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One revision of one change. ``key`` (``id/revision``) is unique; ``id`` is stable over re-exports.

    ``task`` names what several attempts have in common. ``about`` holds what is known besides, each only where it is:
    ``tool``, ``model``, ``session`` (claims), ``signed_by`` and ``key`` (proven), ``people`` (authors and committers
    that no listed key stands for), ``branch`` (where it was made), ``uncommitted`` (the marked tip), ``message_edited``, ``resolved``
    (path and rule of each conflict that rules resolved), ``apart`` (the marked tip, where it is not to land), ``laid``
    (the checkout in which it lies uncommitted: ``folder``, ``head``, ``tree``, ``tip``).
    """

    key: str
    id: str
    revision: int
    state: ChangeState
    title: str
    agent: str
    target: str
    digest: str
    source: str
    created_at: Instant
    updated_at: Instant
    verdict: Verdict | None = None
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    base: str = ""
    head: str = ""
    tree: str = ""
    ref: str = ""
    method: str = ""
    commits: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    not_carried: tuple[dict[str, Any], ...] = ()
    validations: tuple[dict[str, Any], ...] = ()
    note: str = ""
    size_bytes: int = 0
    trusted_by: str = ""
    wants_landing: bool = False
    task: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"change/{self.key}"

    @property
    def agent_name(self) -> str:
        """Who is answerable: the principal whose key signed it, else who it says it is by."""
        return str(self.about.get("signed_by") or self.agent)


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


@dataclass(frozen=True, slots=True)
class Landing:
    """One attempt to bring a change to its target ref: exactly ``tree`` was tested, exactly ``tree`` lands.

    ``change`` is a change's key, ``base`` the target's tip it was built on, ``heads`` the commits merged in order,
    ``basis`` what the decision rests on (``workflows`` or ``validation``), ``parent`` the subject that waits for it.
    """

    id: str
    change: str
    state: LandingState
    target: str
    created_at: Instant
    updated_at: Instant
    base: str = ""
    heads: tuple[str, ...] = ()
    candidate: str = ""
    tree: str = ""
    run: str = ""
    attempt: int = 0
    basis: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    blocked_paths: tuple[str, ...] = ()
    reason: str = ""
    agent: str = ""
    parent: str = ""

    @property
    def subject(self) -> str:
        return f"landing/{self.id}"


@dataclass(frozen=True, slots=True)
class Release:
    """One run of a playbook. The playbook's text and ``digest`` are kept with it; ``position`` is the next step."""

    id: str
    state: ReleaseState
    playbook: str
    digest: str
    source: str
    commit: str
    environment: str
    starter: str
    created_at: Instant
    updated_at: Instant
    position: int = 0
    version: str = ""
    previous: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    played: bool = False

    @property
    def subject(self) -> str:
        return f"release/{self.id}"


@dataclass(frozen=True, slots=True)
class Gate:
    """A question to people. An answer binds to ``binding`` (digest of plan, head and policy) and to ``nonce``.

    ``needs`` people have to let it go on; ``votes`` are their single answers (answer, by, key, how, why, checked,
    signature, at). ``targets`` says where each answer leads: ``go``, ``abort``, ``rollback`` or ``pause``.
    """

    id: str
    release: str
    step: int
    name: str
    question: str
    answers: tuple[str, ...]
    state: GateState
    binding: str
    nonce: str
    created_at: Instant
    updated_at: Instant
    expires_at: Instant = ""
    silence: str = ""
    answer: str = ""
    answered_by: str = ""
    how: str = ""
    why: str = ""
    signature: str = ""
    needs: int = 1
    checklist: tuple[str, ...] = ()
    targets: dict[str, str] = field(default_factory=dict)
    votes: tuple[dict[str, Any], ...] = ()

    @property
    def subject(self) -> str:
        return f"gate/{self.id}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to make ``version`` live in ``environment``; ``previous`` is what a rollback returns to."""

    id: str
    release: str
    environment: str
    version: str
    commit: str
    state: DeploymentState
    location: str
    created_at: Instant
    updated_at: Instant
    previous: str = ""
    reason: str = ""

    @property
    def subject(self) -> str:
        return f"deployment/{self.id}"


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an environment as it is, until ``until`` or until it is lifted.

    ``environment`` is empty for all of them; ``holder`` is a person, or the id of the release that has the lock.
    """

    id: str
    kind: HoldKind
    environment: str
    holder: str
    why: str
    state: HoldState
    until: Instant
    created_at: Instant
    updated_at: Instant
    lifted_by: str = ""
    lifted_why: str = ""

    @property
    def subject(self) -> str:
        return f"hold/{self.id}"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the append-only history. ``number`` is given by the store; ``text`` is what people search."""

    kind: str
    subject: str
    text: str
    actor: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    at: Instant = ""
    number: int = 0
