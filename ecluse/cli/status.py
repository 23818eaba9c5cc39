"""``ecluse status``: what stands in each lock, and what waits for a person. Reads the history, starts nothing."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.history.records import plain
from ecluse.history.waiting import SHOWN, Waiting
from ecluse.history.waiting import waiting as waiting_for_person
from ecluse.model import Change, ChangeState, Landing, LandingState, Release, ReleaseState, Run, RunState


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
        lines += [_told(one) for one in waiting]
    else:
        lines += ["", "Nothing waits for a person."]
    lines += _landable(frame)
    documents = [{**plain(one), "commands": list(one.commands)} for one in waiting]
    frame.emit({"locks": counts, "waiting": documents}, "\n".join(lines))


def _landable(frame: Frame) -> list[str]:
    """Changes that somebody vouches for and nobody has asked to land: the loop leaves them where they are."""
    ready = frame.history.find(Change, state=ChangeState.READY, wants_landing=False, limit=SHOWN)
    known = [change for change in ready if change.trusted_by]
    if not known:
        return []
    return ["", "Can land:"] + [
        f"  {change.title or change.key}\n    next: ecluse land {change.key}" for change in known
    ]


def _told(one: Waiting) -> str:
    joiner = "\n    then: " if one.in_order else "\n    or:   "
    return f"  {one.title} ({one.state}): {one.why}\n    next: {joiner.join(one.commands)}"


def _numbers(numbers: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in numbers.items() if count) or "empty"
