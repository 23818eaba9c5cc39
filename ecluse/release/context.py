"""What a step sees: the release as it stands, its place in the playbook, and the world."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import Any

from ecluse.errors import Failed
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Deployment, DeploymentState, Release
from ecluse.release import target as targets
from ecluse.release.conditions import fill, words_of
from ecluse.release.playbook import Action, GateCall, Playbook, PlaybookStep, Unit, compile_playbook
from ecluse.release.target import Target
from ecluse.trunk import Trunk, open_trunk


class Context:
    """One release at one moment of its course."""

    def __init__(self, repository: Repository, history: History, release: Release) -> None:
        self.repository = repository
        self.history = history
        self.release = release

    @cached_property
    def playbook(self) -> Playbook:
        """The playbook as it was when the release started."""
        return compile_playbook(self.release.source, self.plan.get("path", self.release.playbook))

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.release.outputs.get("plan", {})
        return plan

    @cached_property
    def trunk(self) -> Trunk:
        """The trunk now: policy and keys are read from here."""
        return open_trunk(self.repository)

    @property
    def is_over(self) -> bool:
        """Whether every unit of the playbook has been passed."""
        return self.release.position >= len(self.playbook.units)

    @property
    def step(self) -> PlaybookStep:
        return self.playbook.units[self.release.position][0]

    @property
    def unit(self) -> Unit:
        return self.playbook.units[self.release.position][1]

    @property
    def action(self) -> Action:
        """The action being done. Only steps call this, and a step is an action."""
        unit = self.unit
        if isinstance(unit, GateCall):
            raise TypeError(f"{unit.name} is a gate")
        return unit

    def argument(self, key: str, default: str = "") -> str:
        """The action's argument ``key``, else ``default``, with each ``{word}`` filled in."""
        return fill(self.action.arguments.get(key, default), self.words)

    @property
    def words(self) -> dict[str, str]:
        return words_of(self.release)

    @cached_property
    def target(self) -> Target:
        """The environment as the plan kept it. Raises :class:`Failed` when the release has none."""
        kept = self.plan.get("target")
        if not kept:
            raise Failed(
                "release.no_environment",
                f"{self.release.id} was started without an environment, and this step needs one.",
                "ecluse release start --environment NAME",
            )
        return targets.from_dict(kept)

    @property
    def progress(self) -> dict[str, Any]:
        """What is kept of the unit being done: state, began, ended, said, result."""
        kept: dict[str, Any] = self.release.outputs.get("steps", {}).get(str(self.release.position), {})
        return kept

    def effect(self, part: str = "") -> str:
        """The journal's name for an effect of the unit being done: ``8.deploy.folder.start``."""
        index = self.step.units.index(self.unit)
        letter = chr(ord("a") + index) if index else ""
        name = self.unit.name
        return ".".join(filter(None, (f"{self.step.number}{letter}", name, part)))

    @property
    def retries(self) -> int:
        """How often people had the unit being done tried again: what it began must not be taken for this attempt's."""
        return int(self.release.outputs.get("retries", {}).get(str(self.release.position), 0))

    @property
    def back_attempt(self) -> int:
        """Which attempt at the way back this is: one that failed may be asked for again."""
        return int(self.release.outputs.get("rollback", {}).get("attempt", 1))

    def back(self, part: str) -> str:
        """The journal's name for an effect of the way back: ``rollback.start``, ``rollback2.start`` the second time."""
        attempt = self.back_attempt
        return f"rollback.{part}" if attempt == 1 else f"rollback{attempt}.{part}"

    @property
    def folder(self) -> Path:
        """This release's own folder for jobs, beside the history."""
        return self.repository.state_dir / "releases" / self.release.id

    @property
    def deployment(self) -> Deployment | None:
        """The deployment that this release made, when it made one."""
        found = self.history.find(Deployment, release=self.release.id, newest_first=True, limit=1)
        return found[0] if found else None

    @property
    def live(self) -> Deployment | None:
        """What history says is live in this release's environment."""
        return live_in(self.history, self.release.environment)

    def with_progress(self, **values: Any) -> Release:
        """The release with these values kept for the unit being done."""
        steps = dict(self.release.outputs.get("steps", {}))
        steps[str(self.release.position)] = {**self.progress, **values}
        return dataclasses.replace(self.release, outputs={**self.release.outputs, "steps": steps})


def live_in(history: History, environment: str) -> Deployment | None:
    """The newest deployment that history holds as live in ``environment``."""
    found = history.find(Deployment, environment=environment, state=DeploymentState.LIVE, newest_first=True, limit=1)
    return found[0] if found else None
