"""A history that holds every noun in telling states, and a real server in a thread that shows it."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ecluse.clock import after
from ecluse.git import Repository
from ecluse.history import History, perform, wakes
from ecluse.history.journal import Probed
from ecluse.model import (
    Change,
    ChangeState,
    Deployment,
    DeploymentState,
    Event,
    Finding,
    Gate,
    GateState,
    Landing,
    LandingState,
    Release,
    ReleaseState,
    Run,
    RunState,
    Verdict,
)
from ecluse.web.server import serve

HOSTILE = "<script>alert(1)</script> \"quoted\" & 'single' \u202egnp.exe"
PLAYBOOK = """---
playbook: release
format: 1
environment: production
---

# Release

## Sequence

### [1] Decide the version — by system

Reads the commits.

- uses: semver.decide
- output: version

### [2] Decide to go — by human

- gate: go-live

### [3] Deploy — by system

- uses: git.tag message="Release v{version}"
- uses: deploy.folder

### [4] Ask how it is — by system

- uses: health.http

### [5] Tell people — by system

- uses: notify template=announcement

## Human gates

| Gate | Question | Who | Answers |
|---|---|---|---|
| go-live | May {version} go live? | human | approve / reject |
"""


def oid(seed: str) -> str:
    import hashlib

    return hashlib.sha1(seed.encode()).hexdigest()


@dataclass
class Filled:
    """The repository, and the keys of what was put into its history, by a telling name."""

    repository: Repository
    keys: dict[str, str] = field(default_factory=dict)
    log: Path = Path()


class Filler:
    """Writes records with their events, a minute apart, the oldest two hours ago."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._minute = -120

    def moment(self) -> str:
        self._minute += 2
        return after(self._minute * 60)

    def record(self, noun: Any, kind: str, text: str, actor: str = "", **data: Any) -> Any:
        at = self.moment()
        stamped = replace(noun, created_at=at, updated_at=at)
        self.history.record(stamped, Event(kind, stamped.subject, text, actor, data, at=at))
        return stamped

    def change(self, id: str, title: str, agent: str, state: ChangeState, **fields: Any) -> Change:
        values: dict[str, Any] = {"verdict": Verdict.ACCEPT, "size_bytes": 4321, "method": "bundle"} | fields
        revision = int(values.pop("revision", 1))
        change = Change(
            f"{id}/{revision}",
            id,
            revision,
            state,
            title,
            agent,
            "refs/heads/main",
            oid(title),
            "bundle",
            "",
            "",
            **values,
        )
        text = f"{change.key} is {state}: {title}"
        return self.record(change, f"change.{state}", text, agent)  # type: ignore[no-any-return]


def fill(repository: Repository) -> Filled:
    """Put records of every noun into the history of ``repository``."""
    found = Filled(repository)
    with History.open(repository.state_dir, create=True) as history:
        filler = Filler(history)
        _fill_intake(filler, found)
        _fill_checks(filler, found)
        _fill_landing(filler, found)
        _fill_release(filler, found)
    return found


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """A repository of this test's own whose history holds every noun."""
    return fill(Repository.create(tmp_path / "project"))


def _fill_intake(filler: Filler, found: Filled) -> None:
    good = filler.change(
        "chg-good",
        "Add a filling plan for chains of locks",
        "agent-ada",
        ChangeState.LANDED,
        base=oid("base"),
        head=oid("head"),
        tree=oid("tree"),
        commits={oid("old one"): oid("old one"), oid("old two"): oid("new two")},
        files=("service/locks.py", "tests/test_locks.py", "docs/caf\udce9.md"),
        not_carried=({"path": ".env", "reason": "sensitive file"},),
        validations=({"name": "minimal", "result": "success", "duration_ms": 12.5},),
        trusted_by="key ada (agent)",
        note="Done: the plan.\nLeft: gates wider than 12 m.",
        ref="refs/ecluse/changes/chg-good/1",
    )
    hostile = filler.change(
        "chg-hostile",
        HOSTILE,
        "agent-<b>mallory</b>",
        ChangeState.QUARANTINED,
        verdict=Verdict.QUARANTINE,
        reason="It edits a workflow.",
        findings=(
            Finding("policy.ci_changed", Verdict.QUARANTINE, "a workflow is changed", ".github/workflows/ci.yml", 3),
            Finding("text.bidi", Verdict.WARN, "a direction-changing character in the title"),
        ),
        files=(".github/workflows/ci.yml",),
    )
    broken = filler.change(
        "chg-broken", "Speed the gates up", "agent-bob", ChangeState.READY, trusted_by="key bob (agent)"
    )
    filler.change("chg-clash", "Rename the locks", "agent-bob", ChangeState.CONFLICT, reason="it conflicts in locks.py")
    filler.change("chg-leak", "Add settings", "agent-eve", ChangeState.REJECTED, verdict=Verdict.REJECT)
    filler.change("chg-fresh", "Show the water levels", "agent-ada", ChangeState.RECEIVED, verdict=None)
    filler.change("chg-good2", "Add a plan", "agent-ada", ChangeState.SUPERSEDED)
    filler.change(
        "chg-good2", "Add a better plan", "agent-ada", ChangeState.READY, revision=2, trusted_by="key ada (agent)"
    )
    blocked = filler.change(
        "chg-blocked", "Paint the gates", "agent-ada", ChangeState.READY, trusted_by="key ada (agent)"
    )
    found.keys |= {"good": good.key, "hostile": hostile.key, "broken": broken.key, "blocked": blocked.key}


def _fill_checks(filler: Filler, found: Filled) -> None:
    folder = found.repository.state_dir / "jobs" / "run-red" / "0"
    folder.mkdir(parents=True)
    found.log = folder / "test.log"
    found.log.write_text("first line\n\x1b[31mFAILED\x1b[0m test_gates <b>\ntoken ***\n", encoding="utf-8")
    outside = found.repository.common_dir / "config"
    outside.touch()
    step = {"outcome": "success", "conclusion": "success", "duration_ms": 812.0, "exit_code": 0}
    report = {
        "schema_version": 1,
        "result": "failure",
        "duration_ms": 64_200.0,
        "jobs": [
            {
                "id": "lint",
                "name": "lint",
                "result": "success",
                "duration_ms": 1830.0,
                "log": str(outside),
                "steps": [{"number": 1, "name": "Compile", **step}],
            },
            {
                "id": "test",
                "name": "test (3.12)",
                "result": "failure",
                "duration_ms": 62_370.0,
                "log": str(found.log),
                "steps": [
                    {"number": 1, "name": "Check out", **step},
                    {
                        "number": 2,
                        "name": "Run <tests>",
                        "outcome": "failure",
                        "conclusion": "failure",
                        "duration_ms": 61_000.0,
                        "exit_code": 1,
                        "tail": ["FAIL: test_gates", "AssertionError: 3 != 4"],
                    },
                    {"number": 3, "name": "Publish", "outcome": "skipped", "conclusion": "skipped", "duration_ms": 0},
                ],
            },
        ],
        "annotations": [{"level": "error", "message": "gates do not close", "path": "service/locks.py", "line": 7}],
    }
    base = Run("", "", RunState.GREEN, oid("c"), oid("t"), "pull_request", (".github/workflows/ci.yml",), "", "")
    green = replace(base, id="run-green", parent="landing/land-good", duration_ms=58_000.0)
    red = replace(base, id="run-red", parent="landing/land-broken", state=RunState.RED, report=report)
    red = replace(red, duration_ms=64_200.0, reason="1 of 2 jobs green, not green: test (3.12)")
    filler.record(green, "run.green", "run is green: 2 of 2 jobs green")
    filler.record(red, "run.red", "run is red: 1 of 2 jobs green")
    filler.record(
        replace(base, id="run-now", parent="landing/land-now", state=RunState.RUNNING), "run.started", "run started"
    )
    found.keys |= {"red run": "run-red", "green run": "run-green"}


def _fill_landing(filler: Filler, found: Filled) -> None:
    def landing(id: str, change: str, agent: str, state: LandingState, kind: str, **fields: Any) -> None:
        made = Landing(id, change, state, "refs/heads/main", "", "", agent=agent, heads=(oid(change),), **fields)
        filler.record(made, kind, f"{change} on main: {state}")

    good = {
        "run": "run-green",
        "basis": "workflows",
        "base": oid("base"),
        "candidate": oid("cand"),
        "tree": oid("tree"),
    }
    landing("land-good", found.keys["good"], "agent-ada", LandingState.LANDED, "landing.landed", **good)
    why = "1 of 2 jobs green, not green: test (3.12)"
    landing(
        "land-broken", found.keys["broken"], "agent-bob", LandingState.RED, "landing.red", run="run-red", reason=why
    )
    landing("land-now", "chg-good2/2", "agent-ada", LandingState.TESTING, "landing.testing", run="run-now")
    why = "uncommitted work in the checkout would be touched: gates.py"
    blocked = {"reason": why, "blocked_paths": ("gates.py",)}
    landing("land-blocked", found.keys["blocked"], "agent-ada", LandingState.BLOCKED, "landing.blocked", **blocked)
    problem = {"code": "disk.full", "hint": "free some space (df -h shows where)"}
    event = Event("line.problem", "landing/land-now", "landing/land-now cannot go on: the disk is full", data=problem)
    filler.history.note(replace(event, at=filler.moment()))
    wakes.wake_in(filler.history, "landing/land-now", 3600, "disk.full")


def _unit(
    filler: Filler, number: int, title: str, does: str, state: str, said: str = "", result: Any = None
) -> dict[str, Any]:
    """One step of a release, as its outputs keep it."""
    times = {"began": filler.moment(), "ended": filler.moment() if state != "running" else ""}
    words = {"number": number, "title": title, "does": does, "state": state, "said": said}
    return {**words, "result": result or {}, **times}


def _release(filler: Filler, id: str, state: ReleaseState, steps: list[dict[str, Any]], **fields: Any) -> Release:
    """A recorded release with ``steps``."""
    outputs = {
        "plan": {"path": "playbooks/release.md", "why": "a feature makes a minor version"},
        "steps": {str(position): one for position, one in enumerate(steps)},
    }
    made = Release(
        id,
        state,
        "release",
        oid(id),
        PLAYBOOK,
        oid("head"),
        "production",
        "Ines",
        "",
        "",
        len(steps),
        outputs=outputs,
        **fields,
    )
    return filler.record(made, f"release.{state}", f"release {made.version} is {state}", "Ines")  # type: ignore[no-any-return]


def _fill_release(filler: Filler, found: Filled) -> None:
    """A release that was rolled back, and one that waits at its gate."""
    version = _unit(filler, 1, "Decide the version", "semver.decide", "done", "0.2.0: a feature makes a minor version")
    made = {"binding": oid("b"), "nonce": "nonce-" + oid("n")[:12], "created_at": "", "updated_at": ""}
    asked: dict[str, Any] = {"name": "go-live", "question": "May 0.2.0 go live?", "answers": ("approve", "reject")}
    back = _fill_rolled_back(filler, version, asked | made)
    waits = _unit(filler, 2, "Decide to go", "gate go-live", "running")
    words = {"version": "0.3.0", "previous": "0.1.0", "reason": "gate go-live"}
    waiting = _release(filler, "rel-wait", ReleaseState.WAITING, [version], **words)
    waiting.outputs["steps"]["1"] = waits
    filler.history.record(waiting, Event("release.step", waiting.subject, "[2] Decide to go: gate go-live"))
    times = {"expires_at": after(7200), "silence": "abort"}
    gate = Gate("gate-wait", waiting.id, 2, state=GateState.OPEN, **asked, **made, **times)
    filler.record(gate, "gate.opened", "gate go-live is open")
    found.keys |= {"back": back.id, "wait": waiting.id}


def _fill_rolled_back(filler: Filler, version: dict[str, Any], question: dict[str, Any]) -> Release:
    """The release whose service did not answer, with its answered gate and its deployment."""
    steps = [
        version,
        _unit(filler, 2, "Decide to go", "gate go-live", "done", "approve by Ines (played, typed, solo)"),
        _unit(filler, 3, "Deploy", "git.tag", "done", "v0.2.0"),
        _unit(filler, 3, "Deploy", "deploy.folder", "done", "0.2.0 is started"),
        _unit(filler, 4, "Ask how it is", "health.http", "failed", "GET /health answered 503"),
    ]
    why = "[4] Ask how it is: GET /health answered 503. Version 0.1.0 answers again in production."
    words = {"version": "0.2.0", "previous": "0.1.0", "reason": why, "played": True}
    back = _release(filler, "rel-back", ReleaseState.ROLLED_BACK, steps, **words)
    history = filler.history
    perform(history, back.subject, "tag", lambda plan: {"tag": "v0.2.0"}, probe=lambda plan: Probed(None))
    answered = Gate("gate-back", back.id, 2, state=GateState.ANSWERED, **question)
    answered = replace(answered, answer="approve", answered_by="Ines", how="played, typed, solo", why="looks well")
    filler.record(answered, "gate.answered", "gate go-live answered approve by Ines", "Ines")
    deployment = Deployment(
        "dep-back",
        back.id,
        "production",
        "0.2.0",
        oid("head"),
        DeploymentState.ROLLED_BACK,
        "releases/0.2.0",
        "",
        "",
        reason="GET /health answered 503",
    )
    filler.record(deployment, "deployment.rolled_back", "deployment of 0.2.0 rolled back")
    return back


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A running dashboard. ``ask`` sends one request as it is written, nothing followed, nothing added."""

    url: str
    port: int
    filled: Filled

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            given = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, given, answer.read())
        finally:
            connection.close()


Start = Callable[..., Site]


@contextlib.contextmanager
def serving() -> Iterator[Callable[..., Site]]:
    """Gives a function that starts real servers on free ports; all are stopped at the end."""
    stops: list[tuple[threading.Event, threading.Thread]] = []

    def starting(filled: Filled, background: Any = None) -> Site:
        stop, ready = threading.Event(), threading.Event()
        found: list[str] = []

        def on_ready(url: str) -> None:
            found.append(url)
            ready.set()

        options = {"host": "127.0.0.1", "port": 0, "background": background, "on_ready": on_ready, "stop": stop}
        thread = threading.Thread(target=serve, args=(filled.repository,), kwargs=options)
        thread.start()
        stops.append((stop, thread))
        assert ready.wait(60), "the server did not start"
        return Site(found[0], int(found[0].rpartition(":")[2]), filled)

    yield starting
    for stop, thread in stops:
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that only shows, for every test that only looks."""
    folder = tmp_path_factory.mktemp("site")
    (folder / ".git").mkdir()
    with serving() as starting:
        yield starting(fill(Repository(folder / ".git", folder / ".git", folder)))


@pytest.fixture
def start(filled: Filled) -> Iterator[Start]:
    """Starts servers of this test's own repository."""
    with serving() as starting:
        yield functools.partial(starting, filled)


@pytest.fixture
def own_site(start: Start) -> Site:
    """A server whose history and files this test may change."""
    return start()
