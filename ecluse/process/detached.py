"""Jobs: detached processes that outlive who started them, whose lives any process can look up in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from ecluse.clock import instant
from ecluse.dataclass import dataclass
from ecluse.errors import Failed
from ecluse.files import FileLock, is_locked, storage_problem, write_atomically
from ecluse.process.ending import GRACE_S, end_group


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
    root = str(Path(__file__).resolve().parents[2])
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
        said = Path(f"/proc/{pid}/stat").read_bytes()  # a program may have any bytes for a name
        return said.rsplit(b")", 1)[1].split()[19].decode("ascii")
    except (OSError, IndexError):
        return ""


def _boot_mark() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
