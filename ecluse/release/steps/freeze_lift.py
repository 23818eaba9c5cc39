"""``freeze.lift``: what ``freeze.begin`` of the same run kept out may go live again."""

from __future__ import annotations

from ecluse.release import holds
from ecluse.release.context import Context
from ecluse.release.steps import freeze_begin
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Lift this run's own freezes; one that is over, or that a person lifted, is none to be lifted."""
    own = freeze_begin.own(context)
    for one in own:
        holds.lift_one(context.history, one, who=context.release.id, why="its run says so")
    where = ", ".join(one.environment or "every environment" for one in own)
    return Done(f"{where} may change again" if own else "no freeze of this run stands", {"lifted": [h.id for h in own]})


SHAPE = Shape(
    "freeze.lift",
    "ends the freezes that freeze.begin of the same run said; those of people stand",
    run,
    outputs={"lifted": "the records' ids"},
    effect="freezes in the history",
    probe="none is needed: a freeze that was lifted is not found again",
    aside=True,
)
