"""Several attempts at one task, side by side, so that a person can pick one."""

from __future__ import annotations

import posixpath
from collections import Counter

from ecluse.dataclass import dataclass
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Change, ChangeState, Landing

OPEN = (ChangeState.RECEIVED, ChangeState.READY, ChangeState.QUARANTINED, ChangeState.CONFLICT)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, measured. ``tests`` are the test files it touches, ``checks`` result by name, ``findings`` by code."""

    change: str
    agent: str
    state: str
    verdict: str
    title: str
    commits: int
    files: int
    added: int
    removed: int
    size_bytes: int
    tests: tuple[str, ...]
    checks: dict[str, str]
    findings: dict[str, int]


@dataclass(frozen=True, slots=True)
class Task:
    """The attempts at one task, oldest first; of each change only the newest revision."""

    name: str
    attempts: tuple[Attempt, ...]

    @property
    def is_open(self) -> bool:
        """Whether a person still has something to pick from."""
        return sum(1 for one in self.attempts if one.state in {state.value for state in OPEN}) > 1


def task_named(repository: Repository, history: History, name: str) -> Task:
    """The attempts at the task called ``name``; none when nobody tried it."""
    newest: dict[str, Change] = {}
    for change in history.find(Change, task=name) if name else []:
        if change.id not in newest or newest[change.id].revision < change.revision:
            newest[change.id] = change
    return Task(name, tuple(_measure(repository, history, change) for change in newest.values()))


def open_tasks(repository: Repository, history: History) -> list[Task]:
    """The tasks at which more than one attempt is pending."""
    pending = [change for state in OPEN for change in history.find(Change, state=state) if change.task]
    several = Counter(name for name, _ in {(change.task, change.id) for change in pending})
    return [task_named(repository, history, name) for name in sorted(several) if several[name] > 1]


def _measure(repository: Repository, history: History, change: Change) -> Attempt:
    added, removed = _lines(repository, change)
    checks = {str(one.get("name")): str(one.get("result")) for one in change.validations}
    landings = history.find(Landing, change=change.key, newest_first=True, limit=1)
    if landings:
        checks["landing"] = landings[0].state.value
    return Attempt(
        change=change.key,
        agent=change.agent_name,
        state=change.state.value,
        verdict=change.verdict.value if change.verdict else "",
        title=change.title,
        commits=len(change.commits),
        files=len(change.files),
        added=added,
        removed=removed,
        size_bytes=change.size_bytes,
        tests=tuple(path for path in change.files if _is_test(path))[:100],
        checks=checks,
        findings=dict(Counter(one.code for one in change.findings)),
    )


def _lines(repository: Repository, change: Change) -> tuple[int, int]:
    """Lines added and removed between base and head; zero where that is not here."""
    if not change.ref or not change.base or repository.resolve(change.head) != change.head:
        return 0, 0
    words = ("diff-tree", "-r", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv")
    rows = [line.split("\t") for line in repository.text(*words, change.base, change.head).split("\n")]
    counted = [(row[0], row[1]) for row in rows if len(row) > 2]
    return tuple(sum(int(row[n]) for row in counted if row[n].isdigit()) for n in (0, 1))  # type: ignore[return-value]


def _is_test(path: str) -> bool:
    name, folders = posixpath.basename(path), path.split("/")[:-1]
    stem = name.rpartition(".")[0]
    marks = name.startswith("test_") or stem.endswith(("_test", ".test", ".spec", "Test"))
    return marks or bool({"test", "tests", "__tests__", "spec"} & set(folders))
