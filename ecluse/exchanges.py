"""The exchange folders of the policy, looked at again and again while ``ecluse serve`` runs.

Each agent named in ``[sync.folders]`` has a folder that both sides see (:mod:`ecluse.intake.exchange`); this is the
repository's side of all of them. What comes in is only received here; the line judges and lands it.
"""

from __future__ import annotations

import threading
from pathlib import Path

from ecluse import clock
from ecluse.errors import Problem
from ecluse.git import Repository
from ecluse.history import History
from ecluse.intake.exchange import TrunkSide
from ecluse.model import Event
from ecluse.trunk import open_trunk

DEFAULT_EVERY = "1m"
SUBJECT = "repository"


def keep_until(repository: Repository, stop: threading.Event) -> None:
    """Look at every folder that the policy names, at once and then as often as it says, until ``stop`` is set.

    For a background thread; it opens a history of its own. The policy is read anew each time. A problem is recorded
    once, when it is first met, and stops nothing.
    """
    sides: dict[tuple[str, Path, bool], TrunkSide] = {}
    told: set[str] = set()
    with History.open(repository.state_dir) as history:
        while not stop.is_set():
            pause = clock.span(DEFAULT_EVERY)
            try:
                pause = _look(repository, history, sides)
            except (Problem, OSError) as problem:
                _tell(history, told, getattr(problem, "code", "disk.error"), str(problem))
            stop.wait(pause)


def _look(repository: Repository, history: History, sides: dict[tuple[str, Path, bool], TrunkSide]) -> float:
    settings = open_trunk(repository).config.sync
    top = repository.work_tree or repository.common_dir.parent
    for agent, name in settings.folders.items():
        mark = (agent, (top / name).resolve(), settings.land)
        side = sides.setdefault(mark, TrunkSide(repository, agent, mark[1], land=settings.land))
        _, problems = side.take_in(history, actor="ecluse serve")
        for problem in problems:
            _tell(history, set(), problem.code, f"{name}: {problem.message}")
        side.send(history, actor="ecluse serve")
    return clock.span(settings.every or DEFAULT_EVERY)


def _tell(history: History, told: set[str], code: str, message: str) -> None:
    if message not in told:
        told.add(message)
        history.note(Event("sync.problem", SUBJECT, f"{code}: {message}", data={"code": code}))
