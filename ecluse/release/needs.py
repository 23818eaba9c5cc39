"""What a playbook's steps name and this repository has to have: agents, environments, files, settings.

A step that finds its agent or its script missing would say so only when its turn has come, after a tag or a deployment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ecluse.release import conditions
from ecluse.release.near import named
from ecluse.release.page import Fault
from ecluse.release.playbook import Action, Playbook
from ecluse.release.steps import shape_of
from ecluse.release.target import Target

if TYPE_CHECKING:
    from ecluse.config import Config
    from ecluse.git import Repository

_BACKUP = {"backup.make": "make", "backup.restore": "restore", "backup.restore-test": "test"}
"""Action -> the command of the section backup that it runs."""


def missing(
    repository: Repository, config: Config, playbook: Playbook, target: Target | None, tip: str, inputs: dict[str, str]
) -> list[Fault]:
    """What the steps, and the ways back, name and is not there, each with the line and column that names it.

    A step that ``inputs`` leave out needs nothing; what is known only when the step's turn has come is not looked at.
    """
    words = {f"inputs.{name}": value for name, value in inputs.items()}
    wanted: list[Action] = []
    for step, unit in playbook.units:
        decided = conditions.word_of(step.condition) in words
        if isinstance(unit, Action) and not (decided and not conditions.holds(step.condition, words)):
            wanted.append(unit)
    wanted += [move.action for rule in playbook.rollback for move in rule.moves if move.action is not None]
    found: list[Fault] = []
    moves = False
    for unit in wanted:
        moves = moves or unit.name == "landing.land"  # what lands may bring the file that a later step names
        filled = {key: conditions.fill(text, words).strip() for key, text in unit.arguments.items()}
        known = {key: text for key, text in filled.items() if text and not conditions.places(text)}
        one = dataclasses.replace(unit, arguments=known)
        found += [*_of_policy(config, one, target), *_of_target(one, target)]
        found += [] if moves else _of_commit(repository, tip, one)
    return sorted(set(found), key=lambda fault: (fault.line, fault.column, fault.code))


def _of_policy(config: Config, unit: Action, target: Target | None) -> Iterator[Fault]:
    sections: dict[str, tuple[str, str, Mapping[str, object]]] = {
        "agent.run": ("agent", "agents", config.agents),
        "bridge.run": ("bridge", "bridges", config.bridges),
        "freeze.begin": ("environment", "environments", config.environments),
    }
    key, section, known = sections.get(unit.name, ("", "", {}))
    name = unit.arguments.get(key, "")
    if name and name not in known:
        text = f"ecluse.toml on the trunk has no [{section}.{name}]{named(name, known)}"
        yield Fault(*unit.where(f"{key}="), f"needs.{key}", text)
    if unit.name == "release.notes" and config.forge is None:
        yield Fault(
            unit.line, unit.column, "needs.forge", "ecluse.toml on the trunk has no [forge] to publish notes on"
        )


def _of_target(unit: Action, target: Target | None) -> Iterator[Fault]:
    shape = shape_of(unit.name)
    if target is None:
        if shape is not None and shape.environment:
            text = f"`{unit.name}` needs an environment: write `environment: NAME` in the front matter"
            yield Fault(unit.line, unit.column, "needs.environment", text)
        return
    if shape is not None and shape.goes_live:
        from ecluse.release.deploy import carrier_of

        step = carrier_of(target).step
        if step != unit.name:
            text = (
                f"the environment {target.name} has the method {target.method}: write `{step}` (or change the method)"
            )
            yield Fault(unit.line, unit.column, "needs.method", text)
    if unit.name.startswith("backup."):
        wanted = _BACKUP.get(unit.name, "")
        if not target.backup or (wanted and not target.backup.get(wanted)):
            what = f"no `{wanted}` in " if wanted and target.backup else "no section "
            text = f"ecluse.toml on the trunk has {what}[environments.{target.name}.backup]"
            yield Fault(unit.line, unit.column, "needs.backup", text)
    if unit.name == "secrets.rotate" and not (target.secrets or unit.arguments.get("names")):
        text = f"[environments.{target.name}] of ecluse.toml names no `secrets`, so there is nothing to renew"
        yield Fault(unit.line, unit.column, "needs.secrets", text)


def _of_commit(repository: Repository, tip: str, unit: Action) -> Iterator[Fault]:
    files = {"ci.job": "workflow", "smoke": "script", "agent.run": "brief"}
    key = files.get(unit.name, "")
    name = unit.arguments.get(key, "")
    path = f".github/workflows/{name}" if key == "workflow" and "/" not in name else name
    outside = path.startswith("/") or ".." in path.split("/")
    if name and (outside or repository.read(tip, path) is None):
        yield Fault(*unit.where(f"{key}="), "needs.file", f"there is no file {path} in {tip[:12]}")
