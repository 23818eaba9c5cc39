"""``kill -9`` at chosen and at random points of a release: afterwards every effect is there exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecluse.model import Change, Deployment, DeploymentState, Gate, GateState, Landing, ReleaseState

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
def test_killed_at_random_moments_the_release_is_whole_in_the_end(yard, dice):
    release_id = prepare(yard)
    for _ in range(12):
        child = drive(yard, release_id, wait=False)
        time.sleep(dice.uniform(0.15, 0.9))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        if yard.history.find(Gate, state=GateState.OPEN):
            yard.approve(release_id)
    yard.drive(release_id)
    if yard.history.find(Gate, state=GateState.OPEN):
        yard.approve(release_id)
        yard.drive(release_id)
    assert_once(yard, release_id)


@pytest.mark.parametrize("moment", ["begun", "done", "recorded"])
def test_killed_on_the_way_back_the_previous_version_answers_in_the_end(make_yard, moment):
    yard = make_yard(timeout=2.0)
    first = yard.release()
    broken = (yard.folder / "service.py").read_text().replace("SAYING, FLAG = 200", "SAYING, FLAG = 503")
    yard.commit("feat: broken", service_dot_py=broken)
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
