"""Driving the line in the foreground and showing what happens, a line for each event."""

from __future__ import annotations

from collections.abc import Callable

from ecluse.cli.frame import Frame
from ecluse.model import Event

_MARKS = {
    "landed": "ok",
    "green": "ok",
    "live": "ok",
    "done": "ok",
    "accepted": "ok",
    "ready": "ok",
    "red": "error",
    "rejected": "error",
    "failed": "error",
    "rolled_back": "error",
    "refused": "error",
    "blocked": "wait",
    "opened": "wait",
    "quarantined": "wait",
    "conflict": "wait",
    "problem": "warn",
}
DETAILS = frozenset(
    {
        "effect.begun",
        "effect.done",
        "export.begun",
        "import.begun",
        "import.done",
        "change.queued",
        "change.landed",
        "run.queued",
        "landing.moving",
        "release.step",
    }
)
"""Kinds that another event says again in better words: shown with ``-v``, left out of ``history list --brief``."""


def mark_of(event: Event) -> str:
    """The mark that an event's line gets on a terminal."""
    return _MARKS.get(event.kind.rpartition(".")[2], "step")


def follow(frame: Frame, until: Callable[[], bool], *, subjects: tuple[str, ...] = ()) -> None:
    """Drive the line until ``until()`` holds, saying every event; ``subjects``' problems are raised."""
    from ecluse.line import drive

    def say(event: Event) -> None:
        if event.kind in DETAILS:
            frame.detail(event.text)
        else:
            frame.say(event.text, mark_of(event))

    drive(frame.repository, frame.history, until=until, follow=subjects, on_event=say)
