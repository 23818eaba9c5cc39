"""Whole releases: a real repository, a real service, real HTTP."""

from __future__ import annotations

import pytest

from ecluse import release
from ecluse.errors import Refused
from ecluse.model import Change, ChangeState, Deployment, DeploymentState, Gate, Landing, ReleaseState


def test_a_release_goes_through_all_twelve_steps_and_the_service_answers(yard):
    release_id = yard.start()
    waiting = yard.drive(release_id)
    assert waiting.state is ReleaseState.WAITING and "May this version go live now?" in waiting.reason
    assert yard.ask() == (0, {}), "nothing is live before the gate"
    assert yard.git("tag") == ""
    yard.approve(release_id)
    done = yard.drive(release_id)

    assert done.state is ReleaseState.DONE, done.reason
    assert (done.version, done.previous) == ("0.1.0", "")
    status, body = yard.ask()
    assert status == 200 and body["version"] == "0.1.0"
    assert yard.git("rev-parse", "v0.1.0^{commit}") == done.commit == yard.git("rev-parse", "main")
    assert yard.git("cat-file", "-t", "v0.1.0") == "tag"
    assert yard.git("log", "-1", "--format=%s") == "docs(changelog): release v0.1.0"
    assert "- Say hello" in (yard.folder / "CHANGELOG.md").read_text()
    assert yard.git("status", "--porcelain") == ""
    (made,) = yard.history.find(Deployment)
    assert made.state is DeploymentState.LIVE and made.version == "0.1.0"
    (change,) = yard.history.find(Change)
    assert change.state is ChangeState.LANDED and change.trusted_by == f"release {release_id}"
    document = release.status(yard.history, release_id)
    assert [step["state"] for step in document["steps"]] == ["done"] * 12
    assert "0.1.0 is live" in document["steps"][10]["said"] and "Say hello" in document["steps"][10]["said"]
    (gate,) = yard.history.find(Gate)
    assert (gate.answer, gate.answered_by, gate.how) == ("approve", "Ada", "typed, solo")


def test_a_second_release_replaces_the_first_and_keeps_the_way_back(yard):
    first = yard.release()
    yard.commit("fix: greet politely", note_dot_txt="x")
    second = yard.release()
    assert second.state is ReleaseState.DONE, second.reason
    assert (second.version, second.previous) == ("0.1.1", "0.1.0")
    assert yard.ask()[1]["version"] == "0.1.1"
    assert yard.services() == [f"{second.id}-1"], "the old service was ended"
    old, new = yard.history.find(Deployment)
    assert (old.state, new.state) == (DeploymentState.REPLACED, DeploymentState.LIVE)
    assert new.previous == old.id and old.release == first.id

    release.rollback(yard.history, second.id, who="Ada", why="customers complain")
    back = yard.drive(second.id)
    assert back.state is ReleaseState.ROLLED_BACK and "customers complain" in back.reason
    assert yard.ask()[1]["version"] == "0.1.0"
    old, new = yard.history.find(Deployment)
    assert (old.state, new.state) == (DeploymentState.LIVE, DeploymentState.ROLLED_BACK)


@pytest.mark.parametrize(
    ("replace", "by", "step", "said"),
    [
        ("HEALTH, SAYING, FLAG = 200", "HEALTH, SAYING, FLAG = 503", "Ask how it is", "answered 503"),
        ('"hello"', '"goodbye"', "Try the important things", "does not hold 'hello'"),
        ('"version": VERSION', '"version": "9.9.9"', "Ask how it is", "version 9.9.9 instead of 0.2.0"),
        ("import json, os, sys", "import json, os, sys, not_there", "Ask how it is", "No module named 'not_there'"),
    ],
)
def test_an_unwell_version_is_rolled_back_by_itself_and_history_says_why(make_yard, replace, by, step, said):
    yard = make_yard()
    first = yard.release()
    source = (yard.folder / "service.py").read_text()
    assert replace in source
    yard.commit(
        "feat: something new", service_dot_py=source.replace(replace, by), ecluse_dot_toml=yard.little_patience()
    )
    second = yard.release()
    assert second.state is ReleaseState.ROLLED_BACK
    assert step in second.reason and said in second.reason and "Version 0.1.0 answers again" in second.reason
    assert yard.ask()[1]["version"] == "0.1.0"
    assert yard.services() == [f"{second.id}-2"]
    assert (yard.target / "current").resolve().name == f"0.1.0-{first.id}"
    old, new = yard.history.find(Deployment)
    assert (old.state, new.state) == (DeploymentState.LIVE, DeploymentState.ROLLED_BACK)
    assert said in yard.texts(second.id)
    assert "release.rolled_back" in yard.kinds(second.id)


def test_a_version_that_turns_unwell_in_its_watch_is_rolled_back(make_yard):
    yard = make_yard()
    yard.release()
    text = (yard.folder / "playbooks/release.md").read_text().replace("window=0.4", "window=50")
    yard.commit("feat: something new", playbooks__release_dot_md=text)
    second = yard.start()
    yard.drive(second)
    yard.approve(second)
    yard.drive(
        second, until=lambda r: r.position == 9 and any((yard.repository.state_dir / "releases").rglob("job.json"))
    )
    yard.flag.write_text("now")
    over = yard.drive(second)
    assert over.state is ReleaseState.ROLLED_BACK and "GET http" in over.reason and "answered 500" in over.reason
    assert "Watch" in over.reason and yard.ask()[1]["version"] == "0.1.0"


def test_a_first_release_that_fails_stops_the_service_and_says_so(make_yard):
    yard = make_yard()
    yard.commit("fix: break it", service_dot_py="raise SystemExit('no way')\n")
    over = yard.release()
    assert over.state is ReleaseState.ROLLED_BACK
    assert "There was no version before it" in over.reason and "no way" in over.reason
    assert yard.services() == [] and not (yard.target / "current").is_symlink()


def test_a_rollback_that_fails_ends_failed_and_loud(make_yard):
    yard = make_yard()
    first = yard.release()
    broken = (yard.folder / "service.py").read_text().replace("SAYING, FLAG = 200", "SAYING, FLAG = 500")
    yard.commit("feat: new", service_dot_py=broken, ecluse_dot_toml=yard.little_patience())
    second = yard.start()
    yard.drive(second)
    home = yard.target / "releases" / f"0.1.0-{first.id}"
    home.rename(home.with_name("moved"))
    text = (yard.folder / "playbooks/release.md").read_text()
    assert "rollback.ready" in text
    yard.approve(second)
    over = yard.drive(second)
    assert over.state is ReleaseState.FAILED and "THE ROLLBACK FAILED" in over.reason and "is gone" in over.reason
    assert "release.failed" in yard.kinds(second)


def test_a_red_changelog_landing_fails_the_release_and_nothing_goes_live(yard):
    yard.commit("feat: red", RED="x")
    over = yard.drive(yard.start())
    assert over.state is ReleaseState.FAILED and "checks are red" in over.reason
    assert yard.git("tag") == "" and yard.ask() == (0, {})


def test_uncommitted_work_is_untouched_and_blocks_the_changelog_until_it_is_out_of_the_way(yard):
    yard.commit(
        "docs: start a changelog", CHANGELOG_dot_md="# Changelog\n\n## [Unreleased]\n\n### Added\n\n- By hand\n"
    )
    yard.write("CHANGELOG.md", "mine\n")
    release_id = yard.start()
    waiting = yard.drive(release_id)
    assert (
        waiting.state is ReleaseState.WAITING and "CHANGELOG.md" in waiting.reason and "ecluse land" in waiting.reason
    )
    assert (yard.folder / "CHANGELOG.md").read_text() == "mine\n"
    yard.git("stash", "-q")
    (landing,) = yard.history.find(Landing)
    from ecluse import landing as lock

    lock.enqueue(yard.repository, yard.history, landing.change, actor="test")
    over = yard.drive(release_id, until=lambda r: r.position == 4 and r.state is ReleaseState.WAITING)
    assert "- By hand" in (yard.folder / "CHANGELOG.md").read_text()
    assert over.state is ReleaseState.WAITING


def test_one_unfinished_release_per_environment(yard):
    first = yard.start()
    with pytest.raises(Refused, match="unfinished") as refused:
        yard.start()
    assert first in refused.value.message and "abort" in refused.value.hint
    release.abort(yard.history, first, who="Ada", why="not today")
    assert yard.drive(first).state is ReleaseState.ABORTED
    assert yard.start() != first


def test_abort_before_going_live_voids_the_gate_and_cancels_nothing_else(yard):
    release_id = yard.start()
    yard.drive(release_id)
    release.abort(yard.history, release_id, who="Ada", why="not today")
    over = yard.drive(release_id)
    assert over.state is ReleaseState.ABORTED and "not today" in over.reason
    (gate,) = yard.history.find(Gate)
    assert gate.state == "void" and yard.git("tag") == ""
    again = yard.release()
    assert again.state is ReleaseState.DONE and again.version == "0.1.0"
    assert (yard.folder / "CHANGELOG.md").read_text().count("Say hello") == 1


def test_reject_ends_the_release(yard):
    release_id = yard.start()
    yard.drive(release_id)
    release.answer(
        yard.repository, yard.history, release_id, "go-live", "reject", who="Ada", how="typed", why="too late"
    )
    over = yard.drive(release_id)
    assert over.state is ReleaseState.ABORTED and "too late" in over.reason and yard.git("tag") == ""
