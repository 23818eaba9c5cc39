"""What a release would reach and who may say yes: files and migrations, secrets by name, people at each gate."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecluse import signing
from ecluse.git import Repository
from ecluse.history import History
from ecluse.release.guards import goes_live, guards_at
from ecluse.release.people import People, is_meant, makers, tokens_of
from ecluse.release.playbook import Action, GateCall, GateRule, Playbook
from ecluse.release.target import Target
from ecluse.trunk import Trunk

if TYPE_CHECKING:
    from ecluse.config import Config

LISTED = 200
"""Paths that a plan lists; it counts them all. Migrations are listed without a limit."""
_HOW = {"A": "new", "D": "gone", "M": "changed", "T": "changed"}


@dataclass(frozen=True, slots=True)
class Touched:
    """The paths that differ between what was released last and what would be, and those among them that are migrations."""

    count: int
    files: tuple[dict[str, str], ...]
    migrations: tuple[dict[str, str], ...]


def touched(repository: Repository, since: str, commit: str, patterns: tuple[str, ...]) -> Touched:
    """What lies between ``since`` and ``commit``; everything is new where nothing was released before."""
    if since:
        found = [
            {"path": one.path, "how": _HOW.get(one.status, one.status)}
            for one in repository.changed_paths(since, commit)
        ]
    else:
        found = [{"path": one.path, "how": "new"} for one in repository.list_tree(commit)]
    migrations = [one for one in found if any(fnmatch.fnmatchcase(f"/{one['path']}", word) for word in patterns)]
    return Touched(len(found), tuple(found[:LISTED]), tuple(migrations))


def secrets(config: Config, playbook: Playbook, target: Target | None) -> tuple[dict[str, str], ...]:
    """The secrets that the playbook's steps are given, by name, and what for. Values are never looked at."""
    found: list[tuple[str, str]] = []
    moves = [move.action for rule in playbook.rollback for move in rule.moves if move.action is not None]
    for unit in [*(unit for _, unit in playbook.units if isinstance(unit, Action)), *moves]:
        found += _secrets_of(config, unit, target)
    if target is not None and any(goes_live(unit) for _, unit in playbook.units):
        found += [(name, f"the service in {target.name}") for name in target.secrets]
    return tuple({"name": name, "for": what} for name, what in dict.fromkeys(found))


def _secrets_of(config: Config, action: Action, target: Target | None) -> list[tuple[str, str]]:
    if action.name == "secrets.rotate" and target is not None:
        named = [one for one in action.arguments.get("names", "").split(",") if one] or target.secrets
        return [(name, action.name) for name in named]
    if action.name == "release.notes" and config.forge is not None:
        return [(config.forge.token, action.name)]
    agent = config.agents.get(action.arguments.get("agent", ""))
    if action.name == "agent.run" and agent is not None:
        return [(name, f"the agent {action.arguments['agent']}") for name in agent.secrets]
    bridge = config.bridges.get(action.arguments.get("bridge", ""))
    if action.name == "bridge.run" and bridge is not None:
        return [(name, action.name) for name in (bridge.secret, bridge.left.token, bridge.right.token) if name]
    return []


def gates(
    trunk: Trunk, history: History, playbook: Playbook, target: Target | None, previous: str, commit: str
) -> tuple[dict[str, Any], ...]:
    """Every gate in words and names: question, answers and where they lead, how many people, who may, what silence means."""
    guarding = {
        unit.name for at, (_, unit) in enumerate(playbook.units)
        if isinstance(unit, GateCall) and guards_at(playbook.units, at)
    }  # fmt: skip
    known = trunk.config.environments.get(target.name) if target else None
    made: set[str] = set()
    if guarding and target and target.production and not trunk.config.solo:
        made = makers(trunk.repository, history, target.name, previous, commit)
    found = []
    for rule in playbook.gates:
        guard = rule.name in guarding and known is not None
        may, own = _askable(trunk, rule, known.reviewers if known and guard else (), made if guard else set())
        found.append(
            {
                "name": rule.name,
                "question": rule.question,
                "who": list(rule.who),
                "answers": list(rule.answers),
                "targets": list(rule.targets),
                "silence": rule.silence,
                "hours": (rule.deadline_s or trunk.config.release.gate_hours * 3600) / 3600,
                "needs": 1 if trunk.config.solo else max(rule.needs, known.approvals if known and guard else 1),
                "guards": target.name if target and guard else "",
                "reviewers": list(known.reviewers) if known and guard else [],
                "solo": trunk.config.solo,
                "may": may,
                "own_work": own,
                "checklist": list(playbook.checklist(rule.name)),
            }
        )
    return tuple(found)


def _askable(trunk: Trunk, rule: GateRule, reviewers: tuple[str, ...], made: set[str]) -> tuple[list[str], list[str]]:
    """The names of listed people who may answer, and of those who may not because what is released is their own work."""
    people = People(trunk.config, trunk.principals)
    lists = [[word.lower() for word in one] for one in (rule.who, reviewers) if one]
    may: list[str] = []
    own: list[str] = []
    for principal in trunk.principals:
        tokens = people.all_of(tokens_of(principal.name, signing.fingerprint(principal)))
        if all(any(is_meant(word, principal, tokens) for word in one) for one in lists):
            name = people.name_of(tokens, principal.name)
            (own if made and people.same(tokens, made) else may).append(name)
    return sorted(set(may)), sorted(set(own))
