"""The play: three sandboxed agents, one repository, one good release and one that is rolled back by itself.

Everything is done by the commands that a user would type, run for real and shown as they are run.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from ecluse import http, process, signing
from ecluse.demo import changes, template
from ecluse.demo.stage import Stage
from ecluse.errors import Failed
from ecluse.history import History
from ecluse.model import Deployment, DeploymentState

SCENES = 12
PERSON = "marie"


@dataclass(frozen=True, slots=True)
class House:
    """Where the demo's parts lie, all below one folder."""

    folder: Path

    @property
    def repository(self) -> Path:
        return self.folder / "locks"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def target(self) -> Path:
        return self.folder / "production"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def key(self) -> Path:
        return self.home / ".ssh" / f"ecluse-{PERSON}"

    def sandbox(self, agent: str) -> Path:
        return self.folder / "sandboxes" / agent


def play(house: House, stage: Stage, *, keep_running: bool) -> None:
    """Run the whole demo in ``house.folder``. Raises :class:`Failed` when anything goes other than it should."""
    try:
        _prepare(house, stage)
        _agents(house, stage)
        broken = _imports(house, stage)
        _second_thoughts(house, stage, broken)
        address = _first_release(house, stage)
        _second_release(house, stage, address)
        _ending(house, stage)
    finally:
        if not keep_running:
            stop_services(house)


def stop_services(house: House) -> None:
    """End whatever the demo deployed and still runs."""
    for folder in sorted((house.target / "service").glob("*")):
        process.cancel_job(folder)


def _prepare(house: House, stage: Stage) -> None:
    stage.scene("A repository with a small HTTP service, its tests, a workflow and a playbook")
    house.home.mkdir(parents=True)
    house.outbox.mkdir()
    template.write(house.repository)
    port = http.free_port()
    at = house.repository
    stage.run("git", "init", "-q", "-b", "main", cwd=at)
    stage.run("git", "config", "user.name", "Marie (demo)", cwd=at)
    stage.run("git", "config", "user.email", "marie@demo.invalid", cwd=at)
    stage.run("git", "add", "-A", cwd=at)
    stage.run("git", "commit", "-q", "-m", "feat: a service that plans the passage through a lock", cwd=at)

    stage.scene("ecluse init: policy, history, and where the service goes live")
    words = ["ecluse", "init", "--trust", "all"]
    if not signing.available():
        stage.note("ssh-keygen is not on this machine, so the person's answers are typed instead of signed (--solo)")
        words.append("--solo")
    stage.run(*words, cwd=at, quiet=True)
    policy = at / "ecluse.toml"
    text = policy.read_text(encoding="utf-8") + _environment(house, port)
    policy.write_text(text if signing.available() else f"play = true\n{text}", encoding="utf-8")
    stage.note(
        f"added [environments.production] to ecluse.toml: a folder, a service, its address http://127.0.0.1:{port}"
    )
    if signing.available():
        stage.run("ecluse", "keys", "make", PERSON, "--role", "human", "--key", str(house.key), cwd=at)
        stage.run("ecluse", "keys", "make", "release-agent", "--role", "agent", "--key", _starter(house), cwd=at)
    stage.run("git", "add", "-A", cwd=at)
    stage.run("git", "commit", "-q", "-m", "chore: carry changes with Écluse", cwd=at)


def _environment(house: House, port: int) -> str:
    command = json.dumps([sys.executable, "-m", "service.app", "--port", str(port)])
    return f"""
[environments.production]
method = "folder"
path = {json.dumps(str(house.target))}
command = {command}
url = "http://127.0.0.1:{port}"
health = "/health"
health_timeout_s = 6.0
production = true
smoke = [
    {{ request = "GET /locks?from=3&to=7", expect = 200, contains = "minutes" }},
    {{ request = "GET /nothing", expect = 404 }},
]
"""


def _agents(house: House, stage: Stage) -> None:
    stage.scene("Three agents in sandboxes: clones without remote, without identity, without push right")
    for agent in ("agent-1", "agent-2", "agent-3"):
        _sandbox(house, stage, agent)

    stage.scene("agent-1: a feature, a fix and a page it never committed, handed over as one bundle")
    _work(house, stage, "agent-1", changes.good_change(house.sandbox("agent-1")))
    _export(house, stage, "agent-1")

    stage.scene("agent-2: a tidy edit that breaks a test")
    _work(house, stage, "agent-2", changes.breaking_change(house.sandbox("agent-2")))
    _export(house, stage, "agent-2")

    stage.scene("agent-3: a secret in its settings; export refuses, so it is handed over by plain git behind our back")
    work = changes.leaking_change(house.sandbox("agent-3"))
    _work(house, stage, "agent-3", work)
    _export(house, stage, "agent-3", expect=4)
    bundle = house.outbox / "agent-3.bundle"
    stage.run("git", "bundle", "create", "-q", str(bundle), "main~1..main", cwd=house.sandbox("agent-3"))


def _sandbox(house: House, stage: Stage, agent: str) -> None:
    folder = house.sandbox(agent)
    folder.parent.mkdir(exist_ok=True)
    stage.run("git", "clone", "-q", str(house.repository), str(folder), cwd=house.folder)
    stage.run("git", "-C", str(folder), "remote", "remove", "origin", cwd=house.folder)


def _work(house: House, stage: Stage, agent: str, work: changes.Work) -> None:
    """What an agent does in its sandbox: it edits, it commits, and some of it it forgets to commit."""
    folder = house.sandbox(agent)
    who = ["-c", f"user.name={agent}", "-c", f"user.email={agent}@sandbox.invalid"]
    for step in work.commits:
        changes.write_files(folder, step.files)
        stage.note(f"{agent} writes {', '.join(step.files)}")
        stage.run("git", "add", "-A", cwd=folder)
        title = step.message.partition("\n")[0]
        shown = f"git commit -q -m {shlex.quote(title)}"
        stage.run("git", *who, "commit", "-q", "-m", step.message, cwd=folder, shown=shown)
    changes.write_files(folder, work.untracked)
    if work.untracked:
        stage.note(f"{agent} writes {', '.join(work.untracked)} and does not commit it")
    (house.outbox / f"{agent}.note").write_text(work.note + "\n", encoding="utf-8")


def _export(house: House, stage: Stage, agent: str, expect: int = 0) -> None:
    to = house.outbox / f"{agent}.tar"
    note = house.outbox / f"{agent}.note"
    words = ("ecluse", "export", "--agent", agent, "--note", str(note), "--to", str(to))
    stage.run(*words, cwd=house.sandbox(agent), expect=expect)


def _imports(house: House, stage: Stage) -> str:
    at = house.repository
    stage.scene(
        "Intake: each bundle is verified, judged and applied in a temporary clone; the good one goes on to land"
    )
    good = house.outbox / "agent-1.tar"
    broken = house.outbox / "agent-2.tar"
    stage.run("ecluse", "import", str(good), "--land", "--no-input", cwd=at)
    stage.run("git", "log", "--oneline", "-4", cwd=at)
    stage.run("ecluse", "import", str(broken), "--no-input", cwd=at)
    stage.run("ecluse", "import", str(house.outbox / "agent-3.bundle"), "--no-input", cwd=at, expect=4)
    return _change_ids(house)["agent-2"]


def _change_ids(house: House) -> dict[str, str]:
    from ecluse.git import Repository
    from ecluse.model import Change

    with History.open(Repository.discover(house.repository).state_dir) as history:
        return {change.agent: change.key for change in history.find(Change)}


def _second_thoughts(house: House, stage: Stage, broken: str) -> None:
    at = house.repository
    stage.scene("Landing the other one: its test fails on the candidate, so it stays out and main stays green")
    stage.run("ecluse", "land", broken, "--no-input", cwd=at, expect=5)
    stage.note("the same engine by hand, on what is checked out:")
    stage.run("ecluse", "run", "--event", "push", cwd=at)


def _first_release(house: House, stage: Stage) -> str:
    at = house.repository
    stage.scene("The first release: version, changelog, a human gate, tag, deploy, health, smoke, watch, announcement")
    how = f"this demo made {PERSON}'s key and plays" if signing.available() else f"this demo plays {PERSON} as"
    stage.note(f"{how} that person at the gate; the history says so (played)")
    stage.run(*_release_words(house), cwd=at)
    address = _address(house)
    answer = http.request(f"{address}/health")
    stage.note(f"GET {address}/health answers {answer.status} {answer.text().strip()}")
    return address


def _release_words(house: House) -> list[str]:
    words = ["ecluse", "release", "start", "release", "--play", PERSON]
    return [*words, "--key", str(house.key), "--starter-key", _starter(house)] if signing.available() else words


def _starter(house: House) -> str:
    """The key of the agent that starts releases: nobody approves what they started."""
    return str(house.key.with_name("release-agent"))


def _second_release(house: House, stage: Stage, address: str) -> None:
    at = house.repository
    before = http.request(f"{address}/health").text().strip()
    stage.scene("agent-4: all tests pass, but the service is ill once it is really deployed")
    _sandbox(house, stage, "agent-4")
    _work(house, stage, "agent-4", changes.unhealthy_change(house.sandbox("agent-4")))
    _export(house, stage, "agent-4")
    stage.run("ecluse", "import", str(house.outbox / "agent-4.tar"), "--land", "--no-input", cwd=at)

    stage.scene("The second release: its health check fails, and it is rolled back by itself")
    stage.run(*_release_words(house), cwd=at, expect=1)
    after = http.request(f"{address}/health").text().strip()
    if after != before:
        raise Failed(
            "demo.rollback",
            f"{address}/health answers {after}, before the release it was {before}.",
            "ecluse release status",
        )
    stage.note(f"GET {address}/health answers {after}: the version before the release")


def _address(house: House) -> str:
    from ecluse.git import Repository
    from ecluse.trunk import open_trunk

    return open_trunk(Repository.discover(house.repository)).config.environments["production"].url


def _ending(house: House, stage: Stage) -> None:
    at = house.repository
    stage.scene("All that happened is one history")
    stage.run("ecluse", "history", "list", "--brief", "--limit", "200", cwd=at)
    stage.run("ecluse", "history", "search", "secret", cwd=at)
    stage.run("ecluse", "status", cwd=at)


def live_version(house: House) -> str:
    """The version that the history says is live in production; empty when none is."""
    from ecluse.git import Repository

    with History.open(Repository.discover(house.repository).state_dir) as history:
        live = history.find(Deployment, state=DeploymentState.LIVE)
    return live[-1].version if live else ""
