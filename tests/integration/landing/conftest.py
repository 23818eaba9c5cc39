"""Changes and runs as the other locks leave them in the history."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import pytest

from ecluse.clock import instant
from ecluse.history import History, wakes
from ecluse.model import Change, ChangeState, Event, Landing, Run, RunState


class Locks:
    """Stands where intake and checks would: puts ready changes in and answers runs; landing itself is real."""

    GREEN: ClassVar[dict[str, Any]] = {
        "result": "success",
        "jobs": [{"id": "test", "name": "test", "result": "success", "steps": []}],
    }
    RED: ClassVar[dict[str, Any]] = {
        "result": "failure",
        "jobs": [
            {"id": "lint", "name": "lint", "result": "success", "steps": []},
            {
                "id": "test",
                "name": "test",
                "result": "failure",
                "steps": [{"name": "unit tests", "conclusion": "failure", "outcome": "failure"}],
            },
        ],
    }

    def __init__(self, bench: Any, history: History) -> None:
        self.bench = bench
        self.history = history

    def ready(self, head: str, name: str = "c-1", **values: Any) -> Change:
        moment = instant()
        change = Change(
            f"{name}/1",
            name,
            1,
            ChangeState.READY,
            "a change",
            "agent1",
            "refs/heads/main",
            "d",
            "bundle",
            moment,
            moment,
        )
        base = self.bench.git("merge-base", "main", head)
        change = dataclasses.replace(
            change,
            head=head,
            base=base,
            tree=self.bench.git("rev-parse", f"{head}^{{tree}}"),
            trusted_by="test",
            **values,
        )
        self.history.record(change, Event("change.ready", change.subject, "ready"))
        return change

    def answer(
        self, run_id: str, state: RunState, report: dict[str, Any], workflows: tuple[str, ...] = ("ci.yml",)
    ) -> None:
        run = self.history.get(Run, run_id)
        assert run is not None
        over = dataclasses.replace(run, state=state, report=report, workflows=workflows)
        self.history.record(over, Event(f"run.{state}", run.subject, "answered"))
        wakes.cancel(self.history, run.subject)

    def get(self, landing: Landing) -> Landing:
        found = self.history.get(Landing, landing.id)
        assert found is not None
        return found


@pytest.fixture
def locks(bench: Any, history: History) -> Locks:
    return Locks(bench, history)
