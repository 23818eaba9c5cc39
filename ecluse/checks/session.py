"""One running job: its folders, its environment as steps change it, and what its expressions see."""

from __future__ import annotations

import copy
import itertools
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse import process
from ecluse.checks.contexts import (
    fixed_variables,
    github_variables,
    inherited_environment,
    runner_architecture,
    runner_os,
    wants_debug,
)
from ecluse.checks.evaluate import Scope, status_functions
from ecluse.checks.hashfiles import hash_files
from ecluse.checks.joblog import JobLog
from ecluse.checks.launch import launch
from ecluse.checks.matchers import Matcher
from ecluse.checks.naming import without_base
from ecluse.checks.request import RunRequest
from ecluse.checks.values import CaseSensitive
from ecluse.checks.workflow import Job, Step, Workflow

if TYPE_CHECKING:
    from ecluse.checks.actions import ActionCall, Outcome
    from ecluse.checks.remote import Remote

MAX_JOB_MINUTES = 360.0
GRACE_S = 300.0
"""Seconds that each ``always()`` step of a job gets once the job was cancelled or ran out of time.

``cancel-timeout-minutes`` of the job says otherwise.
"""

TRACKING = "RUNNER_TRACKING_ID"
"""The variable by which processes that a job left behind are found again, as on GitHub."""

LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class FailedStep:
    """Where a step failed: its folder and its whole environment, which may hold secrets."""

    job: str
    name: str
    folder: Path
    env: dict[str, str] = field(repr=False)


OnFailure = Callable[[FailedStep], None]
"""Is called while the job's folders are still there; the job goes on when it returns."""


def one_at_a_time(on_failure: OnFailure | None) -> OnFailure | None:
    """The same, called for one failed step after the other however many fail at once."""
    turn = threading.Lock()

    def call(step: FailedStep) -> None:
        assert on_failure is not None  # noqa: S101 - call is handed out only when there is one
        with turn:
            on_failure(step)

    return call if on_failure is not None else None


@dataclass(slots=True)
class Frame:
    """Where steps run: the job itself, or one composite action inside it.

    ``outlasts`` says that the step which runs goes on when the job is cancelled, because its condition lets it run
    then too; it can be so only where ``may_outlast`` says it. ``trail`` are the numbers of the steps that lead to the action, ``source`` its repository and ref.
    """

    inputs: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: str = "success"
    action_path: str = ""
    action: str = ""
    depth: int = 0
    trail: tuple[int, ...] = ()
    source: tuple[str, str] = ("", "")
    may_outlast: bool = True
    outlasts: bool = False


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Work of an action for after the job's last step: done when ``condition`` (an expression) says so."""

    frame: Frame
    step: Step
    condition: str
    work: Callable[[ActionCall], Outcome]

    @property
    def key(self) -> tuple[int, ...]:
        return (*self.frame.trail, self.step.number)


class Session:
    """A job while it runs. ``contexts`` are those that do not change: github, needs, matrix, strategy, ..."""

    def __init__(
        self,
        *,
        tree: Path,
        folder: Path,
        artifacts: Path,
        request: RunRequest,
        workflow: Workflow,
        job: Job,
        contexts: dict[str, Any],
        log: JobLog,
        cancelled: threading.Event,
        aborted: threading.Event,
        remote: Remote,
        on_failure: OnFailure | None = None,
    ) -> None:
        self.on_failure = on_failure
        self.looked_at: list[int] = []
        self.tree, self.remote = tree, remote
        self.request = request
        self.workflow = workflow
        self.job = job
        self.log = log
        self.cancelled, self.aborted = cancelled, aborted
        self.artifacts = artifacts
        self._lay_out(folder)
        self.env: dict[str, str] = {}
        self.path: list[str] = []
        self.fixed_path: list[str] = []
        self.deadline = time.monotonic() + MAX_JOB_MINUTES * 60
        self.grace_s = GRACE_S
        self.left: list[int] = []
        self.summary: list[str] = []
        self.matchers: list[Matcher] = []
        self.is_debug = wants_debug(request)
        self.cleanups: list[Cleanup] = []
        self.states: dict[tuple[int, ...], dict[str, str]] = {}
        self.noted_node: list[str] = []
        self._numbers = itertools.count(1)
        self.runner = self._runner_context()
        self.contexts = {**contexts, "runner": self.runner}
        self.origin = {
            "workflow_ref": contexts["github"]["workflow_ref"],
            "workflow_sha": contexts["github"]["workflow_sha"],
            "workflow_repository": contexts["github"]["repository"],
            "workflow_file_path": workflow.path,
        }
        self.github: dict[str, Any] = {
            **contexts["github"],
            "job": job.id,
            "workspace": str(self.workspace),
            "event_path": str(self.event_file),
        }
        self.base_env = {**inherited_environment(), **fixed_variables(), **request.env}
        self.runner_env = self._runner_variables()

    def _lay_out(self, folder: Path) -> None:
        """Make the job's folders below ``folder``."""
        self.folder, self.mark = folder, f"{folder}/"
        name = self.request.repository.rpartition("/")[2] or "repo"
        self.workspace = folder / "work" / name / name
        self.temp = folder / "temp"
        self.tools = folder / "tools"
        self.files = folder / "files"
        self.event_file = folder / "event.json"
        for made in (self.workspace, self.temp, self.tools, self.files):
            made.mkdir(parents=True, exist_ok=True)

    def _runner_context(self) -> dict[str, str]:
        return {
            "os": runner_os(),
            "arch": runner_architecture(),
            "name": "ecluse",
            "environment": "self-hosted",
            "temp": str(self.temp),
            "tool_cache": str(self.tools),
            "workspace": str(self.workspace.parent),
            "debug": "1" if self.is_debug else "",
        }

    def _runner_variables(self) -> dict[str, str]:
        found = {f"RUNNER_{name.upper()}": str(value) for name, value in self.runner.items() if value}
        return {**found, "AGENT_TOOLSDIRECTORY": str(self.tools), TRACKING: self.mark}

    def scope(self, frame: Frame, step_env: dict[str, str] | None = None) -> Scope:
        """What an expression of a step of ``frame`` sees."""
        env = {"ACT": "true", "ECLUSE": "true"}
        env |= self.request.env | self.env | frame.env | (step_env or {})
        github = {**self.github, "action": frame.action, **_origin(frame), "action_status": frame.status}
        contexts = {
            **self.contexts,
            "github": github,
            "env": CaseSensitive(env),
            "steps": frame.steps,
            "job": {"status": frame.status, **self.origin},
        }
        if frame.depth:
            contexts["inputs"] = frame.inputs
            contexts.pop("secrets", None)
        functions = status_functions(frame.status)
        functions["hashfiles"] = lambda patterns: hash_files(self.workspace, patterns)
        return Scope(contexts, functions)

    def environment(self, frame: Frame, step_env: dict[str, str]) -> dict[str, str]:
        """The whole environment of a process that a step starts; nothing overrides ``GITHUB_*`` and ``RUNNER_*``."""
        env = self.base_env | self.env | frame.env | step_env
        own = {**self.github, "action": frame.action}
        env |= github_variables({**own, **_origin(frame)} if frame.depth else own) | self.runner_env
        if added := [*self.fixed_path, *self.path]:
            env["PATH"] = os.pathsep.join([*reversed(added), env.get("PATH", os.defpath)])
        return env

    def fork(self, cancelled: threading.Event) -> Session:
        """The job as a background step sees it: what that step changes is its own until it is waited for.

        ``path`` and ``summary`` begin empty; ``fixed_path`` keeps what earlier steps put into ``PATH``.
        """
        twin = copy.copy(self)
        twin.log = self.log.branch()
        twin.cancelled = cancelled
        twin.env = dict(self.env)
        twin.fixed_path = [*self.fixed_path, *self.path]
        twin.path, twin.summary = [], []
        twin.matchers = [matcher.fresh() for matcher in self.matchers]
        return twin

    def clean_up(self, cleanup: Cleanup) -> None:
        """Have ``cleanup`` done after the job's last step, the one noted last first; once for each step."""
        for place, other in enumerate(self.cleanups):
            if other.key == cleanup.key:
                self.cleanups[place] = replace(other, frame=cleanup.frame)
                return
        self.cleanups.append(cleanup)

    def new_file(self, suffix: str) -> Path:
        """A path for a file of its own, outside the workspace."""
        return self.files / f"{next(self._numbers)}{suffix}"

    def start(
        self,
        argv: list[str],
        on_line: Callable[[str], None],
        *,
        frame: Frame,
        cwd: Path,
        env: dict[str, str],
        timeout_s: float | None = None,
    ) -> int:
        """Run a process of a step; see :func:`ecluse.checks.launch.launch`."""
        limit = self.grace_s if frame.status == "cancelled" else self.deadline - time.monotonic()
        limit += self.grace_s if frame.outlasts else 0.0
        return launch(
            argv,
            on_line,
            cwd=cwd,
            env=env,
            timeout_s=max(0.0, limit if timeout_s is None else min(limit, timeout_s)),
            cancelled=self._end_of(frame),
            on_left=self.left.append,
        )

    def _end_of(self, frame: Frame) -> Callable[[], bool]:
        """Tells whether the step that starts now has to end before it is done."""
        if frame.status == "cancelled":
            return self.aborted.is_set
        if not frame.outlasts:
            return self.cancelled.is_set
        since: list[float] = []

        def is_over() -> bool:
            if self.cancelled.is_set() and not since:
                since.append(time.monotonic())
            return self.aborted.is_set() or bool(since and time.monotonic() - since[0] > self.grace_s)

        return is_over

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is to end: it was cancelled, or has used up its time."""
        return self.cancelled.is_set() or self.is_out_of_time

    @property
    def is_out_of_time(self) -> bool:
        return time.monotonic() >= self.deadline

    def close(self) -> None:
        """End what steps left running, remove the job's folders."""
        if self.left and not process.end_marked(TRACKING, self.mark) and not LINUX:
            for group in self.left:
                process.end_group(group, grace_s=0.2)
        remove_folder(self.folder)


def _origin(frame: Frame) -> dict[str, str]:
    """What the ``github`` context says of the action whose steps run."""
    repository, ref = frame.source
    return {"action_path": frame.action_path, "action_repository": without_base(repository), "action_ref": ref}


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it, read-only parts too; what cannot be removed is left."""

    def loosen(function: Callable[..., Any], path: str, _: object) -> None:
        with suppress(OSError):
            parent = Path(path).parent
            parent.chmod(parent.stat().st_mode | stat.S_IRWXU)
            if Path(path).is_dir() and not Path(path).is_symlink():
                Path(path).chmod(stat.S_IRWXU)
                shutil.rmtree(path, ignore_errors=True)
            elif function in (os.unlink, os.rmdir):  # not what opens a folder that went away meanwhile
                function(path)

    shutil.rmtree(folder, onerror=loosen)
