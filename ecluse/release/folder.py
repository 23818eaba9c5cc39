"""A target that is a folder: releases side by side, the link ``current``, and the service's jobs.

``<root>/releases/<version>-<release>`` holds a release's files and a file RELEASE with its version;
``<root>/current`` is a link to one of them and is switched by rename; ``<root>/service/<release>-<attempt>`` is the
folder of one start of the service.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ecluse import process
from ecluse.clock import new_id
from ecluse.errors import Failed
from ecluse.files import storage_problem, sync_folder, write_atomically
from ecluse.git import Repository
from ecluse.process import JobState
from ecluse.release.target import Target

_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "USER",
    "LOGNAME",
    "SHELL",
    "SYSTEMROOT",
)
"""What a service sees of our own environment: never a token that happens to be set where the release was started."""


def fill(repository: Repository, commit: str, version: str, folder: Path) -> None:
    """Make ``folder`` hold exactly the tree of ``commit`` and the file RELEASE; it appears whole, by one rename."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with repository.temporary_clone(bare=False, parent=folder.parent) as clone:
            clone.check_out(commit)
            assert clone.work_tree is not None  # noqa: S101 - made with one, two lines above
            shutil.rmtree(clone.work_tree / ".git")
            write_atomically(clone.work_tree / "RELEASE", f"{version}\n".encode())
            clone.work_tree.chmod(0o755)
            clone.work_tree.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_problem(error, folder) from error


def current_of(target: Target) -> Path | None:
    """The release folder that ``current`` points to."""
    if not target.current.is_symlink():
        return None
    return target.root / target.current.readlink()


def switch(target: Target, folder: Path | None) -> None:
    """Point ``current`` to ``folder`` in one step; with ``None``, to nothing. Raises :class:`Failed` on a real folder."""
    if target.current.exists() and not target.current.is_symlink():
        raise Failed(
            "deploy.current",
            f"{target.current} is not a link that Écluse made; it was left alone.",
            f"look at it: ls -la {target.root}",
        )
    try:
        if folder is None:
            target.current.unlink(missing_ok=True)
        else:
            beside = target.root / f".{new_id('current')}"
            beside.symlink_to(os.path.relpath(folder, target.root), target_is_directory=True)
            beside.replace(target.current)
        sync_folder(target.root)
    except OSError as error:
        raise storage_problem(error, target.current) from error


def service_folder(target: Target, release_id: str, attempt: int) -> Path:
    return target.services / f"{release_id}-{attempt}"


def running(target: Target) -> list[Path]:
    """The service folders whose job lives."""
    if not target.services.is_dir():
        return []
    return [f for f in sorted(target.services.iterdir()) if process.job_status(f).state is JobState.RUNNING]


def stop_others(target: Target, keep: Path | None) -> list[str]:
    """End every running service of the target but the one in ``keep``; return the names of those ended."""
    others = [folder for folder in running(target) if folder != keep]
    for folder in others:
        process.cancel_job(folder)
    stubborn = [folder.name for folder in others if process.job_status(folder).state is JobState.RUNNING]
    if stubborn:
        raise Failed(
            "deploy.stop",
            f"The service {', '.join(stubborn)} of {target.name} could not be ended.",
            f"look at it: ls {target.services}",
        )
    return [folder.name for folder in others]


def start(target: Target, release_folder: Path, job: Path) -> None:
    """Start the service in its release folder, detached; a folder that was started before is left alone."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    process.run_job(job, target.command, cwd=release_folder, env={**env, **target.variables})


def ended(job: Path) -> str:
    """Why the service of ``job`` is not running, with the last lines it wrote; empty while it runs."""
    status = process.job_status(job)
    if status.state is JobState.RUNNING:
        return ""
    code = f"with status {status.code}" if status.state is JobState.EXITED else "without a status"
    said = tail(job)
    return f"the service ended {code}{', saying: ' + said if said else ''}"


def tail(job: Path, lines: int = 3, cap: int = 600) -> str:
    """The last lines of a job's output, as one line."""
    try:
        with (job / "output.log").open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 4096))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-lines:])[-cap:]


def prune(target: Target, protected: set[Path]) -> list[str]:
    """Remove the oldest release folders beyond the number kept, and what interrupted fillings left; return names."""
    if not target.releases.is_dir():
        return []
    entries = [f for f in target.releases.iterdir() if f.is_dir() and not f.is_symlink()]
    leftovers = [f for f in entries if f.name.startswith("ecluse-clone-")]
    whole = sorted((f for f in entries if f not in leftovers), key=lambda f: f.stat().st_mtime_ns, reverse=True)
    old = [f for f in whole[target.keep :] if f not in protected]
    for folder in [*old, *leftovers]:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder.name for folder in old]
