"""Ending processes: a group that was started, what is marked by its environment, and all of it should we die ourselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

GRACE_S = 5.0
"""Seconds between asking a process group to end and ending it."""


def end_group(pid: int, *, grace_s: float = GRACE_S) -> None:
    """End the process group that ``pid`` leads: ask first, then kill after ``grace_s`` seconds. Gone is success."""
    if os.name == "nt":
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if grace_s > 0:
            os.killpg(pid, signal.SIGTERM)
            deadline = time.monotonic() + grace_s
            while time.monotonic() < deadline and group_lives(pid):
                time.sleep(0.02)
        os.killpg(pid, signal.SIGKILL)


def end_marked(variable: str, prefix: str) -> int:
    """Kill every process whose environment has ``variable`` with a value that begins with ``prefix``.

    This also finds what has left its group to become a daemon, where the system shows environments (Linux). Returns
    how many were found.
    """
    wanted = f"{variable}={prefix}".encode()
    found = 0
    for entry in Path("/proc").glob("[0-9]*") if Path("/proc/self/environ").exists() else ():
        with contextlib.suppress(OSError):
            marks = (entry / "environ").read_bytes()
            if wanted in marks and any(mark.startswith(wanted) for mark in marks.split(b"\0")):
                os.kill(int(entry.name), signal.SIGKILL)
                found += 1
    return found


def group_lives(pid: int) -> bool:
    """Whether a process of the group that ``pid`` leads, or led, still lives."""
    if os.name == "nt":
        return False  # there are no groups to be left behind in
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a zombie leader would keep its group alive for ever
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


_GUARDIAN = """
trap '' HUP INT TERM
read -r word
for round in 1 2 3 4 5 6 7 8 9 10; do
    found=$(grep -lF "$1" /proc/[0-9]*/environ 2>/dev/null)
    [ -n "$found" ] || break
    for file in $found; do kill -9 "$(basename "${file%/environ}")" 2>/dev/null; done
done
chmod -R u+rwX "$2" 2>/dev/null
rm -rf "$2"
"""
"""Waits until its standard input ends, which it does when we die, however that comes about; then it clears up."""


@contextlib.contextmanager
def guarded(folder: Path, variable: str, prefix: str) -> Iterator[None]:
    """While the block runs, a small process stands by; if we are killed, it kills what is marked and removes ``folder``.

    Marked is every process whose environment has ``variable`` with a value that begins with ``prefix`` (found where
    the system shows environments). After the block nothing is done: whoever comes to its end clears up itself. Where
    there is no shell there is no guardian, and the next run has to sweep.
    """
    try:
        guardian = subprocess.Popen(
            ["/bin/sh", "-c", _GUARDIAN, "ecluse-guardian", f"{variable}={prefix}", str(folder)],
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        yield
        return
    try:
        yield
    finally:
        guardian.kill()
        guardian.wait()
        if guardian.stdin:
            guardian.stdin.close()
