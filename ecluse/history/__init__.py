"""The only SQL. One append-only history and the current state of every noun, in one file per repository.

``store`` opens it and writes records with their events; ``records`` maps nouns to rows; ``journal`` keeps effects
outside the database; ``wakes`` says who is to be advanced; ``search`` is full text; ``schema`` migrates.
"""

from __future__ import annotations

from ecluse.history.journal import perform
from ecluse.history.store import History

__all__ = ["History", "perform"]
