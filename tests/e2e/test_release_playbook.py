"""The release playbook, all twelve steps on real parts, and every row of its rollback table.

A real sshd on loopback is the host of production, the service there is a real process with its data in a real SQLite
file; the backup, the script of the smoke test, the webhook and the forge are real too. Only the host is this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecluse import http, line, release, signing
from ecluse.git import Repository
from ecluse.history import History, wakes
from ecluse.model import Deployment, DeploymentState, Release, ReleaseState, Role

HOUSE = Path(__file__).with_name("house")
"""What is released and how: the service, its scripts, its workflows and the two pages."""
SERVICE, HOTFIX = ((HOUSE / name).read_text(encoding="utf-8") for name in ("service.py", "hotfix.md"))


class Inbox:
    """A webhook and a forge's releases on loopback; keeps what it was sent."""

    def __init__(self, answering: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        self.notes: dict[str, dict[str, Any]] = {}
        self.url: str = answering(self.say)

    def say(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if method == "GET":
            made = self.notes.get(path.rpartition("/")[2])
            return (200 if made else 404), json.dumps(made or {"message": "Not Found"}).encode()
        document = json.loads(body)
        if path == "/hook":
            self.messages.append(document)
            return 200, b"{}"
        assert headers["Authorization"].startswith("Bearer ")
        self.notes[document["tag_name"]] = {**document, "id": 1, "html_url": "https://forge.example/v"}
        return 201, json.dumps(self.notes[document["tag_name"]]).encode()


def text(name: str) -> str:
    """One of the house's files."""
    return (HOUSE / name).read_text(encoding="utf-8")


class House:
    """A team's repository, its production host, and short words for what the tests do."""

    def __init__(self, folder: Path, cli: Any, host: str, config: Path | str, root: Path, inbox: Inbox) -> None:
        self.folder, self.cli, self.host, self.config, self.root = folder / "work", cli, host, config, root
        self.inbox, self.port, self.key = inbox, http.free_port(), folder / "keys" / "yan"
        self.starter = self.key.with_name("corentin")
        self.backups, self.secret = root.parent / "backups", f"t-{os.urandom(9).hex()}"
        self.cli.env["FORGE_TOKEN"] = self.secret
        self.cli.env["PATH"] = f"{Path(sys.executable).parent}:{self.cli.env['PATH']}"
        for place in (self.folder, root, self.backups):
            place.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "--bare", str(folder / "origin.git")], check=True)
        self.git("init", "-q", "-b", "main", ".")
        self.git("remote", "add", "origin", str(folder / "origin.git"))
        self.origin = folder / "origin.git"
        with closing(sqlite3.connect(root / "app.db")) as base:
            base.execute("CREATE TABLE people (name)")
            base.executemany("INSERT INTO people VALUES (?)", [(f"p{n}",) for n in range(40)])
            base.commit()
        shutil.copy(HOUSE / "copy_data.py", root / "copy.py")
        self.begin()

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_dot_", ".").replace("_dash_", "-")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def begin(self) -> None:
        History.open(Repository.discover(self.folder).state_dir, create=True).close()
        signers = ""
        for key in (self.key, self.starter):
            principal = signing.Principal(key.name, Role.HUMAN, signing.make_key(key, key.name))
            signers += signing.signer_line(principal)
        python, port = sys.executable, str(self.port)
        self.commit(
            "feat: people",
            service_dot_py=SERVICE,
            restart_dot_sh=text("restart.sh").replace("PYTHON", python).replace("PORT", port),
            scripts__smoke_dash_test_dot_sh=text("smoke-test.sh").replace("PYTHON", python),
            ecluse_dot_toml=self.policy(),
            playbooks__release_dot_md=text("release.md").replace("WINDOW", "0.6"),
            playbooks__hotfix_dot_md=HOTFIX.replace("WINDOW", "0.4"),
            _dot_github__workflows__ci_dot_yml=text("ci.yml"),
            _dot_github__workflows__e2e_dot_yml=text("e2e.yml"),
            _dot_ecluse__allowed_signers=signers,
            CHANGELOG_dot_md="# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A page that counts people, written by hand.\n",
        )
        command = f"{python} {self.root / 'copy.py'} make {self.root / 'app.db'}"
        env = {**os.environ, "ECLUSE_BACKUP": str(self.backups / "app-nightly.db")}
        subprocess.run(command.split(), env=env, check=True)  # what the nightly job of the host has left

    def policy(self) -> str:
        copy = f"{sys.executable} {self.root / 'copy.py'}"
        backup = "\n".join(f"{v} = '{copy} {v} {self.root / 'app.db'}'" for v in ("make", "restore", "count", "test"))
        return f"""
[notify]
webhook = "{self.inbox.url}/hook"
events = ["release.done", "release.rolled_back"]
[forge]
kind = "github"
url = "{self.inbox.url}"
project = "team/app"
token = "FORGE_TOKEN"
[environments.production]
production = true
path = "{self.root}"
hosts = ["{self.host}"]
ssh_config = "{self.config}"
url = "http://127.0.0.1:{self.port}"
health_timeout_s = 4.0
secrets = ["APP_TOKEN"]
smoke = [{{ request = "GET /people", contains = "people" }}]
[environments.production.commands]
restart = "sh ./restart.sh"
stop = "kill $(cat service.pid)"
logs = "cat {self.root}/access.log"
apply = "cat > {self.root}/token"
access = "echo yan logged in from 192.0.2.7"
[environments.production.watch]
errors = " 500$"
max_error_rate = 20.0
[environments.production.backup]
folder = "{self.backups}"
files = "app-*.db"
{backup}
"""

    # -- what people do ------------------------------------------------------------------------------------------

    def release(self) -> dict[str, Any]:
        """A whole release from the command line: started by one person, answered at its four gates by another."""
        words = ("release", "start", "release", "--starter-key", str(self.starter))
        self.cli(*words, "--json", cwd=self.folder, expect=3)
        for gate, answer in (("staging", "OK"), ("tag", "release"), ("production", "approve"), ("watch", "OK")):
            checked = ("--checked", "all") if gate == "staging" else ()
            words = ("release", "approve", "--gate", gate, "--answer", answer, "--key", str(self.key), "--why", "seen")
            said = self.cli(*words, *checked, "--json", cwd=self.folder, expect=None)
            assert said.code in (0, 3), str(said)
        with self.opened() as (_, history):
            return release.status(history, history.find(Release, newest_first=True, limit=1)[0].id)

    def hotfix(self) -> Release:
        """A release by the short page, in this process; approved by another person than the one who starts it."""
        with self.opened() as (repository, history):
            started = release.start(
                repository, history, playbook="hotfix", starter="corentin", starter_key=self.starter
            )
        self.drive(started.id)
        self.approve(started.id, "production")
        return self.drive(started.id)

    def by_hand(self, row: str) -> str:
        """Somebody asks for a row of the table; returns the release that is meant."""
        with self.opened() as (_, history):
            live = history.find(Deployment, state=DeploymentState.LIVE)[0]
            release.rollback(history, live.release, who="corentin", why=f"{row} it is", row=row)
        return live.release

    def approve(self, release_id: str, gate: str) -> None:
        with self.opened() as (repository, history):
            words: dict[str, Any] = {"who": "yan", "how": "key", "why": "seen", "key": self.key}
            release.answer(repository, history, release_id, gate, "approve", **words)

    def drive(self, release_id: str) -> Release:
        """The real line until the release rests."""
        with self.opened() as (repository, history):

            def read() -> Release:
                found = history.get(Release, release_id)
                assert found is not None
                return found

            def rests() -> bool:
                due = f"release/{release_id}" in wakes.due(history)
                return read().state.is_terminal or (read().state.waits_for_person and not due)

            line.drive(repository, history, until=rests, follow=(f"release/{release_id}",))
            return read()

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[Repository, History]]:
        repository = Repository.discover(self.folder)
        with History.open(repository.state_dir) as history:
            yield repository, history

    def ask(self, path: str = "/health") -> dict[str, Any]:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer,
        ):
            found: dict[str, Any] = json.loads(answer.read())
            return found
        return {}

    def deployments(self) -> list[tuple[str, DeploymentState]]:
        with self.opened() as (_, history):
            return [(made.version, made.state) for made in history.find(Deployment)]

    def close(self) -> None:
        pid = self.root / "service.pid"
        if pid.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path, cli: Any, answering: Any) -> Iterator[House]:
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"):
        far = request.getfixturevalue("far")
        host, config, root = far.name, far.config, far.folder / "app"
    else:  # the same commands through this machine's own shell
        host, config, root = ".", "", tmp_path / "near" / "app"
    inbox = Inbox(answering)
    made = House(tmp_path, cli, host, config, root, inbox)
    yield made
    made.close()


def test_all_twelve_steps_bring_a_version_to_production(house: House) -> None:
    over = house.release()
    assert over["state"] == "done", over["reason"]
    assert {step["state"] for step in over["steps"]} == {"done"} and over["steps"][-1]["number"] == 12
    done = {step["does"]: step for step in over["steps"]}
    assert house.ask("/people")["people"] == 40 and house.ask()["version"] == "0.1.0"
    # [2] [6] the changelog landed before the tag, and the tag is at the remote
    text = house.git("show", "v0.1.0:CHANGELOG.md")
    assert "## [0.1.0]" in text and "- A page that counts people, written by hand." in text
    there = subprocess.run(["git", "rev-parse", "v0.1.0"], cwd=house.origin, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == house.git("rev-parse", "v0.1.0")
    assert house.git("log", "-1", "--format=%s", "v0.1.0") == "docs(changelog): release v0.1.0"
    # [3] the workflow ran on the commit, [5] the backup was tried and another one made
    assert "e2e" in done["ci.job"]["said"] and done["backup.restore-test"]["result"]["rows"] == {"people": 40}
    assert (house.backups / done["backup.make"]["result"]["file"]).exists()
    # [7] [8] another person approved, the files are on the host
    assert [gate["answered_by"] for gate in over["gates"]] == ["yan"] * 4
    assert (house.root / "current" / "RELEASE").read_text() == "0.1.0\n"
    # [9] [10] [11]
    assert "2 critical paths" in done["smoke"]["said"] and done["watch"]["result"]["rounds"] >= 1
    texts = [message["text"] for message in house.inbox.messages]
    assert any("Released v0.1.0. Highlights:" in text and "written by hand" in text for text in texts)
    assert "production runs 0.1.0." in texts
    assert "written by hand" in house.inbox.notes["v0.1.0"]["body"]
    assert house.secret not in json.dumps(over)


def followed_by(house: House, **files: str) -> Release:
    """A version that works goes live; another one follows that does not."""
    first = house.hotfix()
    assert first.state is ReleaseState.DONE, first.reason
    house.commit("fix: another version", **files)
    return house.hotfix()


def is_back(house: House) -> None:
    """The previous version answers over HTTP, with all of its data."""
    assert (house.ask("/people")["people"], house.ask()["version"]) == (40, "0.1.0")
    assert house.deployments() == [("0.1.0", DeploymentState.LIVE), ("0.1.1", DeploymentState.ROLLED_BACK)]


def test_row_health_fails_and_the_previous_version_answers(house: House) -> None:
    over = followed_by(house, service_dot_py=SERVICE.replace("STATUS = 200", "STATUS = 503"))
    assert over.state is ReleaseState.ROLLED_BACK and "answered 503" in over.reason, over.reason
    is_back(house)


def test_row_watch_fails_and_the_previous_version_answers(house: House) -> None:
    """The version is well when it is asked; then its log fills with errors."""
    noise = """
import threading, time
def noise():
    while True:
        time.sleep(0.1)
        open(ROOT / "access.log", "a").write("GET /orders 500\\n" * 50)
threading.Timer(1.0, noise).start()
"""
    service = SERVICE.replace("STATUS = 200\n", f"STATUS = 200\n{noise}")
    over = followed_by(house, service_dot_py=service, playbooks__hotfix_dot_md=HOTFIX.replace("WINDOW", "30"))
    assert over.state is ReleaseState.ROLLED_BACK and "log lines are errors" in over.reason, over.reason
    is_back(house)


def test_row_migration_restores_the_backup_and_the_previous_version(house: House) -> None:
    migrate = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as base:
    base.execute("DELETE FROM people WHERE rowid > 3")
"""
    over = followed_by(house, migrate_dot_py=migrate)
    assert over.state is ReleaseState.DONE and house.ask("/people")["people"] == 3, "nobody has noticed yet"
    asked = house.by_hand("migration")
    assert house.drive(asked).state is ReleaseState.WAITING
    assert house.ask("/people")["people"] == 3, "nothing is replaced before a person says so"
    house.approve(asked, "rollback")
    back = house.drive(asked)
    assert back.state is ReleaseState.ROLLED_BACK, back.reason
    is_back(house)


def test_row_credentials_renews_secrets_starts_the_same_version_and_reports(house: House) -> None:
    assert house.hotfix().state is ReleaseState.DONE
    before = house.ask()
    asked = house.by_hand("credentials")
    assert house.drive(asked).state is ReleaseState.WAITING and house.ask() == before
    house.approve(asked, "rollback")
    over = house.drive(asked)
    assert over.state is ReleaseState.DONE, over.reason
    after = house.ask()
    assert after["version"] == "0.1.0" and after["token"] != before["token"], "the same version with another secret"
    token = (house.folder / ".git/ecluse/secrets/APP_TOKEN").read_text()
    assert (house.root / "token").read_text() == token and len(token) > 40
    report = next((house.folder / ".git/ecluse/releases").glob("*/*audit.report*.md")).read_text()
    assert "yan logged in from 192.0.2.7" in report and "- yan: human" in report and token.strip() not in report
    assert house.deployments() == [("0.1.0", DeploymentState.LIVE)]
