"""Lock 1: is this change complete, authentic, harmless, and what it says it is?

Out: ``outbox`` (export) with ``baseline``, ``snapshot``, ``lineage``, ``publication``. In: ``sources`` and ``inbox``
(receive), ``opening`` and ``judgement`` over the rules, ``admission`` (the state machine), ``reviews`` and ``trust``; before it goes on,
``trials`` (build, tests) and ``tipmessage`` (the words of uncommitted work), ``leaving`` (uncommitted work that stays so). Loaded when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecluse.intake.admission import advance
    from ecluse.intake.exportlog import export_recorded
    from ecluse.intake.importlog import log_judged, receive_recorded
    from ecluse.intake.inbox import examine, receive
    from ecluse.intake.leaving import can_be_left, is_apart, is_laid, lay_down, set_apart, take_back
    from ecluse.intake.outbox import Exported, ExportRequest, export
    from ecluse.intake.reviews import review
    from ecluse.intake.tipmessage import is_open, message_of, set_message
    from ecluse.intake.trials import try_out, worth_trying
    from ecluse.intake.validation import validate

_HOMES = {
    "advance": "admission",
    "examine": "inbox",
    "receive": "inbox",
    "Exported": "outbox",
    "ExportRequest": "outbox",
    "export": "outbox",
    "export_recorded": "exportlog",
    "log_judged": "importlog",
    "receive_recorded": "importlog",
    "can_be_left": "leaving",
    "is_apart": "leaving",
    "is_laid": "leaving",
    "lay_down": "leaving",
    "set_apart": "leaving",
    "take_back": "leaving",
    "review": "reviews",
    "is_open": "tipmessage",
    "message_of": "tipmessage",
    "set_message": "tipmessage",
    "try_out": "trials",
    "worth_trying": "trials",
    "validate": "validation",
}

__all__ = [
    "ExportRequest",
    "Exported",
    "advance",
    "can_be_left",
    "examine",
    "export",
    "export_recorded",
    "is_apart",
    "is_laid",
    "is_open",
    "lay_down",
    "log_judged",
    "message_of",
    "receive",
    "receive_recorded",
    "review",
    "set_apart",
    "set_message",
    "take_back",
    "try_out",
    "validate",
    "worth_trying",
]


def __getattr__(name: str) -> Any:
    """Load a public function from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"ecluse.intake.{_HOMES[name]}"), name)
