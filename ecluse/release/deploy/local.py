"""A release folder on this machine, and a service that is a job of Écluse's own."""

from __future__ import annotations

from pathlib import Path

from ecluse import process
from ecluse.model import Deployment
from ecluse.process import JobState
from ecluse.release import folder
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import Carrier, effect
from ecluse.release.deploy.host import Host


class ByFolder(Carrier):
    """Folders side by side, the link ``current``, the service started by us (:mod:`ecluse.release.folder`)."""

    step = "deploy.folder"

    def location(self, version: str, release_id: str) -> str:
        return str(self.target.releases / f"{version}-{release_id}")

    def missing(self, made: Deployment) -> str:
        return "" if Path(made.location).is_dir() else f"its folder {made.location} is gone"

    def bring(self, context: Context, made: Deployment) -> str:
        target, home = self.target, Path(made.location)
        job = Path(self.service(context))
        name = context.effect
        effect(
            context, name("fill"), lambda: folder.fill(context.repository, made.commit, made.version, home), home.is_dir
        )
        effect(
            context,
            name("stop"),
            lambda: folder.stop_others(target, job) and None,
            lambda: not [other for other in folder.running(target) if other != job],
        )
        effect(context, name("switch"), lambda: folder.switch(target, home), lambda: folder.current_of(target) == home)
        effect(context, name("start"), lambda: folder.start(target, home, job), lambda: _was_started(job))
        return f"{target.current} is {home.name}, the service was started"

    def back(self, context: Context, previous: Deployment) -> None:
        target, home = self.target, Path(previous.location)
        job = folder.service_folder(target, context.release.id, 1 + context.back_attempt)
        self._stop(context, job)
        self._switch(context, home)
        effect(
            context,
            context.back("start"),
            lambda: folder.start(target, home, job),
            lambda: _was_started(job),
            {"job": str(job)},
        )

    def halt(self, context: Context) -> str:
        self._stop(context, None)
        self._switch(context, None)
        return f"the service in {self.target.name} is stopped"

    def ended(self, context: Context, attempt: int) -> str:
        return folder.ended(folder.service_folder(self.target, context.release.id, attempt))

    def prune(self, context: Context) -> None:
        live, current = context.live, folder.current_of(self.target)
        protected = {Path(live.location)} if live else set()
        folder.prune(self.target, protected | ({current} if current else set()))

    def service(self, context: Context) -> str:
        return str(folder.service_folder(self.target, context.release.id, 1))

    def running(self, host: Host | None = None) -> str | None:
        if self.target.commands.get("running"):
            return super().running(host)
        home = folder.current_of(self.target)
        if home is None or not folder.running(self.target):
            return ""
        try:
            return (home / "RELEASE").read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def _stop(self, context: Context, keep: Path | None) -> None:
        effect(
            context,
            context.back("stop"),
            lambda: {"stopped": folder.stop_others(self.target, keep)},
            lambda: not [other for other in folder.running(self.target) if other != keep],
            {"environment": self.target.name},
        )

    def _switch(self, context: Context, home: Path | None) -> None:
        effect(
            context,
            context.back("switch"),
            lambda: folder.switch(self.target, home),
            lambda: folder.current_of(self.target) == home,
            {"current": str(home or "")},
        )


def _was_started(job: Path) -> bool:
    return process.job_status(job).state is not JobState.ABSENT
