"""Commands that are run to their end or talked to through a pipe, and programs at the terminal we stand at."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ecluse.dataclass import dataclass
from ecluse.errors import Failed
from ecluse.files import DISK_FULL_HINT
from ecluse.process.ending import end_group
from ecluse.process.starting import missing_tool, start

Pipe = subprocess.Popen[bytes]
"""A process that is talked to over its standard input and output."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A process that ended by itself: ``code`` is its exit status (negative: the signal that ended it)."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may use before the system ends it: ``memory_bytes`` of its own (not files it maps), ``cpu_s``.

    Held where the system can limit another process (Linux); elsewhere only the time limit of :func:`run` counts.
    """

    memory_bytes: int
    cpu_s: int


_FULL = ("No space left on device", "Out of diskspace", "Disk quota exceeded")


class CommandFailed(Failed):
    """A command ended with a status that was not wanted; carries the command, the status and its output."""

    def __init__(self, completed: Completed) -> None:
        words = " ".join(completed.argv[:6])
        said = completed.stderr.decode("utf-8", "replace").strip()[-2000:]
        code, hint = "process.failed", "ecluse doctor"
        message = f"`{words}` ended with status {completed.code}: {said}"
        if any(sign in said for sign in _FULL):
            code, message, hint = "disk.full", f"The disk is full: {message}", DISK_FULL_HINT
        super().__init__(code, message, hint)
        self.completed = completed


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    timeout_s: float | None = None,
    check: bool = True,
    limits: Limits | None = None,
) -> Completed:
    """Run a command to its end and return what it printed, as bytes.

    ``env`` is the whole environment when given; ``stdin`` is bytes, or an open file that never passes through us;
    what is printed goes to ``stdout`` instead when that is given. Raises :class:`CommandFailed` for a status other than 0 (with
    ``check``), :class:`Failed` when the program is missing or ``timeout_s`` passes (its whole group is ended).
    """
    given = stdin if isinstance(stdin, bytes) else None
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE if isinstance(stdin, bytes) else stdin
    process = start(argv, cwd=cwd, env=env, stdin=source, stdout=subprocess.PIPE if stdout is None else stdout)
    if limits is not None:
        _restrict(process.pid, limits)
    try:
        out, err = process.communicate(given, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        end_group(process.pid, grace_s=0)
        process.communicate()
        raise Failed(
            "process.timeout",
            f"`{' '.join(argv[:4])}` did not end within {timeout_s:g} s and was ended.",
            "type the same command again, or look at the machine's load with: uptime",
        ) from None
    except BaseException:
        end_group(process.pid, grace_s=0)
        process.wait()
        raise
    completed = Completed(tuple(argv), process.returncode, out or b"", err)
    if check and completed.code != 0:
        raise CommandFailed(completed)
    return completed


def run_at_terminal(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> int:
    """Run a program that talks to the person at this terminal (an editor, a shell); its exit status.

    It stays in our session, because the terminal belongs to it. Raises :class:`Failed` when there is no such program.
    """
    try:
        return subprocess.call(list(argv), cwd=cwd, env=None if env is None else dict(env))
    except (FileNotFoundError, PermissionError) as error:
        raise missing_tool(argv[0]) from error


def open_pipe(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Pipe:
    """A long-lived command that is talked to over its standard input and output (``git cat-file --batch``)."""
    process = start(argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if limits is not None:
        _restrict(process.pid, limits)
    return process


def _restrict(pid: int, limits: Limits) -> None:
    """Limit a process that has just started; one that has ended already needs no limit."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    if not hasattr(resource, "prlimit"):
        return
    wanted = ((resource.RLIMIT_DATA, limits.memory_bytes), (resource.RLIMIT_CPU, limits.cpu_s))
    for name, most in wanted:
        with contextlib.suppress(OSError, ValueError):
            hard = resource.prlimit(pid, name)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, name, (most, most))
