"""The page of a release as it was written, with what has come of each line woven in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ecluse.clock import parse
from ecluse.errors import Invalid
from ecluse.history import History
from ecluse.model import Gate, GateState, Release
from ecluse.release import gates, orders
from ecluse.release.page import lines_of
from ecluse.release.playbook import Action, GateCall, Playbook, compile_playbook
from ecluse.release.status import state_of, steps

_MARKER = re.compile(r"^(\s*(?:[-*+]\s+)?)")
_HEADING = re.compile(r"^(#{1,6})\s")
_TICK = re.compile(r"^(\s*[-*+]\s+\[) (\]\s+(.*\S)\s*)$")


@dataclass(frozen=True, slots=True)
class PageLine:
    """One line. ``state`` is empty for a line of the page, else what the line says a unit, a gate or the run is in.

    ``said`` is what such a line says, without the marks of ``text``; ``level`` is a heading's level, else 0.
    """

    text: str
    state: str = ""
    level: int = 0
    said: str = ""


def page(history: History, release_id: str) -> list[PageLine]:
    """The page that the release keeps, line by line; a page that this version cannot read is shown without states."""
    release = orders.find(history, release_id)
    lines = lines_of(release.source)
    try:
        playbook = compile_playbook(release.source, release.outputs.get("plan", {}).get("path", release.playbook))
    except Invalid:
        return [_plain(text) for text in lines]
    asked = gates.gates_of(history, release.id)
    notes = _notes(release, playbook, asked, lines)
    ticked = _ticked(playbook, asked)
    found = []
    for number, text in enumerate(lines, 1):
        found.append(_plain(_tick(text, ticked.get(_step_at(playbook, number), set()))))
        found += notes.get(number, [])
    return found


def text_of(lines: list[PageLine]) -> str:
    """The page for a terminal."""
    return "\n".join(line.text for line in lines)


def _plain(text: str) -> PageLine:
    heading = _HEADING.match(text)
    return PageLine(text, "", len(heading[1]) if heading else 0)


def _notes(release: Release, playbook: Playbook, asked: list[Gate], lines: list[str]) -> dict[int, list[PageLine]]:
    """Line of the page -> what is said below it."""
    found: dict[int, list[PageLine]] = {}

    def say(number: int, state: str, text: str) -> None:
        indent = " " * len(_MARKER.match(lines[number - 1])[0])  # type: ignore[index]
        words = " ".join(text.split())
        text = f"{indent}> **{state.replace('_', ' ')}** {words}".rstrip()
        found.setdefault(number, []).append(PageLine(text, state, said=words))

    title = next((at for at, text in enumerate(lines, 1) if text.startswith("# ")), 0)
    if title:
        where = f" to {release.environment}" if release.environment else ""
        head = f"{release.id}: {release.version or release.commit[:12]}{where}, started by {release.starter}. {release.reason}"
        say(title, release.state.value, head)
    for unit in steps(release, playbook):
        called = playbook.units[unit["position"]][1]
        state = state_of(release, unit)
        if state not in ("to come", "not reached"):
            say(called.line, state, _said(unit, called, asked))
    back: dict[str, Any] = release.outputs.get("rollback", {})
    for rule in playbook.rollback:
        if back and rule.when in (back.get("failed"), back.get("row")):
            say(rule.line, "way back", str(back.get("why", "")))
    return found


def _said(unit: dict[str, Any], called: Action | GateCall, asked: list[Gate]) -> str:
    if isinstance(called, GateCall):
        here = [gate for gate in asked if gate.name == called.name]
        if here and here[-1].state is GateState.OPEN:
            last = here[-1]
            count = f"{len(last.votes)} of {last.needs} people have answered; " if last.needs > 1 else ""
            return f"{count}until {last.expires_at[:16].replace('T', ' ')} UTC; silence: {last.silence}"
    took = _took(unit)
    return f"{took}{unit['said']}"


def _took(unit: dict[str, Any]) -> str:
    try:
        seconds = (parse(unit["ended"]) - parse(unit["began"])).total_seconds()
    except ValueError:
        return f"since {unit['began'][11:19]} UTC " if unit["began"] else ""
    if seconds < 0.1:
        return ""
    return f"in {seconds:.1f} s: " if seconds < 100 else f"in {seconds / 60:.0f} min: "


def _ticked(playbook: Playbook, asked: list[Gate]) -> dict[int, set[str]]:
    """Number of a step -> the items of its checklist that somebody ticked."""
    done = {gate.name: {item for vote in gate.votes for item in vote.get("checked", ())} for gate in asked}
    return {
        step.number: done[unit.name]
        for step, unit in playbook.units
        if isinstance(unit, GateCall) and done.get(unit.name)
    }


def _step_at(playbook: Playbook, number: int) -> int:
    """The number of the step that this line of the page belongs to; 0 before the first."""
    return max((step.number for step in playbook.steps if step.line <= number), default=0)


def _tick(text: str, ticked: set[str]) -> str:
    item = _TICK.match(text)
    return f"{item[1]}x{item[2]}" if item and item[3] in ticked else text
