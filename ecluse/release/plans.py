"""What a release would do, before anything is done: the plan that approvals bind to."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ecluse.errors import Invalid, Refused
from ecluse.git import Commit, Repository
from ecluse.history import History
from ecluse.history.records import plain
from ecluse.model import Change, ChangeState, Landing, LandingState
from ecluse.release import holds, library, moves, needs, reach, version
from ecluse.release.canonical import digest
from ecluse.release.context import live_in
from ecluse.release.playbook import Action, Playbook, PlaybookStep
from ecluse.release.steps import shape_of
from ecluse.release.target import Target, target_of
from ecluse.trunk import Trunk, open_trunk

if TYPE_CHECKING:
    from ecluse.config import EnvironmentConfig

LISTED = 200
"""Commits that a plan lists by title; it counts them all."""


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """Exactly what would happen. ``digest`` is over all other fields except ``text``, in canonical JSON."""

    playbook: str
    path: str
    playbook_digest: str
    branch: str
    commit: str
    policy: str
    inputs: dict[str, str]
    version: str
    previous: str
    bump: str
    why: str
    commit_count: int
    commits: tuple[dict[str, str], ...]
    changes: tuple[dict[str, str], ...]
    steps: tuple[dict[str, Any], ...]
    gates: tuple[dict[str, Any], ...]
    rollback: tuple[dict[str, Any], ...]
    environment: str
    target: dict[str, Any] | None
    concurrency: str = ""
    deadline_hours: float = 0.0
    file_count: int = 0
    files: tuple[dict[str, str], ...] = ()
    migrations: tuple[dict[str, str], ...] = ()
    secrets: tuple[dict[str, str], ...] = ()
    digest: str = ""
    text: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON material, without the playbook's text."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name != "text"}


def plan(
    repository: Repository,
    history: History,
    playbook_name: str,
    inputs: dict[str, str],
    environment: str | None = None,
    branch: str | None = None,
) -> ReleasePlan:
    """Work out what releasing the trunk's tip, or ``branch``'s, would do. Changes nothing.

    Policy, keys and playbook are the trunk's, whatever branch is released. Raises :class:`Invalid` for an unknown or
    faulty playbook, input, branch or environment, and when nothing was committed since the last release;
    :class:`Refused` when the environment does not take this branch.
    """
    trunk = open_trunk(repository)
    playbook, text, target = _playbook_and_target(trunk, playbook_name, environment)
    branch = branch or trunk.branch
    tip = _tip_of(trunk, branch)
    if target is not None:
        check_branch(trunk.config.environments[target.name], target.name, branch)
        holds.frozen(trunk, history, target.name)  # a rule that nobody can read is said before anything is begun
    given = given_inputs(playbook, inputs)
    _check_needs(trunk, playbook, target, tip, given)
    decided = version.Decision("", "", "", "", ())
    if any(isinstance(unit, Action) and unit.name == "semver.decide" for _, unit in playbook.units):
        decided = version.decide(repository, tip, given.get("version", ""))
    commits, since = _since(repository, history, decided, target, tip)
    reached = reach.touched(repository, since, tip, trunk.config.release.migrations)
    made = ReleasePlan(
        playbook=playbook.name,
        path=playbook.path,
        playbook_digest=playbook.digest,
        branch=branch,
        commit=tip,
        policy=policy_in_force(trunk),
        inputs=given,
        version=decided.version,
        previous=decided.previous,
        bump=decided.bump,
        why=decided.why,
        commit_count=len(commits),
        commits=tuple({"id": c.id, "title": c.title} for c in reversed(commits[-LISTED:])),
        changes=tuple(_landed(history, {c.id for c in commits})),
        file_count=reached.count,
        files=reached.files,
        migrations=reached.migrations,
        secrets=reach.secrets(trunk.config, playbook, target),
        steps=tuple(describe(step) for step in playbook.steps),
        gates=reach.gates(trunk, history, playbook, target, decided.previous, tip),
        rollback=_ways_back(playbook),
        deadline_hours=(playbook.deadline_s or trunk.config.release.deadline_hours * 3600) / 3600,
        environment=target.name if target else "",
        target=target.as_dict() if target else None,
        concurrency=playbook.concurrency,
        text=text,
    )
    document = made.as_dict()
    document.pop("digest")
    return ReleasePlan(**{**{f.name: getattr(made, f.name) for f in fields(made)}, "digest": digest(document)})


def _ways_back(playbook: Playbook) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"when": r.when, "do": r.do, "text": r.text, "ask": r.ask or moves.is_careful(r), "by_hand": r.by_hand}
        for r in playbook.rollback
    )


def _since(
    repository: Repository, history: History, decided: version.Decision, target: Target | None, tip: str
) -> tuple[Sequence[Commit], str]:
    """What is new: since the last version, else since what is live in the environment; and the commit it counts from."""
    if decided.version:
        last = version.last_release(repository, tip)
        return decided.commits, last.commit if last else ""
    live = live_in(history, target.name) if target is not None else None
    before = repository.resolve(live.commit) if live is not None else None
    if target is None or before is None:
        return (), tip
    return repository.commits(f"^{before}", tip), before


def _check_needs(trunk: Trunk, playbook: Playbook, target: Target | None, tip: str, given: dict[str, str]) -> None:
    """Raise :class:`Invalid` when the page names what this repository does not have, before anything is begun."""
    found = needs.missing(trunk.repository, trunk.config, playbook, target, tip, given)
    if found:
        listed = "\n".join(f"  {playbook.path}:{fault}" for fault in found)
        raise Invalid(
            "release.needs",
            f"The playbook {playbook.name} cannot be run yet:\n{listed}",
            f"mend that on the trunk, then: ecluse release plan {playbook.name}",
            {"faults": [dataclasses.asdict(fault) for fault in found]},
        )


def _tip_of(trunk: Trunk, branch: str) -> str:
    if branch == trunk.branch:
        return trunk.tip
    tip = trunk.repository.resolve(f"refs/heads/{branch}")
    if tip is None:
        raise Invalid("release.branch", f"There is no branch {branch!r} here.", "git branch --list")
    return tip


def check_branch(known: EnvironmentConfig, environment: str, branch: str) -> None:
    """Raises :class:`Refused` unless the environment's ``branches`` let ``branch`` in."""
    if known.branches and not any(fnmatch.fnmatchcase(branch, pattern) for pattern in known.branches):
        raise Refused(
            "environment.branch",
            f"{environment} takes releases of {', '.join(known.branches)}, not of {branch}.",
            f"ecluse release plan --branch {known.branches[0]}",
        )


def policy_in_force(trunk: Trunk) -> str:
    """An id of the policy and the keys; ``pyproject.toml`` counts only where there is no ``ecluse.toml``."""
    config, keys, project = trunk.policy_id().split("+")
    return f"{config}+{keys}" if config != "-" else f"{config}+{keys}+{project}"


def describe(step: PlaybookStep) -> dict[str, Any]:
    """A step in words and parts, for people and programs."""
    does = []
    for unit in step.units:
        if isinstance(unit, Action):
            shape = shape_of(unit.name)
            facts = {"uses": unit.name, "with": unit.arguments, "meaning": shape.summary if shape else ""}
            flags = {"goes_live": bool(shape and shape.goes_live), "irreversible": bool(shape and shape.irreversible)}
            does.append({**facts, **flags})
        else:
            does.append({"gate": unit.name})
    return {"number": step.number, "title": step.title, "actor": step.actor, "if": step.condition, "does": does}


def given_inputs(playbook: Playbook, inputs: dict[str, str]) -> dict[str, str]:
    """Every input with its value. Raises :class:`Invalid` for one that is unknown or missing."""
    known = {rule.name: rule for rule in playbook.inputs}
    for name in inputs:
        if name not in known:
            raise Invalid(
                "release.input",
                f"The playbook {playbook.name} has no input {name!r} (it has: {', '.join(known) or 'none'}).",
                f"ecluse playbook show {playbook.name}",
            )
    given = {}
    for name, rule in known.items():
        value = inputs.get(name, rule.default)
        if value is None:
            raise Invalid(
                "release.input",
                f"The playbook {playbook.name} needs the input {name!r}: {rule.description or 'no description'}.",
                f"ecluse release start {playbook.name} --input {name}=VALUE",
            )
        chosen = rule.chosen(value)
        if chosen is None:
            raise Invalid(
                "release.input",
                f"The input {name!r} of the playbook {playbook.name} is {', '.join(rule.choices)}, not {value!r}.",
                f"ecluse release start {playbook.name} --input {name}={_nearest(value, rule.choices)}",
            )
        given[name] = chosen
    return given


def _nearest(value: str, choices: Sequence[str]) -> str:
    """The choice that ``value`` was probably meant to be."""
    import difflib

    low = {choice.lower(): choice for choice in choices}
    return low[(difflib.get_close_matches(value.lower(), low, 1, 0.0) or list(low))[0]]


def _playbook_and_target(trunk: Trunk, name: str, environment: str | None) -> tuple[Playbook, str, Target | None]:
    """The playbook, its text, and the environment it would reach (``None`` when it reaches none)."""
    config = trunk.config
    if environment is not None:
        target = target_of(trunk.repository, config, environment)
        playbook, text = library.load(trunk, name, production=target.production)
        return playbook, text, target
    playbook, text = library.load(trunk, name)
    if playbook.environment:
        return playbook, text, target_of(trunk.repository, config, playbook.environment)
    shapes = [shape_of(unit.name) for _, unit in playbook.units if isinstance(unit, Action)]
    if not any(shape and shape.goes_live for shape in shapes):
        return playbook, text, None
    if len(config.environments) == 1:
        return playbook, text, target_of(trunk.repository, config, next(iter(config.environments)))
    known = ", ".join(sorted(config.environments)) or "none"
    raise Invalid(
        "environment.needed",
        f"The playbook {name} deploys, and does not say where (the policy has: {known}).",
        f"ecluse release start {name} --environment NAME, or add [environments.NAME] to ecluse.toml on the trunk",
    )


def _landed(history: History, since: set[str]) -> list[dict[str, str]]:
    """The changes whose landing brought one of these commits."""
    found = []
    for landing in history.find(Landing, state=LandingState.LANDED, limit=100_000, newest_first=True):
        if landing.candidate in since:
            change = history.get(Change, landing.change)
            if change is not None and change.state is ChangeState.LANDED:
                found.append({"key": change.key, "title": change.title, "agent": change.agent})
    return found
