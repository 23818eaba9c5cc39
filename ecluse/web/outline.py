"""A release as its playbook tells it: every step, what each of its units came to, and when.

The page kept with the release is compiled by the room that carries it out. One that this version cannot read any more
is still shown whole, with the units that were recorded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ecluse.clock import parse
from ecluse.errors import Invalid
from ecluse.history import History, journal
from ecluse.history.journal import Effect
from ecluse.model import Release
from ecluse.release.playbook import compile_playbook
from ecluse.release.status import state_of
from ecluse.release.status import steps as units_of


@dataclass(frozen=True, slots=True)
class UnitView:
    """One thing that a step does. ``took_ms`` is ``None`` while it is not over."""

    does: str
    state: str
    said: str
    began: str
    took_ms: float | None


@dataclass(frozen=True, slots=True)
class StepView:
    """``### [number] title — by actor``. ``state`` is that of the unit that decides it."""

    number: int
    title: str
    actor: str
    prose: str
    state: str
    units: tuple[UnitView, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """``readable`` is false when the page cannot be compiled by this version. ``effects`` is the journal's part."""

    steps: tuple[StepView, ...]
    readable: bool
    effects: tuple[Effect, ...]


_DECIDES = ("failed", "stopped", "asking", "open", "running", "to come", "not reached", "done", "skipped")


def outline(history: History, release: Release) -> Outline:
    """The steps of a release's playbook with their states."""
    effects = tuple(journal.effects_of(history, release.subject))
    path = str(_object(release.outputs.get("plan")).get("path") or release.playbook)
    try:
        units: Iterable[dict[str, Any]] = units_of(release, compile_playbook(release.source, path))
        readable = True
    except Invalid:
        kept = _object(release.outputs.get("steps"))
        units = [kept[key] for key in sorted(kept, key=lambda key: (len(key), key)) if isinstance(kept[key], dict)]
        readable = False
    grouped = itertools.groupby(units, key=lambda unit: (unit.get("number", 0), str(unit.get("title", ""))))
    return Outline(tuple(_step(release, key, list(group)) for key, group in grouped), readable, effects)


def _step(release: Release, key: tuple[int, str], group: list[dict[str, Any]]) -> StepView:
    units = tuple(_unit(release, unit) for unit in group)
    states = {unit.state for unit in units}
    state = next((state for state in _DECIDES if state in states), "to come")
    if state == "to come" and "done" in states:
        state = "running"
    first = group[0]
    return StepView(key[0], key[1], str(first.get("actor", "")), str(first.get("prose", "")), state, units)


def _unit(release: Release, unit: dict[str, Any]) -> UnitView:
    began, ended = str(unit.get("began") or ""), str(unit.get("ended") or "")
    return UnitView(
        str(unit.get("does", "")), state_of(release, unit), str(unit.get("said") or ""), began, _took(began, ended)
    )


def _took(began: str, ended: str) -> float | None:
    try:
        return (parse(ended) - parse(began)).total_seconds() * 1000
    except ValueError:
        return None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
