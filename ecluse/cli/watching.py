"""Doing something again and again until a signal asks to stop; used by ``export --watch`` and ``sync --watch``."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from ecluse import clock
from ecluse.cli.frame import Frame
from ecluse.errors import Invalid, Problem

_LOOK_S = 0.2
"""How often the wait for the next round looks whether a signal came, in seconds."""

_RETRY_S = 5.0
"""When a round that met a problem is tried again, in seconds, unless rounds are more frequent anyway."""


def span_of(text: str, hint: str) -> float:
    """The seconds of a length of time that was typed. Raises :class:`Invalid` for another form."""
    try:
        return clock.span(text)
    except ValueError as error:
        raise Invalid("usage.every", f"{error}.", hint) from None


def repeat(frame: Frame, every_s: float, look: Callable[[], None]) -> None:
    """Call ``look`` now and every ``every_s`` seconds until SIGINT, SIGTERM or SIGHUP; then once more, and return.

    The last call is what saves the work of a sandbox that is being shut down. A second signal interrupts it. A problem
    is said and the next round comes sooner: a full disk, a busy repository and a file that vanishes do not end a watch.
    """
    asked: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        frame.say(f"looking every {every_s:g} s, until Ctrl-C", "step")  # said when a signal is understood, not before
        while True:
            last = bool(asked)
            well = _once(frame, look)
            if last:
                break
            pause = every_s if well else min(every_s, _RETRY_S)
            due = time.monotonic() + pause
            while not asked and (left := due - time.monotonic()) > 0:
                time.sleep(min(left, _LOOK_S))
    finally:
        for name, former in before.items():
            signal.signal(getattr(signal, name), former)
    frame.say("stopped")


def _once(frame: Frame, look: Callable[[], None]) -> bool:
    try:
        look()
    except Problem as problem:
        frame.say(f"{problem.code}: {problem.message}", "warn")
        if problem.hint:
            frame.say(f"  next: {problem.hint}")
        return False
    except OSError as error:  # a file that went away while it was read: the next round sees the new state
        frame.say(f"the files changed while they were read: {error}", "warn")
        return False
    frame.refresh_copy()
    return True
