"""Lock 1: is this change complete, authentic, harmless, and what it says it is?

Out: ``outbox`` (export) with ``baseline``, ``snapshot``, ``lineage``, ``publication``. In: ``sources`` and ``inbox``
(receive), ``judgement`` over the rules, ``admission`` (the state machine), ``reviews`` and ``trust``. Loaded when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecluse.intake.admission import advance
    from ecluse.intake.exportlog import export_recorded
    from ecluse.intake.inbox import examine, receive
    from ecluse.intake.outbox import Exported, ExportRequest, export
    from ecluse.intake.reviews import review
    from ecluse.intake.validation import validate

_HOMES = {
    "advance": "admission",
    "examine": "inbox",
    "receive": "inbox",
    "Exported": "outbox",
    "ExportRequest": "outbox",
    "export": "outbox",
    "export_recorded": "exportlog",
    "review": "reviews",
    "validate": "validation",
}

__all__ = [
    "ExportRequest",
    "Exported",
    "advance",
    "examine",
    "export",
    "export_recorded",
    "receive",
    "review",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Load a public function from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"ecluse.intake.{_HOMES[name]}"), name)
