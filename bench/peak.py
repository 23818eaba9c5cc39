"""The most memory that a process held, by itself and together with everything that it started, and how long it took.

Linux says both in ``/proc``: what one process ever held is exact, what all held together is looked at every few
milliseconds, and is never told as less than the largest process among them.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

EVERY_S = 0.004


@dataclass(frozen=True)
class Peak:
    """``own`` and ``together`` in MiB, ``seconds`` of wall time and ``processor`` seconds of all, the exit status, and standard output where it was kept."""

    own: float
    together: float
    seconds: float
    processor: float
    code: int
    output: bytes


def run_watched(
    words: Sequence[str], cwd: Path, env: dict[str, str], *, stdin: IO[bytes] | None = None, stdout: Path | None = None
) -> Peak:
    """Run a command and look at it and its descendants until it ends; its output goes to ``stdout`` or is kept."""
    kept = stdout or Path(os.devnull)
    with (
        kept.open("wb") as out,
        subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=stdin or subprocess.DEVNULL,
            stdout=out if stdout else subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        began = time.perf_counter()
        own = together = 0
        if process.stdout:
            os.set_blocking(process.stdout.fileno(), False)
        said = bytearray()
        while True:
            if process.stdout and (part := process.stdout.read()):
                said += part
            own = max(own, _kib(process.pid, "VmHWM"))
            together = max(together, sum(_kib(pid, "VmRSS") for pid in _tree(process.pid)))
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(EVERY_S)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.stdout and (part := process.stdout.read()):
            said += part
    largest = max(together, used.ru_maxrss if used.ru_maxrss < 1 << 30 else 0)
    return Peak(own / 1024, largest / 1024, took, used.ru_utime + used.ru_stime, process.returncode, bytes(said))


def _tree(pid: int) -> list[int]:
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        try:
            for thread in Path(f"/proc/{one}/task").iterdir():
                left += map(int, (thread / "children").read_text().split())
        except (OSError, ValueError):
            continue
    return found


def _kib(pid: int, what: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{what}:")), 0)
