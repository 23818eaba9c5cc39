"""Taking a landing back: the target returns to where it was, as long as nothing has been built on it since."""

from __future__ import annotations

import dataclasses
from typing import Any

from ecluse.clock import instant
from ecluse.errors import Invalid, Refused, Waits
from ecluse.files import FileLock
from ecluse.git import Repository
from ecluse.git.following import follow, overlapping
from ecluse.history import History, perform
from ecluse.history.journal import Probed
from ecluse.landing.publish import facts_of
from ecluse.model import Change, ChangeState, Event, Landing, LandingState

_STEP = "undo"


def undo(repository: Repository, history: History, key: str, *, actor: str) -> Change:
    """Move the target of a landed change back by compare-and-swap, checkouts first, and record it as ``UNDONE``.

    Safe to repeat, also after a death half way. Raises :class:`Invalid` for a change that has not landed,
    :class:`Refused` (``undo.released``, ``undo.moved``) where only a revert can take it back, and :class:`Waits`
    (``checkout.blocked``) where uncommitted work is in the way; nothing has moved then.
    """
    change = history.get(Change, key)
    if change is None:
        raise Invalid("change.unknown", f"There is no change {key!r} here.", "ecluse history list")
    if change.state is ChangeState.UNDONE:
        return change
    landed = [
        one
        for one in history.find(Landing, change=key, newest_first=True)
        if one.state is LandingState.LANDED and one.candidate and one.base
    ]
    if change.state is not ChangeState.LANDED or not landed:
        raise Invalid("undo.not_landed", f"{key} is {change.state}; there is nothing to undo.", f"ecluse show {key}")
    with FileLock(repository.state_dir / "line.lock").held():
        _move_back(repository, history, landed[0])
        over = dataclasses.replace(change, state=ChangeState.UNDONE, wants_landing=False, updated_at=instant())
        text = f"{key} is undone: {landed[0].target} is back at {landed[0].base[:12]}"
        data = {"landing": landed[0].id, "target": landed[0].target, "at": landed[0].base, **facts_of(history, change)}
        history.record(over, Event("change.undone", change.subject, text, actor, data))
    return over


def _move_back(repository: Repository, history: History, landing: Landing) -> None:
    def do(plan: dict[str, Any]) -> dict[str, Any]:
        _check(repository, landing)
        repository.clear_dead_locks("index", landing.target)
        followed: list[Repository] = []
        try:
            for folder in repository.checked_out_at(landing.target):
                checkout = Repository.discover(folder)
                follow(checkout, landing.candidate, landing.base)
                followed.append(checkout)
            repository.move_ref(landing.target, landing.base, landing.candidate, f"ecluse: undo {landing.id}")
        except Waits:  # a checkout that cannot follow, or a target that moved meanwhile
            for checkout in followed:
                follow(checkout, landing.base, landing.candidate)
            raise
        return {"target": landing.target, "at": landing.base}

    def probe(plan: dict[str, Any]) -> Probed:
        return Probed(repository.refs(landing.target).get(landing.target, "") == landing.base, plan)

    _check(repository, landing, done=landing.base)
    plan = {"target": landing.target, "old": landing.candidate, "at": landing.base}
    perform(history, landing.subject, _STEP, do, probe=probe, plan=plan)


def _check(repository: Repository, landing: Landing, done: str = "") -> None:
    """Refuse what moving back would take from others. ``done`` is where the target may be already."""
    now = repository.refs(landing.target).get(landing.target, "")
    if done and now == done:
        return
    branch = landing.target.removeprefix("refs/heads/")
    hint = f"take it back by a revert: ecluse import --undo {landing.change}"
    if now != landing.candidate:
        raise Refused(
            "undo.moved", f"{branch} has moved on since {landing.change} landed; moving back would lose it.", hint
        )
    tags = repository.text("tag", "--contains", landing.candidate).split()
    if tags:
        raise Refused("undo.released", f"{landing.change} is part of {tags[0]} already.", hint)
    blocked = [
        path
        for folder in repository.checked_out_at(landing.target)
        for path in overlapping(Repository.discover(folder), landing.candidate, landing.base)
    ]
    if blocked:
        raise Waits(
            "checkout.blocked",
            f"Uncommitted work is in the way: {', '.join(blocked[:10])}.",
            f"put it aside with git stash, then: ecluse import --undo {landing.change}",
        )
