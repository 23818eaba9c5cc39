"""Where a release goes live, as the plan keeps it: the environment's settings at the moment of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecluse.errors import Invalid, Unsupported
from ecluse.git import Repository

if TYPE_CHECKING:
    from ecluse.config import Config, EnvironmentConfig

_READING = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Smoke:
    """One request of the smoke test and what its answer must be."""

    method: str
    path: str
    expect: int
    contains: str
    max_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One environment. ``root`` is its folder; ``timeout_s`` is how long the service has to become well.

    ``commands``, ``backup`` and ``watch`` hold the settings of the sections of these names, under their names there.
    """

    name: str
    root: Path
    command: tuple[str, ...]
    url: str
    health: str
    timeout_s: float
    keep: int
    production: bool
    smoke: tuple[Smoke, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    method: str = "folder"
    hosts: tuple[str, ...] = ()
    ssh_config: str = ""
    compose: tuple[str, ...] = ()
    engine: tuple[str, ...] = ()
    source: str = "upload"
    secrets: tuple[str, ...] = ()
    commands: dict[str, str] = field(default_factory=dict)
    backup: dict[str, Any] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def services(self) -> Path:
        return self.root / "service"

    @property
    def current(self) -> Path:
        return self.root / "current"

    def address(self, path: str) -> str:
        return f"{self.url.rstrip('/')}/{path.lstrip('/')}"

    def as_dict(self) -> dict[str, Any]:
        """The form that the plan keeps and :func:`from_dict` reads."""
        return {
            "name": self.name,
            "root": str(self.root),
            "command": list(self.command),
            "url": self.url,
            "health": self.health,
            "timeout_s": self.timeout_s,
            "keep": self.keep,
            "production": self.production,
            "smoke": [[s.method, s.path, s.expect, s.contains, s.max_ms] for s in self.smoke],
            "variables": dict(self.variables),
            "method": self.method,
            "hosts": list(self.hosts),
            "ssh_config": self.ssh_config,
            "compose": list(self.compose),
            "engine": list(self.engine),
            "source": self.source,
            "secrets": list(self.secrets),
            "commands": dict(self.commands),
            "backup": dict(self.backup),
            "watch": dict(self.watch),
        }


def from_dict(kept: dict[str, Any]) -> Target:
    """The target that :meth:`Target.as_dict` kept; a plan of an earlier version lacks the later fields."""
    return Target(
        name=kept["name"],
        root=Path(kept["root"]),
        command=tuple(kept["command"]),
        url=kept["url"],
        health=kept["health"],
        timeout_s=float(kept["timeout_s"]),
        keep=int(kept["keep"]),
        production=bool(kept["production"]),
        smoke=tuple(Smoke(*entry) for entry in kept["smoke"]),
        variables=dict(kept["variables"]),
        method=kept.get("method", "folder"),
        hosts=tuple(kept.get("hosts", ())),
        ssh_config=kept.get("ssh_config", ""),
        compose=tuple(kept.get("compose", ())),
        engine=tuple(kept.get("engine", ())),
        source=kept.get("source", "upload"),
        secrets=tuple(kept.get("secrets", ())),
        commands=dict(kept.get("commands", {})),
        backup=dict(kept.get("backup", {})),
        watch=dict(kept.get("watch", {})),
    )


def target_of(repository: Repository, config: Config, name: str) -> Target:
    """The environment ``name`` of the policy. Raises :class:`Invalid` when there is none of that name."""
    found = config.environments.get(name)
    if found is None:
        known = ", ".join(sorted(config.environments)) or "none yet"
        raise Invalid(
            "environment.unknown",
            f"The trunk's policy has no environment {name!r} (it has: {known}).",
            f"add [environments.{name}] to ecluse.toml on the trunk, then: ecluse release plan",
        )
    smoke = []
    for entry in found.smoke:
        method, _, path = entry.request.strip().partition(" ")
        if method.upper() not in _READING:
            raise Unsupported(
                "smoke.method",
                f"The smoke request {entry.request!r} of {name} may change something; only {', '.join(_READING)} are supported.",
                "write it as a request that reads, such as: GET /health",
            )
        smoke.append(Smoke(method.upper(), path.strip() or "/", entry.expect, entry.contains, entry.max_ms))
    _check_method(name, found)
    base = repository.common_dir.parent if repository.common_dir.name == ".git" else repository.common_dir
    return Target(
        name=name,
        root=Path(found.path) if found.hosts else (base / found.path).resolve(),
        command=tuple(found.command),
        url=found.url,
        health=found.health,
        timeout_s=found.health_timeout_s,
        keep=found.keep,
        production=found.production,
        smoke=tuple(smoke),
        variables=dict(found.variables),
        method=found.method,
        hosts=found.hosts,
        ssh_config=str((base / found.ssh_config).resolve()) if found.ssh_config else "",
        compose=found.compose,
        engine=found.engine,
        source=found.source,
        secrets=found.secrets,
        commands={key: text for key, text in found.commands.table().items() if text},
        backup=found.backup.table() if found.backup else {},
        watch=found.watch.table(changed_only=True),
    )


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # no address at all: whoever asks it says so
        return ""


def _check_method(name: str, found: EnvironmentConfig) -> None:
    """Raise :class:`Invalid` when an environment lacks what its method needs."""
    hint = f"edit [environments.{name}] in ecluse.toml on the trunk, then: ecluse release plan"
    for host in found.hosts:
        if host.startswith("-") or not host.strip():
            raise Invalid("environment.host", f"{host!r} of the environment {name} is not a host's name.", hint)
    for place in (*found.hosts, _host_of(found.url)):
        if place.rstrip(".").lower().endswith(".invalid"):
            raise Invalid(
                "environment.placeholder",
                f"{place} of the environment {name} stands for a name that nobody has filled in yet.",
                hint,
            )
    if found.hosts and not found.path.startswith("/"):
        raise Invalid("environment.path", f"The environment {name} has hosts, so its path must be absolute.", hint)
    wanting = {
        "folder": not (found.hosts or found.command),
        "compose": not found.compose,
        "command": not found.commands.deploy,
    }
    if wanting[found.method]:
        what = {
            "folder": "`command` (the service) or `hosts`",
            "compose": "`compose`",
            "command": "`commands.deploy`",
        }
        raise Invalid(
            "environment.method",
            f"The environment {name} has the method {found.method} and needs {what[found.method]}.",
            hint,
        )
