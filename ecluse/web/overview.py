"""The line as it stands: four locks, what is in each now, and what went through last."""

from __future__ import annotations

from dataclasses import dataclass

from ecluse.history import History
from ecluse.history.waiting import Waiting, waiting
from ecluse.model import (
    Change,
    ChangeState,
    Event,
    Gate,
    GateState,
    Landing,
    LandingState,
    Release,
    ReleaseState,
    Run,
    RunState,
)

SHOWN = 6
"""How many records a lock shows; the rest is a number and a link to the list."""

EVENTS = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One record in a lock: what people call it, its state, and a short word on the side."""

    subject: str
    title: str
    state: str
    at: str
    side: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock: its question, how many records are in each state that counts as *in it now*, and the records."""

    name: str
    question: str
    list_path: str
    counts: dict[str, int]
    items: list[Item]
    last: list[Item]

    @property
    def inside(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Overview:
    locks: list[Lock]
    waiting: list[Waiting]
    events: list[Event]

    @property
    def moves(self) -> bool:
        """Whether anything is on its way without a person."""
        moving = {"received", "queued", "running", "testing", "moving", "rolling_back"}
        return any(state in moving and count for lock in self.locks for state, count in lock.counts.items())


def overview(history: History) -> Overview:
    """Read everything that the first page shows."""
    return Overview(
        locks=[_intake(history), _checks(history), _landing(history), _release(history)],
        waiting=waiting(history),
        events=history.events(limit=EVENTS, newest_first=True),
    )


def _intake(history: History) -> Lock:
    inside = (ChangeState.RECEIVED, ChangeState.QUARANTINED, ChangeState.CONFLICT, ChangeState.READY)
    return Lock(
        "Intake",
        "Is this change complete, authentic, harmless, and what it says it is?",
        "/changes",
        {state.value: count for state in inside if (count := history.count(Change, state=state))},
        [_change(c) for state in inside for c in history.find(Change, state=state, limit=SHOWN)][:SHOWN],
        [_change(c) for c in history.find(Change, limit=SHOWN * 2, newest_first=True) if c.state not in inside][:3],
    )


def _checks(history: History) -> Lock:
    inside = (RunState.RUNNING, RunState.QUEUED)
    return Lock(
        "Checks",
        "Does it work?",
        "/runs",
        {state.value: count for state in inside if (count := history.count(Run, state=state))},
        [_run(r) for state in inside for r in history.find(Run, state=state, limit=SHOWN)][:SHOWN],
        [_run(r) for r in history.find(Run, limit=SHOWN * 2, newest_first=True) if r.state not in inside][:3],
    )


def _landing(history: History) -> Lock:
    inside = (LandingState.BLOCKED, LandingState.MOVING, LandingState.TESTING, LandingState.QUEUED)
    standing = [one for state in inside for one in history.find(Landing, state=state, limit=SHOWN)][:SHOWN]
    newest = history.find(Landing, limit=SHOWN * 2, newest_first=True)
    return Lock(
        "Landing",
        "Does it work together with everything landed before it?",
        "/landings",
        {state.value: count for state in inside if (count := history.count(Landing, state=state))},
        [_landed(history, one) for one in standing],
        [_landed(history, one) for one in newest if one.state not in inside][:3],
    )


def _release(history: History) -> Lock:
    inside = (ReleaseState.WAITING, ReleaseState.ASKING, ReleaseState.ROLLING_BACK, ReleaseState.RUNNING)
    standing = [one for state in inside for one in history.find(Release, state=state, limit=SHOWN)][:SHOWN]
    newest = history.find(Release, limit=SHOWN * 2, newest_first=True)
    return Lock(
        "Release",
        "May it go live, and does it stay healthy there?",
        "/releases",
        {state.value: count for state in inside if (count := history.count(Release, state=state))},
        [_released(history, one) for one in standing],
        [_released(history, one) for one in newest if one.state not in inside][:3],
    )


def _change(change: Change) -> Item:
    return Item(change.subject, change.title or change.key, change.state.value, change.updated_at, change.agent)


def _run(run: Run) -> Item:
    names = ", ".join(path.rsplit("/", 1)[-1] for path in run.workflows) or run.event
    return Item(run.subject, names, run.state.value, run.updated_at, run.commit[:12])


def _landed(history: History, landing: Landing) -> Item:
    change = history.get(Change, landing.change)
    title = change.title if change is not None and change.title else landing.change
    return Item(
        landing.subject,
        title,
        landing.state.value,
        landing.updated_at,
        f"on {landing.target.removeprefix('refs/heads/')}",
    )


def _released(history: History, release: Release) -> Item:
    open_gates = history.count(Gate, release=release.id, state=GateState.OPEN)
    side = f"to {release.environment}" if not open_gates else f"to {release.environment}, gate open"
    return Item(release.subject, release.version or release.id, release.state.value, release.updated_at, side)
