"""Where everything a job says goes, masked first: its log file, the events, the last lines of each step."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ecluse.clock import instant
from ecluse.files import storage_problem
from ecluse.model import Annotation, Artifact, NotRunHere
from ecluse.secrets.mask import Masker

TAIL_LINES = 40
MAX_LOG_CHARACTERS = 200_000_000
"""What one job may write to its log; the rest is dropped, and the log says so."""

MAX_SUMMARY_CHARACTERS = 1 << 20
"""What a step may write into its summary, as on GitHub; the rest is dropped."""

MAX_NOTES = 1_000
"""Annotations of one job that are kept; GitHub keeps ten of a kind of each step."""

MAX_NOTE_CHARACTERS = 4_096
"""What of an annotation is kept, as on GitHub."""

Listener = Callable[[dict[str, object]], None]


class JobLog:
    """One job's output. ``key`` names the job in events."""

    def __init__(self, key: str, masker: Masker, listener: Listener | None, path: Path | None) -> None:
        self.key = key
        self.masker = masker
        self.listener = listener
        self.path = path
        self.annotations: list[Annotation] = []
        self.summaries: dict[int, str] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.not_run_here: list[NotRunHere] = []
        self.step = 0
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._written = 0
        self._file: IO[str] | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("w", encoding="utf-8", errors="replace", buffering=1)
            except OSError as error:
                raise storage_problem(error, path) from error

    def branch(self) -> JobLog:
        """The same log for a step that runs beside others: with a step number and last lines of its own."""
        twin = copy.copy(self)
        twin._tail = deque(maxlen=TAIL_LINES)
        return twin

    def begin_step(self, number: int, name: str) -> None:
        """Start a fresh tail for the step."""
        self.step = number
        self._tail.clear()
        self.write(f"##[step {number}] {self.masker.mask(name)}")

    def line(self, text: str) -> None:
        """One line of output."""
        text = self.masker.mask(text)
        self._tail.append(text)
        self.write(text)
        self.tell("line", step=self.step, text=text)

    def note(
        self, level: str, message: str, path: str = "", line: int = 0, *, column: int = 0, title: str = ""
    ) -> None:
        """An annotation: ``error``, ``warning`` or ``notice``; what is too much of it is in the log only."""
        mask = self.masker.mask
        if len(self.annotations) < MAX_NOTES:
            text = mask(message)[:MAX_NOTE_CHARACTERS]
            self.annotations.append(
                Annotation(level, text, self.key, mask(path), line, column=column, title=mask(title))
            )
        elif len(self.annotations) == MAX_NOTES:
            told = f"The job has more than {MAX_NOTES} annotations; the others are in its log."
            self.annotations.append(Annotation("warning", told, self.key))

    def summarise(self, text: str) -> None:
        """What the present step wrote into its summary; a second text of one step is added to the first."""
        before = self.summaries.get(self.step, "")
        room = MAX_SUMMARY_CHARACTERS - len(before)
        self.summaries[self.step] = before + self.masker.mask(text)[: max(0, room)]

    def artifact(self, name: str, files: int, size_bytes: int) -> None:
        """An artifact that this job made, or added to, as it stands now."""
        self.artifacts[name] = Artifact(self.masker.mask(name), self.key, files, size_bytes)

    def not_here(self, what: str, why: str) -> None:
        """Something that was asked for and is not done here; the job goes on, and the report says so."""
        self.not_run_here.append(NotRunHere(self.key, self.masker.mask(what), self.masker.mask(why), self.step))

    def tell(self, event: str, **fields: Any) -> None:
        """Send an event; its texts are masked."""
        if self.listener is not None:
            masked = {name: self.masker.mask_any(value) for name, value in fields.items()}
            self.listener({"event": event, "at": instant(), "job": self.key, **masked})

    def tail(self) -> tuple[str, ...]:
        return tuple(self._tail)

    def write(self, text: str) -> None:
        """Put a line that is already masked into the log file."""
        if self._file is None or self._file.closed:
            return
        self._written += len(text) + 1
        if self._written > MAX_LOG_CHARACTERS:
            self._put("(the log is longer than is kept; the rest was dropped)\n")
            self.close()
            return
        self._put(text + "\n")

    def _put(self, text: str) -> None:
        """Write to the file; a disk that is full costs the rest of the log and nothing else."""
        if self._file is None:
            return
        try:
            self._file.write(text)
        except OSError as error:
            self.close()
            self.note("warning", f"The log of this job ends early: {self.path}: {error.strerror}.")

    def close(self) -> None:
        if self._file is not None and not self._file.closed:
            with suppress(OSError):
                self._file.close()
