"""Environments beside a release: what runs there really, which landings go there by themselves, whether one is due."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from datetime import timedelta

from ecluse import clock, notify
from ecluse.errors import Failed, Problem
from ecluse.git import Repository
from ecluse.history import History, wakes
from ecluse.model import Deployment, DeploymentState, Event, Landing, LandingState, Release
from ecluse.release import orders, version
from ecluse.release.context import live_in
from ecluse.release.deploy import carrier_of
from ecluse.release.probes import look_at_health
from ecluse.release.target import Target, target_of
from ecluse.trunk import Trunk, open_trunk

BUSY_AGAIN_S = 2.0
"""When an environment that is busy with another release is looked at again, in seconds."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What an environment answers beside what the history says; ``as_recorded`` is whether the two agree."""

    environment: str
    recorded: str
    release: str
    running: str
    as_recorded: bool
    said: str
    answers: tuple[str, ...]


def look(repository: Repository, history: History, name: str) -> Sight:
    """Ask the environment what runs there: its files or hosts by its method, and the service's own health answer.

    Raises :class:`Invalid` for an unknown environment. A host that does not answer is not as recorded.
    """
    trunk = open_trunk(repository)
    target = target_of(repository, trunk.config, name)
    live = live_in(history, name)
    wanted = live.version if live else ""
    places = _places(target, {wanted, live.commit} if live else set())
    running = ", ".join(sorted({place.running for place in places if place.running}))
    seen = look_at_health(target.address(target.health), wanted)
    answers = (*(place.said for place in places), seen.said)
    unsettled = [d for d in history.find(Deployment, environment=name, newest_first=True, limit=1) if d is not live]
    under_way = next((d for d in unsettled if d.state is DeploymentState.BEGUN), None)
    if under_way is not None:
        said = f"{under_way.version} is being brought there by {under_way.release}; nothing to compare yet"
        return Sight(name, wanted, under_way.release, running, True, said, answers)
    if live is None:
        agrees = not running and not seen.well and all(place.answered for place in places)
        said = "nothing is live, as the history says" if agrees else "something runs there that no release brought"
        return Sight(name, "", "", running, agrees, said, answers)
    odd = [place for place in places if not place.agrees]
    agrees = seen.well and not odd
    found = "; ".join(place.found for place in odd) or "something else, or nothing that is well"
    said = f"{wanted} runs there, as the history says" if agrees else f"the history says {wanted}, there is {found}"
    return Sight(name, wanted, live.release, running, agrees, said, answers)


@dataclass(frozen=True, slots=True)
class _Place:
    """What one host, or the folder here, told: the version, whether that is as recorded, and words for both."""

    running: str
    answered: bool
    agrees: bool
    found: str
    said: str


def _places(target: Target, wanted: set[str]) -> list[_Place]:
    """Every host of the environment, asked. One that cannot be asked does not agree; one with nothing to ask does."""
    carrier = carrier_of(target)
    several = len(carrier.hosts) > 1
    found = []
    for host in carrier.hosts:
        where = f"the host {host.label}" if target.hosts else "its folder"
        on = f" on {host.label}" if several else ""
        try:
            running = carrier.running(host)
        except Failed as problem:
            unasked = f"{where} could not be asked: {problem.message}"
            found.append(_Place("", False, False, f"no answer from {host.label}", unasked))
            continue
        if running is None:
            found.append(_Place("", True, True, "", f"{where} has no way to ask (commands.running)"))
            continue
        odd = f"{running or 'nothing'}{on}"
        found.append(_Place(running, True, running in wanted, odd, f"{where} says {running or 'nothing'}"))
    return found


def deployed_on(trunk: Trunk, ref: str) -> list[str]:
    """The environments that a landing on ``ref`` is deployed to by the policy's word."""
    branch = ref.removeprefix("refs/heads/")
    return [
        name
        for name, known in sorted(trunk.config.environments.items())
        if any(fnmatch.fnmatchcase(branch, pattern) for pattern in known.deploy_on)
    ]


def after_landing(repository: Repository, history: History, landing_id: str) -> None:
    """Wake the environments that take what has landed. Safe to call again: an environment that is up to date rests."""
    landing = history.get(Landing, landing_id)
    if landing is None or landing.state is not LandingState.LANDED:
        return
    for name in deployed_on(open_trunk(repository), landing.target):
        if _owed(repository, history, name) is not None:
            wakes.wake(history, f"environment/{name}", f"{landing.id} has landed")


def advance(repository: Repository, history: History, name: str) -> None:
    """Start the release that brings the newest landing to ``name``, when it owes one and nothing else is under way.

    What cannot be started (no such playbook, nothing new to release) is recorded and told, and waits for the next landing.
    """
    landing = _owed(repository, history, name)
    if landing is None:
        return
    if any(not one.state.is_terminal for one in history.find(Release, environment=name, newest_first=True, limit=20)):
        wakes.wake_in(history, f"environment/{name}", BUSY_AGAIN_S, "another release is under way there")
        return
    try:
        _start(repository, history, name, landing)
    except Problem as problem:
        if problem.code.startswith("history."):
            raise
        _say(repository, history, name, landing, problem)


def _start(repository: Repository, history: History, name: str, landing: Landing) -> None:
    known = open_trunk(repository).config.environments[name]
    branch = landing.target.removeprefix("refs/heads/")
    started = orders.start(
        repository,
        history,
        playbook=known.playbook or name,
        environment=name,
        branch=branch,
        starter="ecluse",
        machine=True,
    )
    text = f"{branch} is deployed to {name} by itself: {landing.change} has landed"
    data = {"landing": landing.id, "environment": name}
    history.note(Event("release.automatic", started.subject, text, data=data))


def _say(repository: Repository, history: History, name: str, landing: Landing, problem: Problem) -> None:
    text = f"{landing.change} has landed and is not deployed to {name}: {problem.message}"
    data = {"landing": landing.id, "code": problem.code, "hint": problem.hint}
    history.note(Event("environment.not_deployed", f"environment/{name}", text, data=data))
    notify.send(history, open_trunk(repository).config.notify, "release.failed", text, data)


def _owed(repository: Repository, history: History, name: str) -> Landing | None:
    """The newest landing that ``name`` takes and no release of it was started after; ``None`` when it is up to date.

    What a release of this very environment landed (its changelog) is part of that release.
    """
    known = open_trunk(repository).config.environments.get(name)
    if known is None:
        return None
    newest = history.find(Release, environment=name, newest_first=True, limit=1)
    own = {one.subject for one in history.find(Release, environment=name, newest_first=True, limit=50)}
    for landing in history.find(Landing, state=LandingState.LANDED, newest_first=True, limit=50):
        branch = landing.target.removeprefix("refs/heads/")
        if landing.parent in own or not any(fnmatch.fnmatchcase(branch, pattern) for pattern in known.deploy_on):
            continue
        return None if newest and newest[0].created_at > landing.updated_at else landing
    return None


def due(repository: Repository, history: History) -> str:
    """Whether a release is due: longer ago than ``every_days`` and something has landed since; empty when it is not."""
    trunk = open_trunk(repository)
    days = trunk.config.release.every_days
    if not days:
        return ""
    production = {name for name, known in trunk.config.environments.items() if known.production}
    live = [one for one in history.find(Deployment, state=DeploymentState.LIVE) if one.environment in production]
    newest = max((one.updated_at for one in live), default="")
    if newest and clock.now() < clock.parse(newest) + timedelta(days=days):
        return ""
    last = version.last_release(repository, trunk.tip)
    waiting = len(repository.commits(*([f"^{last.commit}"] if last else []), trunk.tip))
    if not waiting:
        return ""
    ago = f"the last went live on {newest[:10]}" if newest else "none has gone live yet"
    return f"A release is due every {days:g} days and {ago}; {waiting} commits are waiting: ecluse release plan"
