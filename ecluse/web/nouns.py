"""One noun with what belongs to it, read from the history; :class:`Unknown` when there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from ecluse.history import History
from ecluse.model import Change, Deployment, Event, Gate, Landing, Release, Run
from ecluse.web.answers import Unknown

Noun = TypeVar("Noun", Run, Landing, Release, Gate, Deployment)
EVENTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    change: Change
    revisions: list[Change]
    landings: list[Landing]
    events: list[Event]


@dataclass(frozen=True, slots=True)
class RunRecord:
    run: Run
    events: list[Event]


@dataclass(frozen=True, slots=True)
class LandingRecord:
    landing: Landing
    change: Change | None
    run: Run | None
    events: list[Event]


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release with its gates and deployments. A gate's nonce stays here: it is for who signs an answer."""

    release: Release
    gates: list[Gate]
    deployments: list[Deployment]
    events: list[Event]


def fetch(history: History, noun: type[Noun], key: str) -> Noun:
    """The record with this key. Raises :class:`Unknown`."""
    found = history.get(noun, key)
    if found is None:
        name = noun.__name__.lower()
        raise Unknown(
            f"{name}.unknown", f"There is no {name} {key!r} in this history.", f"ecluse history search {name}"
        )
    return found


def change_record(history: History, id: str, revision: int | None) -> ChangeRecord:
    """A change's given revision, or its newest. Raises :class:`Unknown`."""
    revisions = sorted(history.find(Change, id=id), key=lambda change: change.revision, reverse=True)
    chosen = next((change for change in revisions if revision is None or change.revision == revision), None)
    if chosen is None:
        key = id if revision is None else f"{id}/{revision}"
        raise Unknown("change.unknown", f"There is no change {key!r} in this history.", "ecluse history list")
    landings = history.find(Landing, change=chosen.key, newest_first=True)
    return ChangeRecord(chosen, revisions, landings, events_of(history, chosen.subject))


def run_record(history: History, id: str) -> RunRecord:
    run = fetch(history, Run, id)
    return RunRecord(run, events_of(history, run.subject))


def landing_record(history: History, id: str) -> LandingRecord:
    landing = fetch(history, Landing, id)
    run = history.get(Run, landing.run) if landing.run else None
    return LandingRecord(landing, history.get(Change, landing.change), run, events_of(history, landing.subject))


def release_record(history: History, id: str) -> ReleaseRecord:
    release = fetch(history, Release, id)
    gates = sorted(history.find(Gate, release=id), key=lambda gate: (gate.step, gate.created_at))
    deployments = history.find(Deployment, release=id)
    events = events_of(history, release.subject)
    for subject in [*(gate.subject for gate in gates), *(made.subject for made in deployments)]:
        events += events_of(history, subject)
    events.sort(key=lambda event: event.number)
    return ReleaseRecord(release, [replace(gate, nonce="") for gate in gates], deployments, events)


def events_of(history: History, subject: str) -> list[Event]:
    """The newest events of a subject, oldest first."""
    return history.events(subject=subject, limit=EVENTS_SHOWN, newest_first=True)[::-1]
