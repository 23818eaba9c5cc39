"""What the way back does, one move after the other: actions of the library, the previous or the same version, or a stop."""

from __future__ import annotations

import dataclasses
from typing import Any

from ecluse.errors import Problem
from ecluse.release.context import Context
from ecluse.release.playbook import Action, Move, PlaybookStep, RollbackRule, Unit
from ecluse.release.steps import shape_of
from ecluse.release.steps.shape import Ask, Outcome

PREVIOUS: list[dict[str, Any]] = [{"kind": "previous"}]
"""The way back where no row of the table says another."""


def kept(rule: RollbackRule | None) -> list[dict[str, Any]]:
    """The moves of a row, as a release keeps them."""
    if rule is None or not rule.moves:
        return PREVIOUS
    return [_kept(move) for move in rule.moves]


def _kept(move: Move) -> dict[str, Any]:
    if move.action is None:
        return {"kind": move.kind}
    return {"kind": "action", "name": move.action.name, "arguments": dict(move.action.arguments)}


def is_careful(rule: RollbackRule | None) -> bool:
    """Whether a row does what cannot be taken back (it replaces data, it renews secrets): then people are asked first."""
    names = [move.action.name for move in rule.moves if move.action is not None] if rule else []
    return any(shape.irreversible for name in names if (shape := shape_of(name)) is not None)


class Back(Context):
    """A release at one move of its way back: steps see the move as the unit being done."""

    def __init__(self, context: Context, at: int, move: dict[str, Any]) -> None:
        super().__init__(context.repository, context.history, context.release)
        self._at = at
        self._action = Action(str(move["name"]), dict(move["arguments"]), 0, 0)

    @property
    def step(self) -> PlaybookStep:
        return PlaybookStep(self._at + 1, "The way back", "system", "", (self._action,), "", "", 0)

    @property
    def unit(self) -> Unit:
        return self._action

    @property
    def progress(self) -> dict[str, Any]:
        done: dict[str, Any] = self.release.outputs["rollback"].get("units", {}).get(str(self._at), {})
        return done

    @property
    def retries(self) -> int:
        return self.back_attempt - 1

    def effect(self, part: str = "") -> str:
        return self.back(".".join(filter(None, (str(self._at + 1), self._action.name, part))))

    def with_progress(self, **values: Any) -> Any:
        back = self.release.outputs["rollback"]
        units = {**back.get("units", {}), str(self._at): {**self.progress, **values}}
        outputs = {**self.release.outputs, "rollback": {**back, "units": units}}
        return dataclasses.replace(self.release, outputs=outputs)

    def run(self) -> Outcome:
        """Have the action do its next thing. Raises :class:`Problem` when it fails, or is none of the library."""
        shape = shape_of(self._action.name)
        if shape is None:
            raise Problem(
                "action.unknown",
                f"This Écluse has no action {self._action.name!r}.",
                f"ecluse release status {self.release.id}",
            )
        outcome = shape.run(self)
        if isinstance(outcome, Ask):
            raise Problem(
                "rollback.asks",
                "A way back asks by its column Ask first, not by an action.",
                f"write `yes` there in the playbook {self.release.playbook}",
            )
        return outcome
