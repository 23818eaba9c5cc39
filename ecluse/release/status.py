"""Where a release stands, in one document: for the doors, for agents and for pages."""

from __future__ import annotations

from typing import Any

from ecluse.history import History
from ecluse.history.journal import EffectState, effects_of
from ecluse.history.records import plain
from ecluse.model import Deployment, GateState, Release, ReleaseState
from ecluse.release import gates, orders
from ecluse.release.playbook import Action, Playbook, compile_playbook


def status(history: History, release_id: str) -> dict[str, Any]:
    """The release, its steps with their state, gates, deployments and the next command. Reads the history only."""
    release = orders.find(history, release_id)
    plan: dict[str, Any] = release.outputs.get("plan", {})
    playbook = compile_playbook(release.source, plan.get("path", release.playbook))
    asked = gates.gates_of(history, release.id)
    return {
        "release": release.id,
        "state": release.state.value,
        "reason": release.reason,
        "playbook": release.playbook,
        "version": release.version,
        "previous": release.previous,
        "why": plan.get("why", ""),
        "commit": release.commit,
        "environment": release.environment,
        "starter": release.starter,
        "played": release.played,
        "plan": plan.get("digest", ""),
        "created_at": release.created_at,
        "updated_at": release.updated_at,
        "steps": steps(release, playbook),
        "gates": [plain(gate) for gate in asked],
        "deployments": [plain(made) for made in history.find(Deployment, release=release.id)],
        "rollback": release.outputs.get("rollback", {}),
        "questions": [e.step for e in effects_of(history, release.subject) if e.state is EffectState.BEGUN],
        "next": next_commands(history, release),
    }


def steps(release: Release, playbook: Playbook) -> list[dict[str, Any]]:
    """Every unit of the playbook with what came of it; those not reached yet are ``waiting``."""
    kept: dict[str, Any] = release.outputs.get("steps", {})
    found = []
    for position, (step, unit) in enumerate(playbook.units):
        does = unit.name if isinstance(unit, Action) else f"gate {unit.name}"
        blank = {"state": "waiting", "began": "", "ended": "", "said": "", "result": {}}
        facts = {"number": step.number, "title": step.title, "actor": step.actor, "does": does, "prose": step.prose}
        found.append({**blank, **kept.get(str(position), {}), **facts, "position": position})
    return found


def state_of(release: Release, unit: dict[str, Any]) -> str:
    """The state of a unit in the light of its release: what runs stands still while the release does."""
    state = str(unit.get("state", "waiting"))
    if state == "waiting":
        return "not reached" if release.state.is_terminal else "to come"
    if state != "running":
        return state
    if release.state.is_terminal or release.state is ReleaseState.ROLLING_BACK:
        return "stopped"
    resting = {ReleaseState.WAITING: "open", ReleaseState.ASKING: "asking", ReleaseState.PAUSED: "stopped"}
    return resting.get(release.state, "running")


def next_commands(history: History, release: Release) -> list[str]:
    """What a person can type now, the likeliest first."""
    if release.state is ReleaseState.WAITING:
        open_ones = [g for g in gates.gates_of(history, release.id) if g.state is GateState.OPEN]
        return [
            f"ecluse release {verb} {release.id} --gate {gate.name}"
            for gate in open_ones
            for verb in ("approve", "reject")
        ]
    if release.state is ReleaseState.PAUSED:
        return [f"ecluse release resume {release.id}", f"ecluse release abort {release.id} --why TEXT"]
    if release.state is ReleaseState.FAILED and "rollback" not in release.outputs:
        return [f"ecluse release retry {release.id}"]
    if release.state is ReleaseState.ASKING:
        return [
            f"ecluse release settle {release.id} {effect.step} --happened yes|no"
            for effect in effects_of(history, release.subject)
            if effect.state is EffectState.BEGUN
        ]
    if release.state is ReleaseState.DONE:
        return [f"ecluse release rollback {release.id} --why TEXT"]
    if release.state.is_terminal:
        return []
    early = [g for g in gates.gates_of(history, release.id) if g.state is GateState.OPEN]
    said = [f"ecluse release reject {release.id} --gate {gate.name}" for gate in early]
    return [*said, f"ecluse release abort {release.id} --why TEXT"]
