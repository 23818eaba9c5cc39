"""Effects outside the database: begun before, done after, probed in between after a death."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from ecluse.clock import instant
from ecluse.dataclass import dataclass, field
from ecluse.errors import Waits
from ecluse.history.records import plain
from ecluse.history.store import History
from ecluse.model import Event


class EffectState(StrEnum):
    BEGUN = "begun"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a look at the world says of an effect that was begun: ``happened`` is ``None`` when it cannot tell."""

    happened: bool | None
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    subject: str
    step: str
    state: EffectState
    plan: dict[str, Any]
    result: dict[str, Any]
    begun_at: str
    done_at: str


def effect_of(history: History, subject: str, step: str) -> Effect | None:
    """The journal's row for this subject and step, or ``None`` when it was never begun."""
    rows = history.execute(
        "SELECT state, plan, result, begun_at, done_at FROM effects WHERE subject = ? AND step = ?", (subject, step)
    )
    if not rows:
        return None
    state, plan, result, begun_at, done_at = rows[0]
    return Effect(subject, step, EffectState(state), json.loads(plan), json.loads(result), begun_at, done_at)


def effects_of(history: History, subject: str) -> list[Effect]:
    """Every effect of a subject, in the order they were begun."""
    rows = history.execute("SELECT step FROM effects WHERE subject = ? ORDER BY begun_at, step", (subject,))
    return [effect for (step,) in rows if (effect := effect_of(history, subject, step))]


def perform(
    history: History,
    subject: str,
    step: str,
    do: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    probe: Callable[[dict[str, Any]], Probed],
    plan: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make an effect happen exactly once, whatever dies when, and return its result (JSON material).

    ``plan`` is stored before anything happens and given back to ``do`` and ``probe`` on every later call, so that a
    retry uses the names the first try used. Done already: the stored result. Begun and not done: ``probe`` looks at
    the world; happened is recorded, not happened is done now, and unknown raises :class:`Waits` (a person answers
    with :func:`settle`). A problem raised by ``do`` leaves the row begun: the next call probes first.
    """
    effect = effect_of(history, subject, step)
    if effect is not None and effect.state is EffectState.DONE:
        return effect.result
    if effect is not None:
        seen = probe(effect.plan)
        if seen.happened is None:
            raise Waits(
                "effect.unknown",
                f"{subject}: the step {step} was begun at {effect.begun_at} and cut short; whether it happened cannot be seen from here.",
                f"look for yourself, then type: ecluse release settle {subject.removeprefix('release/')} {step} --happened yes|no",
                {"subject": subject, "step": step},
            )
        if seen.happened:
            return settle(history, subject, step, seen.result, found="already there")
        kept = effect.plan
    else:
        kept = begin(history, subject, step, plan or {}).plan
    return settle(history, subject, step, do(kept), found="")


def begin(history: History, subject: str, step: str, plan: dict[str, Any]) -> Effect:
    """Store that an effect is begun which somebody else carries out and settles; begun already: as it stands."""
    standing = effect_of(history, subject, step)
    if standing is not None:
        return standing
    with history.transaction():
        history.execute(
            "INSERT INTO effects (subject, step, state, begun_at, done_at, plan, result) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (subject, step, EffectState.BEGUN.value, instant(), "", json.dumps(plain(plan)), "{}"),
        )
        history.note(Event("effect.begun", subject, f"{step} begun", data={"step": step, **plain(plan)}))
    begun = effect_of(history, subject, step)
    assert begun is not None  # noqa: S101 - inserted above
    return begun


def settle(history: History, subject: str, step: str, result: dict[str, Any], *, found: str) -> dict[str, Any]:
    """Record that a begun effect has happened; ``found`` says how that is known when it was not just done."""
    stored = plain(result)
    with history.transaction():
        history.execute(
            "UPDATE effects SET state = ?, done_at = ?, result = ? WHERE subject = ? AND step = ?",
            (EffectState.DONE.value, instant(), json.dumps(stored), subject, step),
        )
        text = f"{step} done" if not found else f"{step} was {found} after an interruption"
        history.note(Event("effect.done", subject, text, data={"step": step, **stored}))
    return dict(stored)


def forget(history: History, subject: str, step: str, why: str, *, done: bool = False) -> None:
    """Record that a begun effect did not happen (with ``done``: that a done one holds no more), so that it may be begun again."""
    state = EffectState.DONE if done else EffectState.BEGUN
    with history.transaction():
        history.execute(
            "DELETE FROM effects WHERE subject = ? AND step = ? AND state = ?", (subject, step, state.value)
        )
        history.note(Event("effect.forgotten", subject, f"{step} did not happen: {why}", data={"step": step}))
