"""``kill -9`` at chosen and at random points of a release: afterwards every effect is there exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecluse import release
from ecluse.history import wakes
from ecluse.model import Change, Deployment, DeploymentState, Gate, GateState, Landing, ReleaseState
from ecluse.release import holds

KILLS = int(os.environ.get("ECLUSE_CRASH_ROUNDS", "20"))
KILLS_EACH = 5
DRIVER = Path(__file__).with_name("driver.py")
BEFORE_GATE = ["2.changelog.write.commit"]
AFTER_GATE = [
    "6.git.tag",
    "7.deploy.folder.fill",
    "7.deploy.folder.stop",
    "7.deploy.folder.switch",
    "7.deploy.folder.start",
    "10.watch.1",
    "11.notify",
]


def drive(yard, release_id: str, *kill: str, wait: bool = True) -> subprocess.Popen[str]:
    words = [sys.executable, str(DRIVER), str(yard.folder), release_id, *kill]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if wait:
        out, err = child.communicate(timeout=120)
        assert child.returncode in (0, -signal.SIGKILL), out + err
    return child


def assert_once(yard, release_id: str) -> None:
    """The release is done, and nothing of it is there twice."""
    done = yard.get(release_id)
    assert done.state is ReleaseState.DONE, done.reason
    assert yard.git("tag").split() == ["v0.1.0", "v0.2.0"]
    assert yard.git("rev-parse", "v0.2.0^{commit}") == done.commit == yard.git("rev-parse", "main")
    made = yard.history.find(Deployment, release=release_id)
    assert [d.state for d in made] == [DeploymentState.LIVE]
    assert yard.history.count(Deployment, state=DeploymentState.LIVE) == 1
    assert len(yard.history.find(Gate, release=release_id)) == 1
    assert len(yard.history.find(Landing, parent=done.subject)) == 1
    assert yard.history.count(Change) == 2
    subjects = yard.git("log", "--format=%s", "v0.1.0..main").split("\n")
    assert subjects == ["docs(changelog): release v0.2.0", "feat: more"]
    assert yard.services() == [f"{release_id}-1"]
    kinds = yard.kinds(release_id)
    assert kinds.count("release.done") == 1
    steps = [e.data["step"] for e in yard.history.events(subject=done.subject, kind="release.step_done", limit=1000)]
    assert steps == list(range(1, 13))
    assert yard.ask()[1]["version"] == "0.2.0"
    assert yard.git("status", "--porcelain") == "?? mine.txt" and (yard.folder / "mine.txt").read_text() == "mine"


def prepare(yard) -> str:
    assert yard.release().state is ReleaseState.DONE
    yard.commit("feat: more", more_dot_txt="x")
    yard.write("mine.txt", "mine")
    return yard.start()


@pytest.mark.parametrize("moment", ["begun", "done", "recorded"])
def test_killed_at_every_effect_in_turn_the_release_is_whole_in_the_end(yard, moment):
    release_id = prepare(yard)
    for effect in BEFORE_GATE:
        assert drive(yard, release_id, moment, effect).returncode == -signal.SIGKILL, effect
    assert drive(yard, release_id).returncode == 0
    yard.approve(release_id)
    for effect in AFTER_GATE:
        assert drive(yard, release_id, moment, effect).returncode == -signal.SIGKILL, effect
    assert drive(yard, release_id).returncode == 0
    assert_once(yard, release_id)


@pytest.mark.crash
def test_killed_at_random_moments_every_effect_is_there_once_or_the_release_asks(make_yard, webhook, dice):
    """Whole releases, killed again and again; messages are counted where they arrive."""
    yard = make_yard(webhook=webhook.url)
    kills = done = 0
    while kills < KILLS:
        yard.commit(f"feat: number {done}")
        release_id = yard.start()
        for _ in range(min(KILLS_EACH, KILLS - kills)):
            child = drive(yard, release_id, wait=False)
            time.sleep(dice.uniform(0.3, 1.5))
            child.send_signal(signal.SIGKILL)
            out, err = child.communicate()
            assert child.returncode in (0, -signal.SIGKILL), out + err  # a driver that fails by itself kills nothing
            kills += 1
            people_do(yard, release_id, webhook)
        deadline = time.monotonic() + 120
        while not yard.get(release_id).state.is_terminal:
            assert time.monotonic() < deadline, yard.get(release_id)
            yard.drive(release_id)
            people_do(yard, release_id, webhook)
        done += 1
        assert_whole(yard, release_id, webhook, done)
    print(f"{kills} kills in {done} releases")


def people_do(yard, release_id: str, webhook) -> None:
    """Answer a gate that is open; where the release asks what became of a message, look whether it arrived."""
    found = yard.get(release_id)
    if yard.history.find(Gate, release=release_id, state=GateState.OPEN):
        yard.approve(release_id)
    elif found.state is ReleaseState.ASKING:
        for step in release.status(yard.history, release_id)["questions"]:
            number = {"11.notify": 1, "12.notify": 2}[step]
            release.settle(yard.history, release_id, step, announced(webhook, release_id) >= number, who="Ada")


def announced(webhook, release_id: str) -> int:
    """How many announcements of this release have arrived."""
    return sum(m["kind"] == "release.announced" and m["data"]["release"] == release_id for m in webhook.got)


def assert_whole(yard, release_id: str, webhook, done: int) -> None:
    """The release is done: its tag, its deployment, its messages are there, each once, and nobody holds a lock."""
    over = yard.get(release_id)
    assert over.state is ReleaseState.DONE, over.reason
    assert yard.git("rev-parse", f"v{over.version}^{{commit}}") == over.commit == yard.git("rev-parse", "main")
    assert len(yard.git("tag").split()) == done
    made = yard.history.find(Deployment, release=release_id)
    assert [one.state for one in made] == [DeploymentState.LIVE]
    assert yard.history.count(Deployment, state=DeploymentState.LIVE) == 1
    assert announced(webhook, release_id) == 2
    assert yard.services() == [f"{release_id}-1"] and yard.ask()[1]["version"] == over.version
    assert yard.git("log", "--format=%s", "main").split("\n").count(f"docs(changelog): release v{over.version}") == 1
    assert holds.lock_of(yard.history, "production") is None and wakes.all_wakes(yard.history) == {}
    assert list((yard.folder / ".git").rglob("*.lock")) == []


@pytest.mark.parametrize("moment", ["begun", "done", "recorded"])
def test_killed_on_the_way_back_the_previous_version_answers_in_the_end(make_yard, moment):
    yard = make_yard()
    first = yard.release()
    broken = (yard.folder / "service.py").read_text().replace("SAYING, FLAG = 200", "SAYING, FLAG = 503")
    yard.commit("feat: broken", service_dot_py=broken, ecluse_dot_toml=yard.little_patience())
    second = yard.start()
    yard.drive(second)
    yard.approve(second)
    for effect in ("rollback.stop", "rollback.switch", "rollback.start"):
        assert drive(yard, second, moment, effect).returncode == -signal.SIGKILL, effect
    assert drive(yard, second).returncode == 0
    over = yard.get(second)
    assert over.state is ReleaseState.ROLLED_BACK, over.reason
    assert yard.ask()[1]["version"] == "0.1.0"
    assert yard.services() == [f"{second}-2"]
    assert yard.kinds(second).count("release.rolled_back") == 1
    live = yard.history.find(Deployment, state=DeploymentState.LIVE)
    assert [d.release for d in live] == [first.id]


def test_a_watch_that_is_killed_itself_is_begun_anew(make_yard):
    from ecluse import process

    yard = make_yard()
    release_id = prepare(yard)
    yard.drive(release_id)
    yard.approve(release_id)
    jobs = yard.repository.state_dir / "releases" / release_id
    yard.drive(release_id, until=lambda r: r.position == 9 and (jobs / "10.watch-1" / "job.json").exists())
    process.cancel_job(jobs / "10.watch-1", grace_s=0)
    yard.drive(release_id)
    assert sorted(f.name for f in jobs.iterdir()) == ["10.watch-1", "10.watch-2"]
    assert_once(yard, release_id)
