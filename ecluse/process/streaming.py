"""Commands whose output is heard line by line while they run."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ecluse.process.ending import end_group, group_lives, interrupt_group
from ecluse.process.starting import start

HEARTBEAT_S = 0.05
_LINE_CAP = 1 << 20
_PATIENCE_S = 60.0
"""How long what was said is waited for when a command has ended: only a listener that is stuck takes so long."""

_AT_ONCE = 1 << 16
_MOST_IN_A_PIPE = 1 << 20
"""What a pipe of anybody without privileges holds at most, in bytes: so much may be unread when a command ends."""


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_left: Callable[[int], None] | None = None,
    stdin: IO[bytes] | None = None,
) -> int:
    """Run a command, giving each line of its joined output to ``on_line`` as it comes; return its exit status.

    The line comes without its end, decoded as UTF-8 with replacement and cut at 1,048,576 letters. When the command ends,
    whatever it left running in its group is ended too, unless ``on_left`` is given: it then receives the group's id
    and has to end it with :func:`end_group`. Raises :class:`TimeoutError` when ``timeout_s`` passes and
    :class:`InterruptedError` when ``cancelled`` turns true; the group is ended first in both cases
    (:func:`interrupt_group`). ``stdin`` is an
    open file that the command reads; without it, nothing.
    """
    source = subprocess.DEVNULL if stdin is None else stdin
    process = start(argv, cwd=cwd, env=env, stdin=source, stderr=subprocess.STDOUT)
    assert process.stdout is not None  # noqa: S101 - start always makes a pipe
    reader = _Reader(process.stdout, on_line)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    patient = cancelled is None and deadline is None
    try:
        while True:
            try:
                code = process.wait(None if patient else HEARTBEAT_S)
                break
            except subprocess.TimeoutExpired:
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError(f"no end within {timeout_s:g} s") from None
                if cancelled is not None and cancelled():
                    raise InterruptedError("cancelled") from None
    finally:
        ended = process.poll() is not None
        if ended and on_left is not None and group_lives(process.pid):
            on_left(process.pid)
        elif ended:
            end_group(process.pid, grace_s=0)
        else:
            interrupt_group(process)
            process.wait()
        reader.drain(_PATIENCE_S)
    return code


class _Reader:
    """Reads what a command says, in a thread of its own, and gives it on line by line."""

    def __init__(self, pipe: IO[bytes], on_line: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._on_line = on_line
        self._taking = threading.Lock()
        self._taken = 0
        self._rest = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def drain(self, patience_s: float) -> None:
        """Wait until everything was given on that was said before this call, whoever still holds the pipe open."""
        ends, enough = time.monotonic() + patience_s, None
        while (left := ends - time.monotonic()) > 0 and self._taking.acquire(timeout=left):
            try:
                if self._pipe.closed:
                    return
                enough = enough or self._taken + _MOST_IN_A_PIPE
                if self._taken >= enough or not _has_more(self._pipe, 0):
                    self._give(b"", last=True)
                    return
            finally:
                self._taking.release()
            self._thread.join(0.002)

    def _read(self) -> None:
        try:
            while _has_more(self._pipe, None) and self._take():
                pass
        finally:
            with self._taking, self._pipe:
                self._give(b"", last=True)

    def _take(self) -> bool:
        """Take what there is and give it on; with the lock, so that what left the pipe and was not yet given on is seen."""
        with self._taking:
            data = os.read(self._pipe.fileno(), _AT_ONCE)
            self._taken += len(data)
            self._give(data)
        return bool(data)

    def _give(self, data: bytes, *, last: bool = False) -> None:
        whole, ended, self._rest = (self._rest + data).rpartition(b"\n")
        lines = whole.decode("utf-8", "replace").split("\n") if ended else []
        if self._rest and (last or len(self._rest) >= _LINE_CAP):
            lines.append(self._rest.decode("utf-8", "replace"))
            self._rest = b""
        for line in lines:
            if len(line) <= _LINE_CAP:
                self._on_line(line.rstrip("\r"))
            else:
                for at in range(0, len(line), _LINE_CAP):
                    self._on_line(line[at : at + _LINE_CAP].rstrip("\r"))


def _has_more(pipe: IO[bytes], patience_ms: int | None) -> bool:
    """Whether there is something to read, or the end; waits for it as long as is said (``None``: for ever)."""
    if os.name == "nt":  # pipes cannot be asked there; reading waits by itself
        return True
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(patience_ms))
