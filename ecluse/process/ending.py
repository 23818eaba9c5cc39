"""Ending processes: a group that was started, what is marked by its environment, and all of it should we die ourselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

GRACE_S = 5.0
"""Seconds between asking a process group to end and ending it."""


INTERRUPT_S = 7.5
TERMINATE_S = 2.5
"""Seconds that a command has after an interrupt, and what is left of it after being asked to end, as on GitHub."""


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


def interrupt_group(process: subprocess.Popen[bytes]) -> None:
    """End the process group that ``process`` leads as GitHub's runner ends a step, so that the same traps are set off.

    An interrupt (what Ctrl-C sends) first; when the leader is gone, or :data:`INTERRUPT_S` later, what is left is asked
    to end, and killed :data:`TERMINATE_S` after that.
    """
    if os.name != "nt":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(INTERRUPT_S if os.name != "nt" else 0)
    except subprocess.TimeoutExpired:
        pass
    finally:  # somebody impatient may interrupt us here
        end_group(process.pid, grace_s=TERMINATE_S)


def pass_interrupts_on() -> None:
    """Stay deaf to an interrupt where whoever started us wanted that, without making what we start deaf to it too.

    A shell starts what runs in its background so, and what is started inherits it: no interrupt could end a step.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda number, frame: None)


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
