"""The jobs of a run on their way: what each waits for, what runs of it, and what it came to."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field

from ecluse.checks.evaluate import Scope
from ecluse.checks.jobs import Instance, JobOutcome
from ecluse.checks.workflow import Job, Workflow
from ecluse.model import Job as JobRecord
from ecluse.model import Result


@dataclass(slots=True, eq=False)
class Group:
    """One call of a reusable workflow: its jobs, and what its outputs are computed from."""

    workflow: Workflow
    scope: Scope
    nodes: list[Node] = field(default_factory=list)
    has_started: bool = False

    @property
    def result(self) -> Result | None:
        """What the jobs came to together; ``None`` while one of them is not done."""
        return worst([Result(node.needs_result) for node in self.nodes if node.result is not None], len(self.nodes))


_RANKING = (Result.FAILURE, Result.CANCELLED, Result.SUCCESS, Result.SKIPPED)


def worst(results: list[Result], wanted: int) -> Result | None:
    """What several results come to together; ``None`` while there are fewer than ``wanted``."""
    return None if len(results) < wanted else next(result for result in _RANKING if result in results)


@dataclass(slots=True, eq=False)
class Node:
    """One job of one workflow on its way: its instances, and what they came to together.

    ``space`` is the workflow, or the call of one, inside which its needs are looked up; ``prefix`` and ``title`` go
    before its key and name. ``calls`` are the calls it makes of a reusable workflow, ``caller`` the one it is part of.
    """

    workflow: Workflow
    job: Job
    scope: Scope
    space: str
    prefix: str = ""
    title: str = ""
    caller: Group | None = None
    calls: list[Group] = field(default_factory=list)
    result: Result | None = None
    needs_result: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    waiting: list[Instance] = field(default_factory=list)
    records: dict[str, JobOutcome] = field(default_factory=dict)
    running: int = 0
    max_parallel: int = sys.maxsize
    fail_fast: bool = True
    cancelled: threading.Event = field(default_factory=threading.Event)
    skipped: JobRecord | None = None


def is_inside(space: str, other: str) -> bool:
    """Whether ``space`` is the workflow or call ``other``, or is called from in there."""
    return space == other or space.startswith(f"{other}>")
