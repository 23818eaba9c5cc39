"""Where a release goes live, as the plan keeps it: the environment's settings at the moment of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.errors import Invalid, Unsupported
from ecluse.git import Repository

if TYPE_CHECKING:
    from ecluse.config import Config

_READING = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Smoke:
    """One request of the smoke test and what its answer must be."""

    method: str
    path: str
    expect: int
    contains: str


@dataclass(frozen=True, slots=True)
class Target:
    """One environment. ``root`` is its folder; ``timeout_s`` is how long the service has to become well."""

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
            "smoke": [[s.method, s.path, s.expect, s.contains] for s in self.smoke],
            "variables": dict(self.variables),
        }


def from_dict(kept: dict[str, Any]) -> Target:
    """The target that :meth:`Target.as_dict` kept."""
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
        smoke.append(Smoke(method.upper(), path.strip() or "/", entry.expect, entry.contains))
    base = repository.common_dir.parent if repository.common_dir.name == ".git" else repository.common_dir
    return Target(
        name=name,
        root=(base / found.path).resolve(),
        command=tuple(found.command),
        url=found.url,
        health=found.health,
        timeout_s=found.health_timeout_s,
        keep=found.keep,
        production=found.production,
        smoke=tuple(smoke),
        variables=dict(found.variables),
    )
