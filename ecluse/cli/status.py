"""``ecluse status``: what stands in each lock, and what waits for a person. Reads the history, starts nothing."""

from __future__ import annotations

from typing import Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.history import History
from ecluse.model import (
    Change,
    ChangeState,
    Gate,
    GateState,
    Landing,
    LandingState,
    Release,
    ReleaseState,
    Run,
    RunState,
)


@click.command("status")
@door()
def command(frame: Frame) -> None:
    """Show what stands in each of the four locks and what waits for you, with the command to type."""
    history = frame.history
    waiting = waiting_for_person(history)
    counts = {
        "intake": {state.value: history.count(Change, state=state) for state in ChangeState if not state.is_terminal},
        "checks": {state.value: history.count(Run, state=state) for state in RunState if not state.is_terminal},
        "landing": {
            state.value: history.count(Landing, state=state) for state in LandingState if not state.is_terminal
        },
        "release": {
            state.value: history.count(Release, state=state) for state in ReleaseState if not state.is_terminal
        },
    }
    lines = [f"{lock:<8} {_numbers(numbers)}" for lock, numbers in counts.items()]
    if waiting:
        lines += ["", "Waits for you:"]
        lines += [f"  {one['what']}\n    {one['command']}" for one in waiting]
    else:
        lines += ["", "Nothing waits for a person."]
    frame.emit({"locks": counts, "waiting": waiting}, "\n".join(lines))


def _numbers(numbers: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in numbers.items() if count) or "empty"


def waiting_for_person(history: History) -> list[dict[str, Any]]:
    """Everything that a person has to decide or clear, each with the command to type."""
    found: list[dict[str, Any]] = []
    for change in history.find(Change, state=ChangeState.QUARANTINED):
        command = f"ecluse review {change.key} --accept --why TEXT"
        found.append(
            {"subject": change.subject, "what": f"{change.key} is in quarantine: {change.reason}", "command": command}
        )
    for change in history.find(Change, state=ChangeState.CONFLICT):
        command = f"ecluse show {change.key}"
        found.append({"subject": change.subject, "what": f"{change.key}: {change.reason}", "command": command})
    for landing in history.find(Landing, state=LandingState.BLOCKED):
        command = f"ecluse land {landing.change}"
        found.append(
            {"subject": landing.subject, "what": f"landing of {landing.change}: {landing.reason}", "command": command}
        )
    for gate in history.find(Gate, state=GateState.OPEN):
        command = f"ecluse release approve {gate.release}"
        found.append(
            {
                "subject": gate.subject,
                "what": f"gate `{gate.name}` of {gate.release}: {gate.question}",
                "command": command,
            }
        )
    for release in history.find(Release, state=ReleaseState.ASKING):
        command = f"ecluse release status {release.id}"
        found.append({"subject": release.subject, "what": f"{release.id} asks: {release.reason}", "command": command})
    return found
