"""kill -9 at random moments of export, import, land and release: nothing is lost, nothing happens twice.

``make crash N=200`` kills 200 times. Each scenario takes one change from its bundle to a running release while the
command that drives it is killed again and again and typed again, as a person would.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import http, process, signing
from ecluse.demo import changes, template
from ecluse.files import FileLock
from ecluse.history import History
from ecluse.model import (
    Change,
    ChangeState,
    Deployment,
    DeploymentState,
    Gate,
    GateState,
    Landing,
    LandingState,
    Release,
    ReleaseState,
)

KILLS = int(os.environ.get("ECLUSE_CRASH_ROUNDS", "20"))
KILLS_A_SCENARIO = 10
EXPORT_KILLS, LAND_KILLS = 3, 3
SCENARIOS = max(1, -(-KILLS // KILLS_A_SCENARIO))
SEED = int(os.environ.get("ECLUSE_TEST_SEED", "20251110"))

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(not signing.available(), reason="ssh-keygen is needed to answer the gate without a terminal"),
]


class Scenario:
    """One repository with a bundle to bring in, a person's uncommitted work, and a key to answer the gate."""

    def __init__(self, folder: Path, cli: Any, dice: random.Random) -> None:
        self.folder, self.cli, self.dice = folder, cli, dice
        self.at = folder / "repo"
        self.key = folder / "key"
        self.starter = folder / "starter"
        self.sandbox = folder / "sandbox"
        self.out = folder / "out"
        self.bundle = folder / "not yet exported"
        self.kills = 0
        self.moments: list[str] = []

    def prepare(self) -> None:
        template.write(self.at)
        page = self.at / "playbooks" / "release.md"
        page.write_text(page.read_text().replace("window=3", "window=1"))
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "feat: first")
        self.cli("init", "--trust", "all", cwd=self.at)
        port = http.free_port()
        command = json.dumps([sys.executable, "-m", "service.app", "--port", str(port)])
        with (self.at / "ecluse.toml").open("a") as policy:
            policy.write(
                f'\n[environments.production]\npath = "{self.folder}/production"\ncommand = {command}\nurl = "http://127.0.0.1:{port}"\nproduction = true\n'
            )
        self.url = f"http://127.0.0.1:{port}"
        self.cli("keys", "make", "marie", "--role", "human", "--key", str(self.key), cwd=self.at)
        self.cli("keys", "make", "starter", "--role", "agent", "--key", str(self.starter), cwd=self.at)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "chore: policy")
        self._work_in_a_sandbox()
        (self.at / "README.md").write_text("my own words, not committed\n")
        (self.at / "staged.txt").write_text("staged\n")
        self.git("add", "staged.txt")
        (self.at / "notes.txt").write_text("untracked\n")
        self.mine = self.git("status", "--porcelain")

    def _work_in_a_sandbox(self) -> None:
        sandbox = self.sandbox
        subprocess.run(["git", "clone", "-q", str(self.at), str(sandbox)], check=True)
        work = changes.good_change(sandbox)
        for step in work.commits:
            changes.write_files(sandbox, step.files)
            subprocess.run(["git", "-C", str(sandbox), "add", "-A"], check=True)
            subprocess.run(["git", "-C", str(sandbox), "commit", "-q", "-m", step.message], check=True)

    def export(self, kills: int) -> None:
        """Hand the work over while the export is killed again and again; then once more, to its end."""
        words = ("export", "--agent", "agent-1", "--to", str(self.out))
        before = self.lying_in_the_sandbox()
        wanted = self.kills + kills
        while self.kills < wanted:
            self.killed(*words, within_s=0.8, cwd=self.sandbox)
        said = self.cli(*words, "--json", cwd=self.sandbox).json
        self.bundle, self.head = Path(said["path"]), said["head"]
        assert self.lying_in_the_sandbox() == before

    def lying_in_the_sandbox(self) -> list[str]:
        return [
            subprocess.run(["git", "-C", str(self.sandbox), *words], capture_output=True, check=True).stdout.decode()
            for words in (["status", "--porcelain"], ["for-each-ref"], ["rev-parse", "HEAD"], ["ls-files", "-s"])
        ]

    def git(self, *words: str) -> str:
        return (
            subprocess.run(["git", *words], cwd=self.at, capture_output=True, check=True).stdout.decode().rstrip("\n")
        )

    def killed(self, *words: str, within_s: float, cwd: Path | None = None) -> int | None:
        """Start a command and kill it at a random moment; its exit status if it was faster."""
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", "ecluse", *words], cwd=cwd or self.at, env=self.cli.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        moment = self.dice.uniform(0.02, within_s)
        try:
            _, err = started.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            started.send_signal(signal.SIGKILL)
            started.communicate()
            self.kills += 1
            self.moments.append(f"{words[0]} {words[1][-12:]} after {moment:.2f} s")
            return None
        assert b"Traceback" not in err, err.decode()
        return started.returncode

    def history(self) -> History:
        return History.open(self.at / ".git" / "ecluse", create=True)

    def unfinished(self) -> str:
        with self.history() as history:
            return next((one.id for one in history.find(Release) if not one.state.is_terminal), "")

    def land(self, kills: int) -> None:
        """Bring the bundle in and land it; when it is landed already, the rest of the kills hit the same words again."""
        words = ("import", str(self.bundle), "--land", "--no-input")
        wanted = self.kills + kills
        while self.kills < wanted:
            self.killed(*words, within_s=0.25 if self.landed() else 2.5)
        self.cli(*words, cwd=self.at)

    def landed(self) -> bool:
        with self.history() as history:
            return bool(history.find(Change, state=ChangeState.LANDED))

    def release(self, kills: int) -> None:
        """Start once, then go on however far it came, until it is over."""
        wanted = self.kills + kills
        patience = 20
        while not self.is_released():
            words = self._next_words(self.unfinished())
            if self.kills < wanted:
                self.killed(*words, within_s=2.0)
                continue
            patience -= 1
            said = self.cli(*words, cwd=self.at, expect=None)
            assert said.code in (0, 3) and patience, f"{words}: {said}\n{self.cli('release', 'status', cwd=self.at)}"
        self.land(wanted - self.kills)

    def is_released(self) -> bool:
        with self.history() as history:
            found = history.find(Release)
        return bool(found) and all(one.state.is_terminal for one in found)

    def _next_words(self, standing: str) -> tuple[str, ...]:
        if not standing:
            return ("release", "start", "--no-input", "--starter-key", str(self.starter))
        with self.history() as history:
            asked = history.find(Gate, release=standing, state=GateState.OPEN)
        if asked:
            return ("release", "approve", standing, "--key", str(self.key), "--no-input")
        return ("release", "status", standing, "--follow", "--no-input")

    def stop(self) -> None:
        for folder in (self.folder / "production" / "service").glob("*"):
            process.cancel_job(folder)


@pytest.mark.parametrize("number", range(SCENARIOS))
def test_killed_at_random_moments(cli: Any, tmp_path: Path, number: int) -> None:
    print(f"seed {SEED}:{number}")
    scenario = Scenario(tmp_path, cli, random.Random(f"{SEED}:{number}"))
    scenario.prepare()
    try:
        scenario.export(EXPORT_KILLS)
        check_exported_whole(scenario)
        scenario.land(LAND_KILLS)
        check_landed_once(scenario)
        scenario.release(KILLS_A_SCENARIO - EXPORT_KILLS - LAND_KILLS)
        check_released_once(scenario)
        check_nothing_of_mine_touched(scenario)
        check_nothing_stuck(scenario)
    finally:
        print(f"{scenario.kills} kills: {'; '.join(scenario.moments)}")
        scenario.stop()


def check_landed_once(scenario: Scenario) -> None:
    with scenario.history() as history:
        (change,) = history.find(Change)
        assert change.state is ChangeState.LANDED
        assert len(history.events(kind="landing.landed", limit=100)) == 1
        (landing,) = history.find(Landing, state=LandingState.LANDED)
        assert (
            scenario.git("rev-parse", f"{landing.candidate}^{{tree}}")
            == landing.tree
            == scenario.git("rev-parse", "main^{tree}")
        )
        stored = [
            path.read_bytes() for path in (scenario.at / ".git" / "ecluse" / "inbox").rglob("*") if path.is_file()
        ]
        (landed_head,) = {landing.candidate for landing in history.find(Landing, state=LandingState.LANDED)}
        assert scenario.git("merge-base", "--is-ancestor", scenario.head, landed_head) == ""
        for path in (scenario.bundle, *(scenario.out / name for name in payloads(scenario.bundle))):
            assert path.read_bytes() in stored, f"{path.name} is kept"


def payloads(manifest: Path) -> dict[str, str]:
    """Name and digest of everything that a manifest names."""
    return {one["name"]: one["sha256"] for one in json.loads(manifest.read_bytes())["payloads"]}


def check_exported_whole(scenario: Scenario) -> None:
    """Whatever manifest there is, what it names is there and whole, holds all the work, and no number came twice."""
    manifests = sorted(scenario.out.glob("*.json"))
    assert scenario.bundle in manifests
    said = [json.loads(path.read_bytes()) for path in manifests]
    for manifest, one in zip(manifests, said, strict=True):
        assert one["head"]["commit"] == scenario.head
        for name, digest in payloads(manifest).items():
            assert hashlib.sha256((scenario.out / name).read_bytes()).hexdigest() == digest, name
    numbers = [one["change"]["revision"] for one in said]
    assert len(set(numbers)) == len(numbers)
    assert len({one["change"]["id"] for one in said}) == 1


def check_released_once(scenario: Scenario) -> None:
    with scenario.history() as history:
        (release,) = history.find(Release)
        assert release.state is ReleaseState.DONE, release.reason
        (deployment,) = history.find(Deployment)
        assert deployment.state is DeploymentState.LIVE
        announced = [e for e in history.events(kind="effect.begun", limit=1000) if "announcement" in json.dumps(e.data)]
        assert len(announced) <= 1
        for landed in {e.subject for e in history.events(kind="landing.landed", limit=100)}:
            assert len(history.events(subject=landed, kind="landing.landed")) == 1
    assert scenario.git("tag", "--list").split() == [f"v{release.version}"]
    assert scenario.git("rev-parse", f"v{release.version}^{{commit}}") == scenario.git("rev-parse", "main")
    answer = json.loads(http.request(f"{scenario.url}/health").body)
    assert answer == {"status": "ok", "version": release.version}
    running = [
        f
        for f in (scenario.folder / "production" / "service").glob("*")
        if process.job_status(f).state is process.JobState.RUNNING
    ]
    assert len(running) == 1
    assert (
        scenario.git("log", "--format=%s", "main").split("\n").count(f"docs(changelog): release v{release.version}")
        == 1
    )


def check_nothing_of_mine_touched(scenario: Scenario) -> None:
    assert (scenario.at / "README.md").read_text() == "my own words, not committed\n"
    assert (scenario.at / "staged.txt").read_text() == "staged\n"
    assert (scenario.at / "notes.txt").read_text() == "untracked\n"
    assert scenario.git("status", "--porcelain") == scenario.mine


def check_nothing_stuck(scenario: Scenario) -> None:
    lock = FileLock(scenario.at / ".git" / "ecluse" / "line.lock")
    assert lock.acquire()
    lock.release()
    assert not list((scenario.at / ".git").rglob("*.lock")) or {
        p.name for p in (scenario.at / ".git").rglob("*.lock")
    } == {"line.lock"}
    scenario.cli("doctor", cwd=scenario.at)
