"""The only starter of processes: short commands, streams of lines, and jobs that outlive us.

No shell is ever used. Every process leads a session of its own, so that ending it ends what it started in its group.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TypeVar

from ecluse.clock import instant
from ecluse.dataclass import dataclass
from ecluse.errors import Failed
from ecluse.files import DISK_FULL_HINT, FileLock, is_locked, storage_problem, write_atomically

GRACE_S = 5.0
"""Seconds between asking a process group to end and ending it."""

HEARTBEAT_S = 0.05
_LINE_CAP = 1 << 20
Result = TypeVar("Result")


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


def missing_tool(name: str) -> Failed:
    """The problem to raise when the program ``name`` is not on this machine."""
    return Failed(
        "tool.missing",
        f"The program `{name}` was not found on this machine (PATH was searched).",
        f"install {name} with your system's package manager, then type: ecluse doctor",
    )


def which(name: str, path: str | None = None) -> str | None:
    """Where ``name`` is on PATH (or on ``path``), or ``None``."""
    import shutil

    return shutil.which(name, path=path)


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
    process = _start(argv, cwd=cwd, env=env, stdin=source, stdout=subprocess.PIPE if stdout is None else stdout)
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


def run_at_terminal(argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run a program that talks to the person at this terminal (an editor), in our own session; its exit status.

    Raises :class:`Failed` when the program is missing.
    """
    try:
        return subprocess.call(list(argv), env=None if env is None else dict(env))
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
    process = _start(argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
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

    The line comes without its end, decoded as UTF-8 with replacement and cut at 1 MiB. When the command ends,
    whatever it left running in its group is ended too, unless ``on_left`` is given: it then receives the group's id
    and has to end it with :func:`end_group`. Raises :class:`TimeoutError` when ``timeout_s`` passes and
    :class:`InterruptedError` when ``cancelled`` turns true; the group is ended first in both cases. ``stdin`` is an
    open file that the command reads; without it, nothing.
    """
    source = subprocess.DEVNULL if stdin is None else stdin
    process = _start(argv, cwd=cwd, env=env, stdin=source, stderr=subprocess.STDOUT)
    reader = threading.Thread(target=_pump, args=(process, on_line), daemon=True)
    reader.start()
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
        if ended and on_left is not None and _group_lives(process.pid):
            on_left(process.pid)
            reader.join(HEARTBEAT_S)  # what is left may hold the pipe open for as long as it lives
        else:
            end_group(process.pid, grace_s=0 if ended else GRACE_S)
            process.wait()
            reader.join(GRACE_S)
    return code


def _pump(process: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None  # noqa: S101 - _start always makes a pipe
    with process.stdout as pipe:
        while line := pipe.readline(_LINE_CAP):
            on_line(line.decode("utf-8", "replace").rstrip("\r\n"))


def interact(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run a program that talks to the terminal we stand at, and return its exit status when it has ended.

    It stays in our session, because the terminal belongs to it. Raises :class:`Failed` when there is no such program.
    """
    try:
        with subprocess.Popen(list(argv), cwd=cwd, env=dict(env)) as program:
            return program.wait()
    except FileNotFoundError as error:
        raise missing_tool(argv[0]) from error


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
            while time.monotonic() < deadline and _group_lives(pid):
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


def _group_lives(pid: int) -> bool:
    if os.name == "nt":
        return False  # there are no groups to be left behind in
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a zombie leader would keep its group alive for ever
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _start(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise storage_problem(error, cwd) from error
        raise missing_tool(argv[0]) from error
    except PermissionError as error:
        if which(argv[0], None if env is None else env.get("PATH")) is None:
            raise missing_tool(argv[0]) from error  # a folder of PATH that may not be read hides that there is none
        raise Failed(
            "tool.not_executable", f"`{argv[0]}` may not be executed: {error.strerror}.", f"ls -l {argv[0]}"
        ) from error


@contextlib.contextmanager
def background(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Do ``work`` (commands that take their time) beside the block; at its end it is over. Gives what fetches its result.

    What fetches the result raises what the work raised.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is fetched
            failed.append(error)

    def fetch() -> Result:
        thread.join()
        if failed:
            raise failed[0]
        return done[0]

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield fetch
    finally:
        thread.join()


class JobState(StrEnum):
    """What became of a detached job. ``LOST`` died without leaving a status: a kill, a crash, a reboot."""

    ABSENT = "absent"
    RUNNING = "running"
    EXITED = "exited"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobStatus:
    state: JobState
    code: int | None = None


def run_job(
    folder: Path, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Start ``argv`` as a detached job whose life is kept in ``folder``; return once it is under way.

    The job outlives this process. One folder is one start: a folder whose job runs, or has ended, is left alone, so
    calling this again (late, or after a crash) never starts a second one. ``folder`` gets ``request.json`` (command
    and working folder, never the environment: it may hold secrets), ``lock`` (held by the job while it lives),
    ``job.json`` (process id, start, boot), ``output.log`` and, by rename at the end, ``exit`` with the status.
    Raises :class:`Failed` when it could not be started.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_problem(error, folder) from error
    if job_status(folder).state is not JobState.ABSENT:
        return
    request = {"argv": list(argv), "cwd": str(cwd) if cwd else None}
    write_atomically(folder / "request.json", json.dumps(request).encode(), mode=0o600)
    root = str(Path(__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {root!r}); from ecluse.process import host_job; host_job(sys.argv[1])"
    host = subprocess.Popen(
        [sys.executable, "-I", "-c", code, str(folder)],
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (folder / "job.json").exists() and host.poll() is None:
        time.sleep(0.002)
    if job_status(folder).state is JobState.ABSENT:
        raise Failed(
            "job.not_started",
            f"No process could be started for {folder}.",
            "ecluse doctor, which looks at disk space and permissions",
        )


def host_job(folder_name: str) -> None:
    """Body of the process that stands beside a detached job: hold the lock, start it, keep its exit status.

    The child inherits the lock, so the job counts as running until both are gone, whichever dies first.
    """
    folder = Path(folder_name)
    lock = FileLock(folder / "lock")
    if not lock.acquire() or (folder / "job.json").exists():
        return
    request = json.loads((folder / "request.json").read_bytes())
    with (folder / "output.log").open("ab") as log:
        try:
            child = subprocess.Popen(
                request["argv"],
                cwd=request["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),) if os.name == "posix" else (),
            )
        except OSError as error:
            log.write(f"{request['argv'][0]}: {error.strerror}\n".encode())
            write_atomically(folder / "job.json", json.dumps({"pid": 0, "at": instant()}).encode())
            write_atomically(folder / "exit", b"127")
            return
    record = {"pid": child.pid, "at": instant(), "started": _start_mark(child.pid), "boot": _boot_mark()}
    write_atomically(folder / "job.json", json.dumps(record).encode())
    write_atomically(folder / "exit", str(child.wait()).encode())


def job_status(folder: Path) -> JobStatus:
    """What became of the job of ``folder``; reads the folder and the lock only, so any process may ask."""
    if is_locked(folder / "lock"):
        return JobStatus(JobState.RUNNING)
    with contextlib.suppress(OSError, ValueError):
        return JobStatus(JobState.EXITED, int((folder / "exit").read_bytes()))
    return JobStatus(JobState.LOST if (folder / "job.json").exists() else JobState.ABSENT)


def job_pid(folder: Path) -> int | None:
    """The process id of the job of ``folder`` while that very process lives, else ``None`` (ids are reused)."""
    try:
        record = json.loads((folder / "job.json").read_bytes())
    except (OSError, ValueError):
        return None
    pid = int(record.get("pid") or 0)
    alive = pid > 0 and record.get("boot") == _boot_mark() and record.get("started") == _start_mark(pid)
    return pid if alive and is_locked(folder / "lock") else None


def cancel_job(folder: Path, *, grace_s: float = GRACE_S) -> None:
    """End the job of ``folder`` with everything in its group and wait until it is gone. Gone already is success."""
    pid = job_pid(folder)
    if pid is None:
        return
    end_group(pid, grace_s=grace_s)
    deadline = time.monotonic() + GRACE_S
    while is_locked(folder / "lock") and time.monotonic() < deadline:
        time.sleep(0.005)


def _start_mark(pid: int) -> str:
    """When process ``pid`` started, in the system's own unit; empty where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


def _boot_mark() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
