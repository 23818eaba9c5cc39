"""``ecluse.toml``'s bytes to a :class:`Config`. The caller reads the bytes, from the trunk when they are policy."""

from __future__ import annotations

import tomllib
from typing import Any, Literal

from ecluse.errors import Invalid
from ecluse.settings import Faults, Field
from ecluse.settings import Section as _Section


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


class ChecksConfig(_Section):
    """Which workflows and jobs decide."""

    required: tuple[str, ...] = Field(
        default=(), description="workflow files that decide, instead of the triggered ones"
    )
    optional: tuple[str, ...] = Field(default=(), description="job ids that may fail or be unable to run here")
    timeout_minutes: float = Field(default=60.0, gt=0, description="limit for one run")


class LandingConfig(_Section):
    targets: tuple[str, ...] = Field(default=(), description="branches a change may land on; empty: the trunk only")
    max_attempts: int = Field(default=5, ge=1, description="new candidates built when the target moves meanwhile")


class ReleaseConfig(_Section):
    playbooks: str = Field(default="playbooks", description="folder of the playbooks")
    gate_hours: float = Field(
        default=24.0, gt=0, description="how long a gate stays open unless the playbook says otherwise"
    )


class SmokeRequest(_Section):
    """One request of a smoke test and what its answer must be."""

    request: str = Field(default="GET /", description="method and path")
    expect: int = Field(default=200, ge=100, le=599, description="status")
    contains: str = Field(default="", description="text that the body must hold")


class EnvironmentConfig(_Section):
    """Where a release goes live."""

    method: Literal["folder"] = Field(
        default="folder", description="how: a release folder with an atomic symlink switch"
    )
    path: str = Field(description="the target's folder: absolute, or relative to the folder that holds .git")
    command: tuple[str, ...] = Field(description="the service, run inside the current release")
    url: str = Field(description="base address of the running service")
    health: str = Field(default="/health", description="path that answers 200 when the service is well")
    health_timeout_s: float = Field(default=10.0, gt=0, description="seconds the service has to become well")
    smoke: tuple[SmokeRequest, ...] = ()
    keep: int = Field(default=5, ge=2, description="releases kept in the target")
    production: bool = Field(default=False, description="reaching it needs a gate")
    variables: dict[str, str] = Field(
        default={}, description="environment variables of the service, beside PATH, HOME and the like; never secrets"
    )


class NotifyConfig(_Section):
    webhook: str = Field(default="", description="address that gets a JSON document for each message")
    events: tuple[str, ...] = ("landing.red", "landing.landed", "release.done", "release.rolled_back", "gate.opened")


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
    intake: IntakeConfig = IntakeConfig()
    checks: ChecksConfig = ChecksConfig()
    landing: LandingConfig = LandingConfig()
    release: ReleaseConfig = ReleaseConfig()
    environments: dict[str, EnvironmentConfig] = {}
    notify: NotifyConfig = NotifyConfig()


def parse(data: bytes, name: str = "ecluse.toml") -> Config:
    """Read the policy. Raises :class:`Invalid` naming the file and every setting that is wrong."""
    return from_table(_table(data, name), name)


def parse_pyproject(data: bytes) -> Config:
    """Read the policy from ``[tool.ecluse]`` of a ``pyproject.toml``; without that table, the defaults."""
    tool = _table(data, "pyproject.toml").get("tool", {})
    return from_table(tool.get("ecluse", {}) if isinstance(tool, dict) else {}, "pyproject.toml [tool.ecluse]")


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
