"""Background and parallel steps: each runs on a copy of the job's state, which is joined when it is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ecluse.checks.actions import Outcome
from ecluse.model import Result

if TYPE_CHECKING:
    from ecluse.checks.session import Frame, Session
    from ecluse.checks.steps import StepResult
    from ecluse.checks.workflow import Step

MAX_AT_ONCE = 10
"""How many background steps of one job run at the same time, as on GitHub; more wait for their turn."""

RunStep = Callable[["Session", "Frame", "Step"], "StepResult"]


class Linked(threading.Event):
    """An event that is set when it, or the one it follows, is; ``reason`` says why, when it was set by itself."""

    def __init__(self, leader: threading.Event) -> None:
        super().__init__()
        self.leader = leader
        self.reason = ""

    def is_set(self) -> bool:
        return super().is_set() or self.leader.is_set()


@dataclass(slots=True)
class Branch:
    """One background step on its way, with the copies of job and frame that it changes."""

    step: Step
    session: Session
    frame: Frame
    future: Future[StepResult]
    env: dict[str, str] = field(default_factory=dict)


class Background:
    """The background steps of one job. Used by the job's own thread only."""

    def __init__(self, session: Session, frame: Frame, run_step: RunStep) -> None:
        self.session = session
        self.frame = frame
        self.run_step = run_step
        self.branches: list[Branch] = []
        self.results: list[StepResult] = []
        self.known: set[str] = set()
        self._pool: ThreadPoolExecutor | None = None

    def start(self, step: Step) -> Branch:
        """Let ``step`` run beside the others, or queue for its turn."""
        session = self.session.fork(Linked(self.session.cancelled))
        frame = replace(self.frame, env=dict(self.frame.env), steps=dict(self.frame.steps), may_outlast=False)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_AT_ONCE, "background")
        future = self._pool.submit(self._run, session, frame, step)
        branch = Branch(step, session, frame, future, dict(session.env))
        self.branches.append(branch)
        if step.id:
            self.known.add(step.id.lower())
        return branch

    def _run(self, session: Session, frame: Frame, step: Step) -> StepResult:
        if session.cancelled.is_set():
            frame.status = "cancelled"
        return self.run_step(session, frame, step)

    def control(self, step: Step) -> Outcome:
        """Carry out a ``wait``, ``wait-all`` or ``cancel`` step."""
        if step.other == "wait-all":
            return self.join(list(self.branches) if step.targets != ("false",) else [])
        unknown = [name for name in step.targets if name.lower() not in self.known]
        if unknown:
            names = ", ".join(f"'{name}'" for name in unknown)
            return Outcome(Result.FAILURE, reason=f"no background step with the id {names} was started before")
        wanted = {name.lower() for name in step.targets}
        chosen = [branch for branch in self.branches if branch.step.id.lower() in wanted]
        if step.other == "wait":
            return self.join(chosen)
        for branch in chosen:
            branch.session.cancelled.set()
        self.join(chosen)
        return Outcome(Result.SUCCESS)

    def parallel(self, steps: Iterable[Step]) -> Outcome:
        """Run ``steps`` side by side and wait for all of them."""
        return self.join([self.start(step) for step in steps])

    def join(self, branches: list[Branch]) -> Outcome:
        """Wait for ``branches`` and take over what they changed; the outcome is theirs together."""
        failed, cut_off = [], False
        for branch in branches:
            result = branch.future.result()
            self.branches.remove(branch)
            self.results.append(result)
            self._take(branch)
            if result.conclusion is Result.FAILURE:
                failed.append(result)
            cut_off |= result.conclusion is Result.CANCELLED
        if cut_off and (self.session.cancelled.is_set() or self.session.is_out_of_time):
            return Outcome(Result.CANCELLED, reason="the job ended while background steps ran")
        if failed:
            names = ", ".join(f"'{result.name}'" for result in failed)
            return Outcome(Result.FAILURE, failed[0].exit_code, f"the background step {names} failed")
        return Outcome(Result.SUCCESS)

    def _take(self, branch: Branch) -> None:
        session = self.session
        session.env |= {name: value for name, value in branch.session.env.items() if branch.env.get(name) != value}
        session.path += branch.session.path
        session.summary += branch.session.summary
        if branch.step.id in branch.frame.steps:
            self.frame.steps[branch.step.id] = branch.frame.steps[branch.step.id]

    def drain(self) -> None:
        """Wait for what nobody waited for. A failed background step fails the job in the end, as on GitHub.

        So it is also when whoever waited for it (``continue-on-error``) or cancelled it let its failure pass: only
        the step's own ``continue-on-error`` does away with that.
        """
        if self.join(list(self.branches)).result is Result.CANCELLED:
            self.frame.status = Result.CANCELLED.value
        elif self.frame.status == "success" and any(one.conclusion is Result.FAILURE for one in self.results):
            self.frame.status = Result.FAILURE.value

    def close(self) -> None:
        """End everything that still runs, without joining it."""
        for branch in self.branches:
            branch.session.cancelled.set()
        if self._pool is not None:
            self._pool.shutdown()
