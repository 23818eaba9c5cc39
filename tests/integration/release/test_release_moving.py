"""A world that moves under a release, and the rest of what steps and targets can be."""

from __future__ import annotations

import pytest

from ecluse import release
from ecluse.errors import Invalid, Unsupported
from ecluse.model import Change, ChangeState, Deployment, DeploymentState, ReleaseState
from ecluse.release.target import target_of
from ecluse.trunk import open_trunk


def page(yard, *changes: tuple[str, str]) -> str:
    text = (yard.folder / "playbooks/release.md").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_a_trunk_that_moved_before_the_changelog_is_released_as_it_is_now(yard):
    yard.release()
    yard.commit("feat: one")
    release_id = yard.start()
    tip = yard.commit("fix: two")
    yard.drive(release_id)
    yard.approve(release_id)
    done = yard.drive(release_id)
    assert done.state is ReleaseState.DONE and done.version == "0.2.0"
    assert yard.git("rev-parse", "v0.2.0^") == tip
    assert "- Two" in (yard.folder / "CHANGELOG.md").read_text()


def test_a_trunk_that_asks_for_another_version_ends_the_release(yard):
    yard.release()
    yard.commit("fix: one")
    release_id = yard.start()
    yard.commit("feat: two")
    over = yard.drive(release_id)
    assert over.state is ReleaseState.FAILED and "asks for 0.2.0 now, not 0.1.1" in over.reason
    again = yard.release()
    assert (again.state, again.version) == (ReleaseState.DONE, "0.2.0")


def test_what_lands_beside_the_changelog_is_part_of_the_release_and_is_named(yard):
    release_id = yard.start()
    yard.drive(release_id, until=lambda r: yard.history.count(Change) == 1)
    (change,) = yard.history.find(Change)
    assert change.state is ChangeState.READY
    beside = yard.commit("fix: beside")
    waiting = yard.drive(release_id)
    assert waiting.state is ReleaseState.WAITING
    assert yard.git("merge-base", "--is-ancestor", beside, waiting.commit) == ""
    step = release.status(yard.history, release_id)["steps"][1]
    assert "fix: beside" in step["said"] and step["result"]["also"] == [f"{beside[:12]} fix: beside"]
    yard.approve(release_id)
    assert yard.drive(release_id).state is ReleaseState.DONE
    assert yard.git("rev-parse", "v0.1.0^{commit}") == waiting.commit


def test_a_feature_that_lands_beside_the_changelog_of_a_fix_is_released_as_a_feature(yard):
    yard.release()
    yard.commit("fix: one")
    release_id = yard.start()
    assert yard.get(release_id).version == "0.1.1"
    yard.drive(release_id, until=lambda r: yard.history.count(Change) == 2)
    beside = yard.commit("feat: beside")
    waiting = yard.drive(release_id)
    assert waiting.state is ReleaseState.WAITING and waiting.version == "0.2.0", waiting.reason
    assert "0.1.1 becomes 0.2.0" in yard.texts(release_id)
    yard.approve(release_id)
    done = yard.drive(release_id)
    assert done.state is ReleaseState.DONE and yard.ask()[1]["version"] == "0.2.0"
    assert yard.git("tag").split() == ["v0.1.0", "v0.2.0"]
    assert yard.git("rev-parse", "v0.2.0^{commit}") == done.commit == yard.git("rev-parse", "main")
    yard.git("merge-base", "--is-ancestor", beside, "v0.2.0")
    text = (yard.folder / "CHANGELOG.md").read_text()
    assert "## [0.2.0]" in text and "0.1.1" not in text and "- One" in text and "- Beside" in text


def test_a_tag_that_is_taken_is_left_alone_and_nothing_goes_live(yard):
    release_id = yard.start()
    yard.drive(release_id)
    yard.git("tag", "v0.1.0", "main~1")
    yard.approve(release_id)
    over = yard.drive(release_id)
    assert over.state is ReleaseState.FAILED and "is on" in over.reason and yard.ask() == (0, {})
    assert over.reason.startswith("[6] Tag:") and yard.history.count(Deployment) == 0
    assert yard.git("rev-parse", "v0.1.0") == yard.git("rev-parse", "main~1")


def test_abort_after_going_live_brings_the_previous_version_back(yard):
    yard.release()
    yard.commit("feat: x", playbooks__release_dot_md=page(yard, ("window=0.4", "window=60")))
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    jobs = yard.repository.state_dir / "releases" / release_id
    yard.drive(release_id, until=lambda r: r.position == 9 and any(jobs.rglob("job.json")))
    assert yard.ask()[1]["version"] == "0.2.0"
    release.abort(yard.history, release_id, who="Ada", why="wrong day")
    over = yard.drive(release_id)
    assert over.state is ReleaseState.ROLLED_BACK and "wrong day" in over.reason
    assert yard.ask()[1]["version"] == "0.1.0"
    from ecluse import process

    assert all(process.job_status(job.parent).state is not process.JobState.RUNNING for job in jobs.rglob("lock"))


def test_old_release_folders_go_and_the_live_one_stays(yard):
    done = [yard.release()]
    for number in range(3):
        yard.commit(f"fix: {number}")
        done.append(yard.release())
    assert all(one.state is ReleaseState.DONE for one in done)
    names = sorted(folder.name for folder in (yard.target / "releases").iterdir())
    assert names == sorted(f"{one.version}-{one.id}" for one in done[-3:]), "keep = 2 before the new one came"


def test_a_page_may_stop_instead_of_going_back(make_yard):
    yard = make_yard()
    yard.release()
    broken = (yard.folder / "service.py").read_text().replace("SAYING, FLAG = 200", "SAYING, FLAG = 503")
    text = page(yard, ("| health.http | previous version |", "| health.http | stop |"))
    policy = yard.little_patience()
    yard.commit("feat: broken", service_dot_py=broken, playbooks__release_dot_md=text, ecluse_dot_toml=policy)
    over = yard.release()
    assert over.state is ReleaseState.FAILED and yard.ask()[0] == 503
    release.rollback(yard.history, over.id, who="Ada", why="enough")
    assert yard.drive(over.id).state is ReleaseState.ROLLED_BACK and yard.ask()[1]["version"] == "0.1.0"


def test_conditions_skip_steps_and_ask_opens_a_gate_of_its_own(make_yard):
    yard = make_yard()
    text = page(
        yard,
        ("- uses: rollback.ready", "- if: previous\n- uses: rollback.ready"),
        ("- uses: smoke\n", '- uses: ask question="Did it work?"\n- uses: smoke\n'),
    )
    yard.commit("docs: page", playbooks__release_dot_md=text)
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    waiting = yard.drive(release_id)
    assert waiting.state is ReleaseState.WAITING and "Did it work?" in waiting.reason and yard.ask()[0] == 200
    yard.approve(release_id)
    assert yard.drive(release_id).state is ReleaseState.DONE
    steps = release.status(yard.history, release_id)["steps"]
    assert steps[3]["state"] == "skipped" and "previous" in steps[3]["said"]


def test_a_rejection_after_going_live_brings_the_previous_version_back(make_yard):
    yard = make_yard()
    yard.release()
    text = page(yard, ("- uses: smoke\n", '- uses: ask question="Did it work?"\n- uses: smoke\n'))
    yard.commit("feat: x", playbooks__release_dot_md=text)
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    yard.drive(release_id)
    assert yard.ask()[1]["version"] == "0.2.0"
    release.answer(yard.repository, yard.history, release_id, None, "reject", who="Ada", how="typed", why="it did not")
    over = yard.drive(release_id)
    assert (
        over.state is ReleaseState.ROLLED_BACK and "it did not" in over.reason and yard.ask()[1]["version"] == "0.1.0"
    )


def test_staging_needs_no_gate_and_an_environment_has_its_own_line(make_yard):
    yard = make_yard()
    staging = yard.policy() + (
        f'[environments.staging]\npath = "../staging"\ncommand = ["true"]\nurl = "http://127.0.0.1:{yard.port}"\n'
    )
    gateless = page(
        yard,
        ("- gate: go-live", "- uses: ci.green"),
        ("playbook: release", "playbook: staging"),
        ("environment: production", "environment: staging"),
    )
    start, end = gateless.index("## Human gates"), gateless.index("## Rollback")
    yard.commit("chore: staging", ecluse_dot_toml=staging, playbooks__staging_dot_md=gateless[:start] + gateless[end:])
    assert release.plan(yard.repository, yard.history, "staging", {}).environment == "staging"
    first = yard.start()
    second = yard.start(playbook="staging")
    assert yard.get(first).environment != yard.get(second).environment
    with pytest.raises(Invalid, match="without a gate"):
        release.plan(yard.repository, yard.history, "staging", {}, environment="production")
    target = target_of(yard.repository, open_trunk(yard.repository).config, "staging")
    assert target.root == (yard.folder / "../staging").resolve()


def test_a_smoke_request_that_could_change_something_is_unsupported(make_yard):
    yard = make_yard()
    yard.commit("chore: policy", ecluse_dot_toml=yard.policy().replace("GET /flaky", "POST /orders"))
    with pytest.raises(Unsupported, match="may change something"):
        yard.start()


def test_the_service_sees_no_secret_of_ours_and_its_own_variables(make_yard, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "x")
    yard = make_yard()
    spy = "import os, pathlib\npathlib.Path('env.txt').write_text(repr(sorted(os.environ)))\n"
    yard.commit("feat: spy", service_dot_py=spy + (yard.folder / "service.py").read_text())
    done = yard.release()
    names = (yard.target / "current" / "env.txt").read_text()
    assert done.state is ReleaseState.DONE and "'FLAG'" in names and "SOME_TOKEN" not in names


def test_an_abort_while_the_changelog_waits_to_land_takes_it_out_of_the_queue(yard):
    release_id = yard.start()
    yard.drive(release_id, until=lambda r: yard.history.count(Change) == 1)
    before = yard.git("rev-parse", "main")
    release.abort(yard.history, release_id, who="Ada", why="wait")
    release.advance(yard.repository, yard.history, release_id)
    assert yard.get(release_id).state is ReleaseState.ABORTED
    while yard.step():
        pass
    (change,) = yard.history.find(Change)
    assert change.state is ChangeState.REJECTED and yard.git("rev-parse", "main") == before


def test_advance_is_idempotent_and_knows_nothing_of_unknown_releases(yard):
    release.advance(yard.repository, yard.history, "rel-unknown")
    done = yard.release()
    before = yard.history.last_event()
    for _ in range(3):
        release.advance(yard.repository, yard.history, done.id)
    assert yard.history.last_event() == before
    assert [d.state for d in yard.history.find(Deployment)] == [DeploymentState.LIVE]
