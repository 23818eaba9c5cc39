"""What happened: the lines of the history, and how their moments are written."""

from __future__ import annotations

from typing import Any

from ecluse.dataclass import dataclass, field

Instant = str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the append-only history. ``number`` is given by the store; ``text`` is what people search."""

    kind: str
    subject: str
    text: str
    actor: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    at: Instant = ""
    number: int = 0
