"""The only SQL. One append-only history and the current state of every noun, in one file per repository.

``store`` opens it and writes records with their events; ``records`` maps nouns to rows; ``journal`` keeps effects
outside the database; ``wakes`` says who is to be advanced; ``search`` is full text; ``schema`` migrates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.history.store import History

if TYPE_CHECKING:
    from ecluse.history.journal import perform

__all__ = ["History", "perform"]


def __getattr__(name: str) -> object:
    """Load the journal when it is used: reading the history does without it, and has to be fast."""
    if name == "perform":
        from ecluse.history.journal import perform

        return perform
    raise AttributeError(name)
