"""The loop: wake what is due, ask its lock to advance it, and pass requests from one lock to the next.

One process at a time advances, by a file lock that is held for one ``advance`` only; who finds it taken follows.
Everything the loop knows is in the history, so it may die at any moment and go on in another process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ecluse import notify, runs
from ecluse.clock import instant
from ecluse.errors import Problem
from ecluse.files import FileLock
from ecluse.git import Repository
from ecluse.history import History, wakes
from ecluse.history.journal import EffectState, effect_of, settle
from ecluse.history.requests import request_landing
from ecluse.history.sync_copy import refresh_beside
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Run
from ecluse.trunk import open_trunk

IDLE_S = 0.05
"""Pause between two looks when nothing is due, in seconds."""

RETRY_S = 30.0
"""When a subject whose advance met a problem is looked at again, in seconds."""


def advance(repository: Repository, history: History, subject: str) -> None:
    """Have the right lock do the next thing for ``subject``: a change, run, landing, push, release or environment."""
    kind, _, key = subject.partition("/")
    if kind == "change":
        from ecluse.intake import advance as advance_change

        advance_change(repository, history, key)
        _pass_on(history, key)
    elif kind == "run":
        runs.advance(repository, history, key)
    elif kind == "landing":
        from ecluse.landing import advance as advance_landing

        advance_landing(repository, history, key)
        _deploy(repository, history, key)
    elif kind == "push":
        from ecluse.landing import advance_push

        advance_push(repository, history, key)
    elif kind == "release":
        from ecluse.release import advance as advance_release

        advance_release(repository, history, key)
    elif kind == "import":
        _take_in(repository, history, key)
    elif kind == "environment":
        from ecluse.release import environments

        environments.advance(repository, history, key)


def _take_in(repository: Repository, history: History, key: str) -> None:
    """Carry out a request to import a bundle, and tell the asker; the same bundle twice is the same change."""
    from ecluse.intake import receive

    parent, _, step = key.partition("#")
    asked = effect_of(history, parent, step)
    if asked is None or asked.state is EffectState.DONE:
        return
    plan = asked.plan
    try:
        change = receive(repository, history, Path(plan["path"]), actor=plan["actor"], wants_landing=bool(plan["land"]))
        result = {**plan, "change": change.key}
    except Problem as problem:
        if problem.code.startswith(("history.", "disk.")):
            raise
        result = {**plan, "problem": problem.as_dict()}
    with history.transaction():
        settle(history, parent, step, result, found="")
        wakes.wake(history, parent, "imported")


def _deploy(repository: Repository, history: History, key: str) -> None:
    """What has landed goes on to the environments that the policy deploys by itself."""
    landing = history.get(Landing, key)
    if landing is not None and landing.state is LandingState.LANDED:
        from ecluse.release import environments

        environments.after_landing(repository, history, key)


def _pass_on(history: History, key: str) -> None:
    """A change that is ready and was asked to land goes to the queue, once."""
    change = history.get(Change, key)
    if change is None or not change.wants_landing or change.state is not ChangeState.READY or not change.trusted_by:
        return
    with history.transaction():
        asked = dataclasses.replace(change, wants_landing=False, updated_at=instant())
        history.record(asked, Event("change.queued", change.subject, f"{key} goes to the landing queue"))
        request_landing(history, asked, actor=change.agent)


def step(repository: Repository, history: History) -> str | None:
    """Advance one subject that is due, if there is one and no other process is at it; return it.

    Raises :class:`Problem` when the advance met one; it is recorded and the subject is looked at again later.
    """
    lock = FileLock(repository.state_dir / "line.lock")
    if not wakes.due(history) and not wakes.claimed(history):
        return None
    if not lock.acquire():
        return None
    try:
        wakes.reclaim(history)
        due = wakes.due(history)
        if not due:
            return None
        subject = due[0]
        before = history.last_event()
        wakes.claim(history, subject)
        try:
            advance(repository, history, subject)
        except Problem as problem:
            _postpone(history, subject, problem)
            problem.details.setdefault("subject", subject)
            raise
        wakes.finish(history, subject)
        if any(event.kind in notify.KINDS for event in history.events(after=before, limit=1000)):
            _tell(repository, history)
        return subject
    finally:
        lock.release()


def announce(repository: Repository, history: History) -> None:
    """Send the messages that the policy wants about what was recorded outside of :func:`step`. Failing stops nothing."""
    with FileLock(repository.state_dir / "line.lock").held():
        _tell(repository, history)


def _tell(repository: Repository, history: History) -> None:
    with contextlib.suppress(Problem):  # a policy that cannot be read is told by whatever needs it
        notify.announce(history, lambda: open_trunk(repository).config.notify)


def _postpone(history: History, subject: str, problem: Problem) -> None:
    wakes.wake_in(history, subject, RETRY_S, problem.code)
    data = {"code": problem.code, "hint": problem.hint}
    history.note(Event("line.problem", subject, f"{subject} cannot go on: {problem.message}", data=data))


def drive(
    repository: Repository,
    history: History,
    *,
    until: Callable[[], bool],
    follow: tuple[str, ...] = (),
    on_event: Callable[[Event], None] | None = None,
) -> None:
    """Keep the line moving in this process until ``until()`` is true, giving every new event to ``on_event``.

    A problem of a subject in ``follow``, or of what it asked for (a release its landing, a landing its run), is
    raised; others are recorded and do not stop us. When another process drives, this one follows its events. Nothing left to do and ``until()`` still
    false: goes on waiting, because another process or a person may act.
    """
    seen = history.last_event()
    while True:
        advanced = None
        try:
            advanced = step(repository, history)
        except Problem as problem:
            if not _asked_by(history, str(problem.details.get("subject", ""))).isdisjoint(follow):
                raise
        for event in history.events(after=seen, limit=1000):
            seen = event.number
            if on_event:
                on_event(event)
        if until():
            return
        if advanced is None:
            time.sleep(IDLE_S)


def _asked_by(history: History, subject: str) -> set[str]:
    """``subject`` and everything that waits for it: the landing of a run, the change and the release of a landing."""
    found: set[str] = set()
    while subject and subject not in found:
        found.add(subject)
        kind, _, key = subject.partition("/")
        noun = {"run": Run, "landing": Landing}.get(kind)
        record = history.get(noun, key) if noun else None
        if isinstance(record, Landing):
            found.add(f"change/{record.change}")
        subject = record.parent if record else ""
    return found


def drive_until(repository: Repository, stop: threading.Event) -> None:
    """Keep the line moving until ``stop`` is set; for a background thread, which opens a history of its own."""
    with History.open(repository.state_dir) as history:
        while not stop.is_set():
            try:
                advanced = step(repository, history)
            except Problem:
                advanced = None  # recorded by step; the next subject goes on
            if advanced is None:
                stop.wait(IDLE_S)
            else:
                with contextlib.suppress(Problem):  # a copy for other tools; the next action brings it up to date
                    refresh_beside(history, repository.work_tree)
