"""A command of the user's own that brings a version live; going back is the same command with the version before.

Without hosts it runs here, in a checkout of the version's commit that is removed afterwards; with hosts it runs on
each of them, in the environment's folder.
"""

from __future__ import annotations

from ecluse.errors import Failed
from ecluse.model import Deployment
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import Carrier, effect
from ecluse.release.deploy.host import HERE, Host


class ByCommand(Carrier):
    """``commands.deploy`` with the version in ``ECLUSE_VERSION`` and the commit in ``ECLUSE_COMMIT``."""

    step = "deploy.command"

    def location(self, version: str, release_id: str) -> str:
        return ""

    def missing(self, made: Deployment) -> str:
        return ""

    def bring(self, context: Context, made: Deployment) -> str:
        self._each(context, context.effect("run"), made, list(enumerate(self.hosts, 1)))
        return f"the command of {self.target.name} brought {made.version or made.commit[:12]}"

    def back(self, context: Context, previous: Deployment) -> None:
        self._each(context, context.back("run"), previous, self.touched(context))

    def halt(self, context: Context) -> str:
        script, made = self.target.commands.get("stop", ""), context.deployment
        if not script or made is None:
            return f"{self.target.name} has no commands.stop: its service may still run"
        for number, host in self.touched(context):
            effect(
                context,
                context.back(f"stop.{number}"),
                lambda host=host: self._run(context, host, made, script),  # type: ignore[misc]
                lambda: False,  # stopping what has stopped changes nothing
            )
        return f"the service in {self.target.name} is stopped"

    def _each(self, context: Context, name: str, made: Deployment, hosts: list[tuple[int, Host]]) -> None:
        for number, host in hosts:
            effect(
                context,
                f"{name}.{number}",
                lambda host=host: self._run(context, host, made, self.target.commands["deploy"]),  # type: ignore[misc]
                lambda host=host: self._runs(host, made),  # type: ignore[misc]
                {"host": host.name, "version": made.version, "commit": made.commit},
            )

    def _runs(self, host: Host, made: Deployment) -> bool | None:
        """Whether ``made`` runs on ``host``: unknown without ``commands.running``, so that a person is asked."""
        if not self.target.commands.get("running"):
            return None
        try:
            return self.running(host) in (made.version, made.commit)
        except Failed:
            return None

    def _run(self, context: Context, host: Host, made: Deployment, script: str) -> None:
        variables = self.variables(made)
        if host.name != HERE or self.target.hosts:
            host.run('cd "$1" && sh -c "$2"', [str(self.target.root), script], variables=variables, timeout_s=3600)
            return
        with context.repository.temporary_clone(bare=False) as clone:
            clone.check_out(made.commit)
            host.run('cd "$1" && sh -c "$2"', [str(clone.work_tree), script], variables=variables, timeout_s=3600)
