"""``ask``: a question to people that needs no row in the table of gates."""

from __future__ import annotations

from ecluse.release.context import Context
from ecluse.release.steps.shape import Ask, Shape


def run(context: Context) -> Ask:
    """Ask; the course opens the gate and goes on when it is approved."""
    return Ask(f"ask-{context.step.number}", context.argument("question"))


SHAPE = Shape(
    "ask",
    "asks people a question and goes on when they approve; for a question that needs no row in the table of gates",
    run,
    {"question": "what is asked"},
    ("question",),
)
