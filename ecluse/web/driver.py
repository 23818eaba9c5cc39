"""The line kept moving behind the pages: one thread that runs a given function until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import StrEnum

from ecluse.errors import Problem

Background = Callable[[threading.Event], None]
"""Drives the line until the event is set; opens what it needs in its own thread."""

RETRY_S = 10.0
"""Pause before the line is driven again after a problem (a full disk, a busy history), in seconds."""

STOP_S = 10.0
"""How long a stopping server waits for the line to finish what it is at, in seconds. Effects are journalled."""

_log = logging.getLogger("ecluse.web")


class DriverState(StrEnum):
    OFF = "off"
    DRIVING = "driving"
    RETRYING = "retrying"
    STOPPED = "stopped"


class Driver:
    """Runs ``background`` in a thread. A problem is kept to be shown and tried again; a bug stops it, logged whole."""

    def __init__(self, background: Background | None, *, retry_s: float = RETRY_S) -> None:
        self._background = background
        self._retry_s = retry_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.state = DriverState.OFF
        self.problem = ""

    def start(self) -> None:
        if self._background is not None:
            self.state = DriverState.DRIVING
            self._thread = threading.Thread(target=self._run, args=(self._background,), name="line", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Tell the line to stop and wait for it, within reason."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                _log.warning("the line did not stop within %g s; what it began is in the journal", STOP_S)

    def _run(self, background: Background) -> None:
        while not self._stop.is_set():
            try:
                background(self._stop)
            except Problem as problem:
                self.state, self.problem = DriverState.RETRYING, f"{problem.message} Next: {problem.hint}"
                _log.warning("the line met a problem: %s", self.problem)
                self._stop.wait(self._retry_s)
            except Exception as bug:  # noqa: BLE001 - shown on the page and at /healthz, logged whole
                self.state, self.problem = DriverState.STOPPED, f"A fault of Écluse stopped it: {type(bug).__name__}."
                _log.exception("the line stopped on a fault")
                return
            else:
                break
            self.state, self.problem = DriverState.DRIVING, ""
        self.state = DriverState.OFF
