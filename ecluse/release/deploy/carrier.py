"""What every way of bringing a version live offers, and which environment takes which."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ecluse.history import perform
from ecluse.history.journal import Probed, effects_of
from ecluse.model import Deployment
from ecluse.release.context import Context
from ecluse.release.deploy.host import Host, hosts_of
from ecluse.release.target import Target

_CHANGES = re.compile(r"\.(?:switch|checkout|start|up|run)\.(\d+)\Z")
"""Effects on a host by which another version begins to run there; filling a folder is none."""


class Carrier(ABC):
    """One way to bring a version live. Everything that changes something is journalled and probed after a death."""

    step = ""
    """The action of a playbook that uses it."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    def hosts(self) -> list[Host]:
        return hosts_of(self.target)

    @abstractmethod
    def location(self, version: str, release_id: str) -> str:
        """Where a release's files will be, or empty when there is no such place."""

    @abstractmethod
    def missing(self, made: Deployment) -> str:
        """Why ``made`` could not come back, in a sentence; empty when it could."""

    @abstractmethod
    def bring(self, context: Context, made: Deployment) -> str:
        """Bring ``made`` live, in effects of the unit being done; return a sentence."""

    @abstractmethod
    def back(self, context: Context, previous: Deployment) -> None:
        """Start ``previous`` anew as the live version, in effects named ``rollback.…``."""

    @abstractmethod
    def halt(self, context: Context) -> str:
        """Stop the service, there being nothing to go back to; return a sentence."""

    def ended(self, context: Context, attempt: int) -> str:
        """Why the service is known not to run (``attempt`` 1: as deployed, 2: as brought back); empty: not known."""
        return ""

    def prune(self, context: Context) -> None:
        """Make room for another release."""
        return

    def service(self, context: Context) -> str:
        """The folder of the service's job, where it is a job of Écluse's own."""
        return ""

    def touched(self, context: Context) -> list[tuple[int, Host]]:
        """The hosts, with their numbers, on which this release has begun to change what runs: the others need no way back."""
        begun = {effect.step for effect in effects_of(context.history, context.release.subject)}
        changed = [_CHANGES.search(step) for step in begun]
        numbers = {int(found[1]) for found in changed if found}
        return [(number, host) for number, host in enumerate(self.hosts, 1) if number in numbers]

    def variables(self, made: Deployment) -> dict[str, str]:
        """What the environment's commands see."""
        return {
            **self.target.variables,
            "ECLUSE_VERSION": made.version,
            "ECLUSE_COMMIT": made.commit,
            "ECLUSE_RELEASE": made.release,
            "ECLUSE_ENVIRONMENT": made.environment,
        }

    def running(self, host: Host | None = None) -> str | None:
        """The version that ``host`` (the first one when not given) tells; empty: none; ``None``: there is no way to ask.

        Raises :class:`Failed` when the host cannot be asked.
        """
        script = self.target.commands.get("running", "")
        return (host or self.hosts[0]).text(script).removeprefix("v") if script else None


def carrier_of(target: Target) -> Carrier:
    """The way that an environment's method, and whether it has hosts, ask for."""
    if target.method == "compose":
        from ecluse.release.deploy.compose import ByCompose

        return ByCompose(target)
    if target.method == "command":
        from ecluse.release.deploy.command import ByCommand

        return ByCommand(target)
    if target.hosts:
        from ecluse.release.deploy.upload import ByUpload

        return ByUpload(target)
    from ecluse.release.deploy.local import ByFolder

    return ByFolder(target)


def effect(
    context: Context,
    name: str,
    do: Callable[[], object],
    happened: Callable[[], bool | None],
    plan: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Have ``do`` happen exactly once under ``name``; ``happened`` looks at the world after a death.

    A dictionary that ``do`` returns is added to what the journal keeps.
    """

    def act(kept: dict[str, Any]) -> dict[str, Any]:
        told = do()
        return {**kept, **told} if isinstance(told, dict) else kept

    subject = context.release.subject
    return perform(context.history, subject, name, act, probe=lambda kept: Probed(happened(), kept), plan=plan)
