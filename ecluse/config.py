"""``ecluse.toml``'s bytes to a :class:`Config`. The caller reads the bytes, from the trunk when they are policy."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from ecluse import clock
from ecluse.errors import Invalid
from ecluse.settings import AfterValidator, Faults, Field
from ecluse.settings import Section as _Section


def _span(text: str) -> str:
    if text:
        clock.span(text)
    return text


Span = Annotated[str, AfterValidator(_span)]
"""A length of time as people write it (``30m``); empty: none was set."""


class IntakeConfig(_Section):
    """What a change may be. Sizes in bytes."""

    max_files: int = Field(default=1_000, ge=1, description="paths one change may touch")
    max_file_bytes: int = Field(default=20 << 20, ge=1, description="size of one file")
    max_bundle_bytes: int = Field(default=256 << 20, ge=1, description="size of a bundle as it arrives")
    max_commits: int = Field(default=750, ge=1, description="commits in one change")
    protected: tuple[str, ...] = Field(default=(), description="glob patterns of paths whose change needs a person")
    validation: Literal["none", "minimal", "standard", "complete"] = Field(
        default="minimal", description="level run on import"
    )
    fetch: bool = Field(default=True, description="ask the repository's own remotes for a base that is not here")


class ChecksConfig(_Section):
    """Which workflows and jobs decide."""

    required: tuple[str, ...] = Field(
        default=(), description="workflow files that decide, instead of the triggered ones"
    )
    optional: tuple[str, ...] = Field(default=(), description="job ids that may fail or be unable to run here")
    results: tuple[str, ...] = Field(
        default=(),
        description="patterns of the files that jobs leave test results and coverage in; empty: the usual names",
    )
    timeout_minutes: float = Field(default=60.0, gt=0, description="limit for one run")
    actions_url: str = Field(
        default="", description="base address that actions of other repositories are fetched from; empty: GitHub"
    )
    secret_file: str = Field(
        default="", description="path in the trunk of an encrypted file with secrets, for runs of reviewed changes only"
    )
    secret_key: str = Field(
        default="", description="file outside the repository that opens it; may be written env:NAME"
    )
    platforms: dict[str, Literal["here", "skip", "fail"]] = Field(
        default={}, description="what becomes of jobs whose runs-on label matches a pattern: here, skip or fail"
    )


class LandingConfig(_Section):
    targets: tuple[str, ...] = Field(default=(), description="branches a change may land on; empty: the trunk only")
    max_attempts: int = Field(default=5, ge=1, description="new candidates built when the target moves meanwhile")
    push: bool = Field(default=False, description="push the target to its remote after each landing")
    remote: str = Field(default="", description="the remote to push to; empty: the branch's own, or origin")
    backups: int = Field(default=20, ge=0, description="branches backup/before-sync-* kept; 0: none are made")
    rules: tuple[Literal["identical", "union", "rerere"], ...] = Field(
        default=("identical", "union", "rerere"), description="what may resolve a simple conflict; empty: only people"
    )
    union: tuple[str, ...] = Field(
        default=tuple(f"**/{name}{end}" for name in ("CHANGELOG", "CHANGES", "HISTORY", "NEWS") for end in ("", ".*")),
        description="glob patterns of changelogs: lines that both sides only added are all kept",
    )


class ExportConfig(_Section):
    """What is handed over (``ecluse export``), and rolling checkpoints of it (``--watch``)."""

    validate: Literal["none", "minimal", "standard", "complete"] = Field(
        default="minimal", description="the checks before an export, where --validate names no others"
    )

    every: Span = Field(default="", description="how often the work is looked at, for example 30m; empty: 5m")


class SyncConfig(_Section):
    """Both directions without a forge (``ecluse sync``)."""

    every: Span = Field(default="", description="how often both sides are looked at, for example 5m; empty: 1m")
    folders: dict[str, str] = Field(
        default={}, description="agent -> folder that both sides see, looked at while `ecluse serve` runs"
    )
    land: bool = Field(default=False, description="what comes in through such a folder is to land")


class DocumentsConfig(_Section):
    """What is written for people about what was handed over."""

    export: bool = Field(default=True, description="the three documents beside a bundle that is exported")
    landing: bool = Field(
        default=False, description="AGENT_SYNC.md and docs/passation/ are kept up to date by what lands"
    )


class FreezeRule(_Section):
    """A time of the week in which nothing goes live."""

    when: str = Field(description='days and hours: "sat-sun", "fri 16:00-24:00", "fri 16:00 - mon 06:00"')
    zone: str = Field(default="UTC", description="the time zone of the hours, such as Europe/Paris")
    why: str = Field(default="", description="the reason, for whom it stops")
    environments: tuple[str, ...] = Field(default=(), description="where; empty: the production environments")


class ReleaseConfig(_Section):
    playbooks: str = Field(default="playbooks", description="folder of the playbooks")
    gate_hours: float = Field(
        default=24.0, gt=0, description="how long a gate stays open unless the playbook says otherwise"
    )
    approval_hours: float = Field(default=24.0, gt=0, description="how long an approval holds once it was given")
    deadline_hours: float = Field(
        default=0.0, ge=0, description="how long a release may take to go live before it is ended; 0: no limit"
    )
    lock_hours: float = Field(
        default=24.0, gt=0, description="how long a release has the lock of its environment at most"
    )
    every_days: float = Field(default=0.0, ge=0, description="how often a release is due; 0: whenever you like")
    freeze: tuple[FreezeRule, ...] = Field(default=(), description="times of the week in which nothing goes live")
    calendar: str = Field(default="", description="an iCalendar file on the trunk: nothing goes live in its events")
    post_mortems: bool = Field(
        default=True, description="a rollback writes docs/post-mortems/DATE-TITLE.md, ready to be read and landed"
    )
    migrations: tuple[str, ...] = Field(
        default=("*/migrations/*", "*/migrate/*", "*/alembic/versions/*", "*.sql", "*/schema.prisma"),
        description="paths that change a database, as patterns over /PATH: a plan names them apart",
    )
    rollback_tags: bool = Field(default=False, description="a rollback puts the tag vX.Y.Z-rollback on what came back")


class PersonConfig(_Section):
    """One person, however many keys, addresses and names they have: they count once and never judge their own work."""

    keys: tuple[str, ...] = Field(default=(), description="names in allowed_signers, or fingerprints (SHA256:...)")
    emails: tuple[str, ...] = Field(default=(), description="addresses in their commits")
    aliases: tuple[str, ...] = Field(default=(), description="other names in commits, starts and changes")


class SmokeRequest(_Section):
    """One request of a smoke test and what its answer must be."""

    request: str = Field(default="GET /", description="method and path")
    expect: int = Field(default=200, ge=100, le=599, description="status")
    contains: str = Field(default="", description="text that the body must hold")
    max_ms: float | None = Field(default=None, gt=0, description="milliseconds within which it must be answered")


class CommandsConfig(_Section):
    """Commands of an environment, given to ``sh``. They run on its hosts, or here when it has none.

    Each sees ``ECLUSE_VERSION``, ``ECLUSE_COMMIT``, ``ECLUSE_RELEASE``, ``ECLUSE_ENVIRONMENT`` and what its line names.
    """

    restart: str = Field(default="", description="starts the service anew, in the current release (method folder)")
    stop: str = Field(
        default="", description="stops the service, in the environment's folder; content when it does not run"
    )
    deploy: str = Field(default="", description="brings the version live (method command)")
    running: str = Field(default="", description="prints the version that runs now")
    logs: str = Field(default="", description="prints log lines from $ECLUSE_FROM to $ECLUSE_TO (Unix seconds)")
    access: str = Field(default="", description="prints who had access since $ECLUSE_FROM, for audit.report")
    rotate: str = Field(default="", description="here: prints a new value for $ECLUSE_SECRET; empty: a random one")
    apply: str = Field(default="", description="makes the service use the value of $ECLUSE_SECRET, read from stdin")
    revoke: str = Field(default="", description="here: withdraws the value of $ECLUSE_SECRET that stdin holds")


class BackupConfig(_Section):
    """How an environment's data is kept. Commands run as those of ``commands`` do."""

    folder: str = Field(description="where the backups lie, on the first host or here; absolute")
    files: str = Field(default="*.dump", description="pattern of a backup's file name; one *, which becomes the moment")
    make: str = Field(default="", description="writes a backup to the file $ECLUSE_BACKUP")
    restore: str = Field(default="", description="replaces the live data by the file $ECLUSE_BACKUP")
    test: str = Field(
        default="",
        description="restores $ECLUSE_BACKUP into the empty folder $ECLUSE_SCRATCH, prints `table rows` lines",
    )
    count: str = Field(default="", description="prints `table rows` lines of the live data")
    max_age_hours: float = Field(default=24.0, gt=0, description="how old the newest backup may be")
    min_bytes: int = Field(default=1, ge=1, description="a smaller file is no backup")
    min_ratio: float = Field(
        default=0.5, ge=0, le=1, description="part of the previous backup's size that it has to have"
    )
    tolerance: float = Field(
        default=0.1, ge=0, le=1, description="part of the live rows that may be missing when no rows were counted then"
    )


class MonitorConfig(_Section):
    """A page of an external monitor that the watch looks at."""

    url: str
    expect: int = Field(default=200, ge=100, le=599, description="status")
    contains: str = Field(default="", description="text that the answer must hold")


class MetricConfig(_Section):
    """A number that a command prints for the time from ``$ECLUSE_FROM`` to ``$ECLUSE_TO`` (Unix seconds)."""

    name: str
    command: str
    min_ratio: float | None = Field(
        default=None, ge=0, description="it may not fall below this part of the rate before"
    )
    max_ratio: float | None = Field(
        default=None, ge=0, description="it may not rise above this many times the rate before"
    )


class WatchConfig(_Section):
    """What a watch looks at beside health and smoke."""

    errors: str = Field(default="", description="regular expression of a log line that is an error")
    fatal: str = Field(default="", description="regular expression of a log line that ends the watch at once")
    max_error_rate: float | None = Field(default=None, ge=0, description="errors per 100 log lines that are still well")
    slow_ms: float | None = Field(default=None, gt=0, description="median answer of the health path that is still well")
    slow_ratio: float | None = Field(default=None, gt=0, description="how many times slower than in the watch before")
    monitors: tuple[MonitorConfig, ...] = ()
    metrics: tuple[MetricConfig, ...] = ()


class AgentConfig(_Section):
    """A coding agent that the step ``agent.run`` may start."""

    command: tuple[str, ...] = Field(description="the program and its arguments; the brief comes on its standard input")
    minutes: float = Field(default=60.0, gt=0, description="limit of time")
    cost: float | None = Field(default=None, gt=0, description="limit of cost, in what cost_pattern finds")
    cost_pattern: str = Field(
        default=r'"total_cost_usd":\s*([0-9.]+)', description="finds the cost so far in a line of its output"
    )
    variables: tuple[str, ...] = Field(
        default=(), description="names of variables it gets beside PATH, HOME and the like"
    )
    secrets: tuple[str, ...] = Field(default=(), description="names of secrets it gets as variables")


class ForgeConfig(_Section):
    """Where release notes are published."""

    kind: Literal["github", "forgejo", "gitlab"]
    url: str = Field(description="address of the API, such as https://api.github.com")
    project: str = Field(description="owner/name")
    token: str = Field(description="name of the secret that holds the token")


class StoreConfig(_Section):
    """One of the two stores of a bridge: a collection of JSON records behind GET, POST, PUT and DELETE."""

    url: str = Field(description="address of the collection; a record is below it by its id")
    token: str = Field(default="", description="name of the secret that is sent as Bearer token; empty: none")
    fields: dict[str, str] = Field(description="word of the bridge -> field of this store, for what both sides share")


class BridgeConfig(_Section):
    """Two stores that the step ``bridge.run`` keeps in step."""

    listen: str = Field(default="127.0.0.1:8790", description="where the webhooks of both stores arrive")
    secret: str = Field(description="name of the secret that both stores sign their webhooks with")
    origin: str = Field(default="ecluse", description="what X-Bridge-Origin says of writes of this bridge")
    left: StoreConfig
    right: StoreConfig


class EnvironmentConfig(_Section):
    """Where a release goes live."""

    method: Literal["folder", "compose", "command"] = Field(
        default="folder",
        description="how: a release folder with an atomic symlink switch, docker compose, or a command of your own",
    )
    path: str = Field(
        description="the target's folder: absolute, or relative to the folder that holds .git when it is on this machine"
    )
    hosts: tuple[str, ...] = Field(
        default=(), description="where it runs, as ssh knows it (user@host); empty: here, as a job of Écluse; `.`: here"
    )
    ssh_config: str = Field(default="", description="a configuration file for ssh, instead of the user's own")
    compose: tuple[str, ...] = Field(default=("compose.yml",), description="compose files, in their order")
    engine: tuple[str, ...] = Field(
        default=("docker",),
        description="the container engine's command on the hosts; or docker-compose, where compose is a program of its own",
    )
    source: Literal["upload", "git"] = Field(
        default="upload", description="compose: files are uploaded, or the tag is checked out in the host's own clone"
    )
    secrets: tuple[str, ...] = Field(default=(), description="names of the secrets that secrets.rotate renews")
    commands: CommandsConfig = CommandsConfig()
    backup: BackupConfig | None = None
    watch: WatchConfig = WatchConfig()
    command: tuple[str, ...] = Field(
        default=(), description="the service, run inside the current release by Écluse itself (no hosts)"
    )
    url: str = Field(description="base address of the running service")
    health: str = Field(default="/health", description="path that answers 200 when the service is well")
    health_timeout_s: float = Field(default=10.0, gt=0, description="seconds the service has to become well")
    smoke: tuple[SmokeRequest, ...] = ()
    keep: int = Field(default=5, ge=2, description="releases kept in the target")
    production: bool = Field(default=False, description="reaching it needs a gate")
    reviewers: tuple[str, ...] = Field(
        default=(), description="who may let a release go on here, by name or role; empty: whom the playbook asks"
    )
    approvals: int = Field(default=1, ge=1, le=20, description="how many people have to let a release go on here")
    branches: tuple[str, ...] = Field(default=(), description="branches that may be released here; empty: all")
    deploy_on: tuple[str, ...] = Field(
        default=(), description="branches whose landings are deployed here by themselves"
    )
    playbook: str = Field(default="", description="the playbook of these deployments; empty: the environment's name")
    variables: dict[str, str] = Field(
        default={}, description="environment variables of the service, beside PATH, HOME and the like; never secrets"
    )


class KitProjectConfig(_Section):
    """What ``ecluse init --kit`` cannot see of a project by itself."""

    start: tuple[str, ...] = Field(default=(), description="what starts its service, for an image")
    port: int = Field(default=8000, ge=1, le=65_535, description="where that service listens")
    health: str = Field(default="", description="path that answers when the service is well")
    packages: tuple[str, ...] = Field(default=(), description="Debian packages that its image needs, such as git")


class KitConfig(_Section):
    """What ``ecluse init --kit`` is told about the repository."""

    projects: dict[str, KitProjectConfig] = {}


class TelegramConfig(_Section):
    token: str = Field(description="token of the bot, as env:NAME")
    chat: str = Field(description="id of the chat")
    api: str = Field(default="https://api.telegram.org", description="address of the service")


class MailConfig(_Section):
    server: str = Field(description="smtp://host:port, smtps://host:port or smtp+starttls://host:port")
    sender: str = Field(description="address that the mails come from")
    to: tuple[str, ...] = Field(min_length=1, description="addresses that get the mails")
    user: str = Field(default="", description="name to log in with; empty: no log-in")
    password: str = Field(default="", description="as env:NAME")


class NotifyConfig(_Section):
    """Who is told what. Addresses and tokens may be written env:NAME: a variable of the process that drives the line."""

    webhook: str = Field(default="", description="address that gets a JSON document for each message")
    webhook_secret: str = Field(
        default="",
        description="signs what goes to the webhook (X-Hub-Signature-256 and Standard Webhooks); as env:NAME",
    )
    slack: str = Field(default="", description="address of a Slack incoming webhook")
    telegram: TelegramConfig | None = None
    mail: MailConfig | None = None
    apprise: tuple[str, ...] = Field(
        default=(), description="addresses for apprise (Slack, mail, ...); $NAME is taken from the environment"
    )
    events: tuple[str, ...] = (
        "checks.failed", "checks.recovered", "change.ready", "change.quarantined", "change.rejected", "import.refused",
        "landing.red", "landing.landed", "push.failed", "release.done", "release.rolled_back", "gate.opened",
    )  # fmt: skip


class Config(_Section):
    """The whole of ``ecluse.toml``; every setting has a default, so an empty file is a valid policy."""

    trust: Literal["signed", "all"] = Field(
        default="signed", description="whose changes run without a person: signed, or all"
    )
    solo: bool = Field(
        default=False, description="a one-person team: a typed answer at a terminal counts, and is recorded so"
    )
    play: bool = Field(
        default=False, description="demonstrations only: release start --play answers gates without a key"
    )
    language: Literal["en", "fr", ""] = Field(
        default="", description="language of the documents: en, fr; empty: as the locale says"
    )
    intake: IntakeConfig = IntakeConfig()
    export: ExportConfig = ExportConfig()
    sync: SyncConfig = SyncConfig()
    documents: DocumentsConfig = DocumentsConfig()
    checks: ChecksConfig = ChecksConfig()
    landing: LandingConfig = LandingConfig()
    release: ReleaseConfig = ReleaseConfig()
    people: dict[str, PersonConfig] = {}
    environments: dict[str, EnvironmentConfig] = {}
    agents: dict[str, AgentConfig] = {}
    bridges: dict[str, BridgeConfig] = {}
    kit: KitConfig = KitConfig()
    forge: ForgeConfig | None = None
    notify: NotifyConfig = NotifyConfig()


def parse(data: bytes, name: str = "ecluse.toml") -> Config:
    """Read the policy. Raises :class:`Invalid` naming the file and every setting that is wrong."""
    return from_table(_table(data, name), name)


def parse_pyproject(data: bytes) -> Config:
    """Read the policy from ``[tool.ecluse]`` of a ``pyproject.toml``; without that table, the defaults."""
    tool = _table(data, "pyproject.toml").get("tool", {})
    return from_table(tool.get("ecluse", {}) if isinstance(tool, dict) else {}, "pyproject.toml [tool.ecluse]")


def of_checkout(work_tree: Path | None) -> Config:
    """What the files of a checkout say, landed or not: for settings that decide about nothing but this machine's work.

    Raises :class:`Invalid` for a file that is wrong; without a file, or without a checkout, the defaults.
    """
    if work_tree is not None and (work_tree / "ecluse.toml").is_file():
        return parse((work_tree / "ecluse.toml").read_bytes())
    if work_tree is not None and (work_tree / "pyproject.toml").is_file():
        return parse_pyproject((work_tree / "pyproject.toml").read_bytes())
    return Config()


def from_table(table: dict[str, Any], name: str) -> Config:
    """Validate a parsed table. Raises :class:`Invalid` naming every setting that is wrong."""
    try:
        return Config.read(table)
    except Faults as faults:
        raise Invalid(
            "config.invalid", f"{name} is not valid: {faults}.", f"edit {name}, then type: ecluse doctor"
        ) from faults


def _table(data: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Invalid(
            "config.encoding", f"{name} is not UTF-8 (byte {error.start}).", f"save {name} as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(
            "config.syntax", f"{name} is not valid TOML: {error}.", f"edit {name}, then type: ecluse doctor"
        ) from error
