"""Which gate stands guard before which step that goes live."""

from __future__ import annotations

from ecluse.release.playbook import GateCall, PlaybookStep, Unit
from ecluse.release.steps import shape_of


def guards_at(units: list[tuple[PlaybookStep, Unit]], position: int) -> bool:
    """Whether no other gate that is always asked stands between this place and the next step that reaches the target."""
    for step, unit in units[position + 1 :]:
        if isinstance(unit, GateCall):
            if not step.condition:
                return False
        elif goes_live(unit):
            return True
    return False


def goes_live(unit: Unit) -> bool:
    """Whether this unit reaches the environment."""
    shape = None if isinstance(unit, GateCall) else shape_of(unit.name)
    return shape is not None and shape.goes_live
