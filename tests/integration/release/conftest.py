"""A repository with a real service to release, and the line driven without waiting for anybody."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from ecluse import clock, http, line, process, release, signing
from ecluse.clock import instant
from ecluse.git import Repository
from ecluse.history import History, wakes
from ecluse.model import Event, Release, Role, Run, RunState

SERVICE = """\
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

VERSION = (Path(__file__).parent / "RELEASE").read_text().strip()

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 200, {"status": "ok", "version": VERSION, "said": SAYING}
        if self.path == "/health":
            status = HEALTH
        elif self.path == "/flaky":
            status = 500 if Path(FLAG).exists() else 200
        elif self.path != "/":
            status = 404
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *words):
        pass

HEALTH, SAYING, FLAG = 200, "hello", os.environ.get("FLAG", "/nowhere")
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

SECONDS = 180.0
"""How long a test waits for something that takes a second, before it calls it stuck."""


SHORT = """\
---
playbook: release
format: 1
environment: production
---

# A short release

## Sequence

### [1] Decide — by human

{first}
- gate: go-live

### [2] Deploy — by system

- uses: {deploy}
- then: health.http
- then: git.tag

## Human gates

| Gate | Question | Who | Needs | Answers | If nobody answers |
|---|---|---|---|---|---|
| go-live | May it go live? | human | 1 | approve / deny | abort |

## Rollback

| When | Do | Ask first |
|---|---|---|
| {deploy} | previous version | no |
| health.http | previous version | no |
"""


class Yard:
    """The repository, its target, and short words for what tests do."""

    patience_s = SECONDS

    def __init__(self, folder: Path, **policy: Any) -> None:
        self.folder = folder / "work"
        self.target = folder / "target"
        self.flag = folder / "flag"
        self.key = folder / "keys" / "ada"
        self.port = http.free_port()
        self.webhook = ""
        self.production = True
        self.solo = True
        self.play = True
        self.timeout = 10.0
        self.extra = ""
        self.release_policy = ""
        self.protection = ""
        self.starter_key: Path | None = None
        self.folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", ".")
        for name, value in policy.items():
            setattr(self, name, value)
        self.repository = Repository.discover(self.folder)
        self.history = History.open(self.repository.state_dir, create=True)

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, check=True, text=True
        ).stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    def commit(self, message: str, **files: str) -> str:
        for name, text in files.items():
            self.write(name.replace("__", "/").replace("_dot_", "."), text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def proof(self) -> list[str]:
        """The words of a command that prove who starts a release."""
        return ["--starter-key", str(self.starter_key)] if self.starter_key else []

    def short_page(self, deploy: str, *first: str) -> str:
        """A page with one gate that does ``first`` (actions) before it, and then deploys."""
        return SHORT.format(deploy=deploy, first="\n".join(f"- uses: {one}" for one in first))

    def policy(self) -> str:
        smoke = '[{ request = "GET /", contains = "hello" }, { request = "GET /flaky" }, { request = "GET /none", expect = 404 }]'
        return f"""
solo = {json.dumps(self.solo)}
play = {json.dumps(self.play)}
[release]
{self.release_policy}
[notify]
webhook = {json.dumps(self.webhook)}
[environments.production]
path = {json.dumps(str(self.target))}
command = {json.dumps([sys.executable, "service.py", str(self.port)])}
url = "http://127.0.0.1:{self.port}"
health_timeout_s = {self.timeout}
production = {json.dumps(self.production)}
{self.protection}
keep = 2
smoke = {smoke}
variables = {{ FLAG = {json.dumps(str(self.flag))} }}
{self.extra}
"""

    @staticmethod
    def starting_s() -> float:
        """How long starting a small service takes on this machine just now, in seconds."""
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import json, http.server"], check=True)
        return time.monotonic() - began

    def little_patience(self) -> str:
        """A policy that gives an ill service up soon, but not before this machine, however busy, can have started one."""
        before = f"health_timeout_s = {self.timeout}"
        self.timeout = round(max(1.0, 8 * self.starting_s()), 1)
        return (self.folder / "ecluse.toml").read_text().replace(before, f"health_timeout_s = {self.timeout}")

    def make_first(self) -> None:
        """The first commit: service, policy, playbook."""
        text = template_playbook().replace("window=3 every=0.5", "window=0.4 every=0.1")
        self.commit(
            "feat: say hello", service_dot_py=SERVICE, ecluse_dot_toml=self.policy(), playbooks__release_dot_md=text
        )

    def list_key(self, role: Role = Role.HUMAN, name: str = "ada") -> Path:
        """Make a person's key and list it on the trunk."""
        key = self.key.with_name(name)
        public = signing.make_key(key, name)
        line = signing.signer_line(signing.Principal(name, role, public))
        if role is Role.AGENT and name == "starter":
            self.starter_key = key
        path = self.folder / ".ecluse" / "allowed_signers"
        before = path.read_text() if path.exists() else ""
        self.write(".ecluse/allowed_signers", before + line)
        if not self.solo and self.starter_key is None:
            self.starter_key = self.list_key(Role.AGENT, "starter")
        self.commit(f"chore: key of {name}")
        return key

    def start(self, **words: Any) -> str:
        given = {"starter": "Test Person", "starter_key": self.starter_key, **words}
        started = release.start(self.repository, self.history, **given)
        return started.id

    def get(self, release_id: str) -> Release:
        found = self.history.get(Release, release_id)
        assert found is not None
        return found

    def drive(self, release_id: str, until: Callable[[Release], bool] | None = None) -> Release:
        """Advance releases, landings and runs until the release rests (or ``until``)."""
        rests = until or (lambda r: r.state.is_terminal or r.state.waits_for_person)
        deadline = time.monotonic() + self.patience_s
        wakes.reclaim(self.history)
        while not rests(self.get(release_id)) or (until is None and self._is_due(release_id)):
            assert time.monotonic() < deadline, f"stuck: {self.get(release_id)}"
            if not self.step():
                time.sleep(0.02)
        return self.get(release_id)

    def through_the_line(self, release_id: str) -> Release:
        """Drive it with the real line, intake and checks included, until it rests."""
        rests = lambda: (found := self.get(release_id)).state.is_terminal or found.state.waits_for_person  # noqa: E731
        line.drive(self.repository, self.history, until=rests, follow=(f"release/{release_id}",))
        return self.get(release_id)

    def _is_due(self, release_id: str) -> bool:
        return f"release/{release_id}" in wakes.due(self.history)

    def step(self) -> bool:
        """Advance whoever is due first."""
        due = wakes.due(self.history)
        if not due:
            return False
        wakes.claim(self.history, due[0])
        kind, _, key = due[0].partition("/")
        if kind == "release":
            release.advance(self.repository, self.history, key)
        elif kind in ("landing", "environment"):
            line.advance(self.repository, self.history, due[0])
        elif kind == "run":
            self.finish_run(key)
        wakes.finish(self.history, due[0])
        return True

    def finish_run(self, run_id: str) -> None:
        """A stand-in for the checks: no workflow applies, or a red job when the file RED is in the tree."""
        run = self.history.get(Run, run_id)
        assert run is not None
        red = self.repository.read(run.commit, "RED") is not None
        state = RunState.RED if red else RunState.GREEN
        over = dataclasses.replace(
            run,
            state=state,
            workflows=("ci.yml",) if red else (),
            updated_at=instant(),
            report={"jobs": [{"id": "test", "result": "failure"}]} if red else {},
        )
        with self.history.transaction():
            self.history.record(over, Event(f"run.{state}", over.subject, f"run is {state}"))
            wakes.wake(self.history, run.parent, "run over")

    def approve(self, release_id: str, **words: Any) -> None:
        given: dict[str, Any] = {"who": "Ada", "how": "typed", "why": "looks good", **words}
        release.answer(self.repository, self.history, release_id, None, "approve", **given)

    def release(self, **words: Any) -> Release:
        """A whole release, approved at its gate by typing."""
        release_id = self.start(**words)
        self.drive(release_id)
        self.approve(release_id)
        return self.drive(release_id)

    def ask(self, path: str = "/health") -> tuple[int, dict[str, Any]]:
        """What the service answers; (0, {}) when nobody does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError:
            return 0, {}

    def kinds(self, release_id: str) -> list[str]:
        return [event.kind for event in self.history.events(subject=f"release/{release_id}", limit=10_000)]

    def texts(self, release_id: str) -> str:
        return "\n".join(event.text for event in self.history.events(subject=f"release/{release_id}", limit=10_000))

    def services(self) -> list[str]:
        """The names of the service folders whose job lives."""
        folders = sorted((self.target / "service").glob("*"))
        return [f.name for f in folders if process.job_status(f).state is process.JobState.RUNNING]

    def close(self) -> None:
        for folder in (self.target / "service").glob("*"):
            process.cancel_job(folder)
        for folder in (self.repository.state_dir / "releases").glob("*/*"):
            process.cancel_job(folder)
        self.history.close()


class Desk(Yard):
    """A yard for questions of who and when: its page has a gate and one command that goes live, no service."""

    page = """\
---
playbook: release
format: 1
environment: production
---

# Release

## Actors

- **system**: does
- **human**: decides

## Sequence

### [1] Decide — by human

- gate: go-live

### [2] Deploy — by system

- uses: deploy.command

## Human gates

| Gate | Question | Who | Needs | Answers | If nobody answers |
|---|---|---|---|---|---|
| go-live | May it go live? | human | 1 | approve / back to fix | abort |

## Rollback

| When | Do | Ask first |
|---|---|---|
| deploy.command | previous version | no |
"""

    def policy(self) -> str:
        marks = json.dumps(str(self.target / "deployed"))
        return f"""
solo = {json.dumps(self.solo)}
play = {json.dumps(self.play)}
[release]
{self.release_policy}
[environments.production]
method = "command"
path = {json.dumps(str(self.target))}
hosts = ["."]
url = "http://127.0.0.1:{self.port}"
production = {json.dumps(self.production)}
{self.protection}
[environments.production.commands]
deploy = {json.dumps(f"echo $ECLUSE_RELEASE >> {marks}")}
{self.extra}
"""

    def make_first(self) -> None:
        self.target.mkdir()
        self.commit("feat: first", ecluse_dot_toml=self.policy(), playbooks__release_dot_md=self.page)

    def deployed(self) -> list[str]:
        """The releases that reached production, in order."""
        marks = self.target / "deployed"
        return marks.read_text().split() if marks.exists() else []


class Hands:
    """A clock that tests move: it stands still until ``go``, and ``forward`` and ``set`` move it either way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = clock.now()
        self.started: float | None = None
        monkeypatch.setattr(clock, "now", self.now)

    def now(self) -> datetime:
        run = time.monotonic() - self.started if self.started is not None else 0.0
        return self.moment + timedelta(seconds=run)

    def go(self) -> None:
        """From now on the clock runs as clocks do."""
        self.started = time.monotonic()

    def forward(self, *, hours: float) -> None:
        self.moment += timedelta(hours=hours)

    def set(self, text: str) -> None:
        self.moment = datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """The clock door, stopped; nothing but the test moves it."""
    return Hands(monkeypatch)


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks with a policy of the test's own."""
    made: list[Desk] = []

    def make(**policy: Any) -> Desk:
        desk = Desk(tmp_path / f"desk{len(made)}", **policy)
        made.append(desk)
        desk.make_first()
        return desk

    yield make
    for desk in made:
        desk.close()


class Webhook:
    def __init__(self) -> None:
        self.got: list[dict] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.token = "".join(["se", "cret", "-path"])
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/{self.token}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.got]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def template_playbook() -> str:
    return resources.files("ecluse.demo").joinpath("template/playbooks/release.md").read_text(encoding="utf-8")


@pytest.fixture
def make_yard(tmp_path: Path) -> Iterator[Callable[..., Yard]]:
    """Makes yards with a policy of the test's own; whatever they started is ended afterwards."""
    made: list[Yard] = []

    def make(**policy: Any) -> Yard:
        yard = Yard(tmp_path / f"yard{len(made)}", **policy)
        made.append(yard)
        yard.make_first()
        return yard

    yield make
    for yard in made:
        yard.close()


@pytest.fixture
def yard(make_yard: Callable[..., Yard]) -> Yard:
    return make_yard()
