"""Who is to be advanced, and when. One row per subject: the earliest due time wins."""

from __future__ import annotations

from ecluse.clock import after, instant
from ecluse.history.store import History

_LEASE = "9999-12-31T23:59:59.999999Z"
"""Due time of a subject that is being advanced: later than any other, so that a wake meanwhile is kept."""


def wake(history: History, subject: str, reason: str = "") -> None:
    """Have ``subject`` advanced as soon as possible."""
    at(history, subject, instant(), reason)


def wake_in(history: History, subject: str, seconds: float, reason: str = "") -> None:
    """Have ``subject`` advanced in ``seconds``, or earlier if something else wakes it."""
    at(history, subject, after(seconds), reason)


def at(history: History, subject: str, due: str, reason: str = "") -> None:
    """Have ``subject`` advanced at the instant ``due``, or earlier if something else wakes it."""
    with history.transaction():
        history.execute(
            "INSERT INTO wakes (subject, due, reason) VALUES (?, ?, ?) ON CONFLICT (subject) DO UPDATE SET "
            "due = CASE WHEN excluded.due < due THEN excluded.due ELSE due END, reason = excluded.reason",
            (subject, due, reason),
        )


def cancel(history: History, subject: str) -> None:
    """Take back every wake of ``subject``."""
    history.execute("DELETE FROM wakes WHERE subject = ?", (subject,))


def due(history: History) -> list[str]:
    """The subjects to advance now, longest due first."""
    rows = history.execute("SELECT subject FROM wakes WHERE due <= ? ORDER BY due, subject", (instant(),))
    return [row[0] for row in rows]


def claim(history: History, subject: str) -> None:
    """Take ``subject`` as the one being advanced. Only the holder of the line's lock may call this."""
    history.execute("UPDATE wakes SET due = ? WHERE subject = ?", (_LEASE, subject))


def finish(history: History, subject: str) -> None:
    """``subject`` has been advanced: drop its wake, unless it was woken again meanwhile."""
    history.execute("DELETE FROM wakes WHERE subject = ? AND due = ?", (subject, _LEASE))


def claimed(history: History) -> bool:
    """Whether any subject is claimed: by whoever holds the line's lock, or by a process that died with it."""
    return bool(history.execute("SELECT 1 FROM wakes WHERE due = ? LIMIT 1", (_LEASE,)))


def reclaim(history: History) -> None:
    """Make claimed subjects due again. Called with the line's lock newly taken: whoever claimed them is dead."""
    history.execute("UPDATE wakes SET due = ? WHERE due = ?", (instant(), _LEASE))


def next_due(history: History) -> str | None:
    """The instant of the next wake, due or to come, or ``None`` when nobody is to be advanced."""
    rows = history.execute("SELECT min(due) FROM wakes")
    return str(rows[0][0]) if rows[0][0] is not None else None


def all_wakes(history: History) -> dict[str, str]:
    """Every subject that is to be advanced and its due time."""
    return {row[0]: row[1] for row in history.execute("SELECT subject, due FROM wakes ORDER BY due")}
