"""Environments beside releases: what lands goes to staging by itself, what runs is compared with what was recorded."""

from __future__ import annotations

import json

import pytest

from ecluse import process
from ecluse.errors import Invalid
from ecluse.history import wakes
from ecluse.model import Landing, LandingState, Release, ReleaseState
from ecluse.release import environments, folder
from ecluse.release.target import target_of
from ecluse.trunk import open_trunk

STAGING = """\
---
playbook: staging
format: 1
environment: staging
---

# Staging

## Sequence

### [1] Deploy — by system

- uses: deploy.command

## Rollback

| When | Do | Ask first |
|---|---|---|
| deploy.command | stop | no |
"""


def with_staging(yard) -> None:
    marks = yard.folder.parent / "staged"
    yard.extra = f"""
[environments.staging]
method = "command"
path = {json.dumps(str(yard.folder.parent))}
hosts = ["."]
url = "http://127.0.0.1:{yard.port}"
deploy_on = ["main"]
[environments.staging.commands]
deploy = {json.dumps(f"echo $ECLUSE_COMMIT >> {marks}")}
"""
    yard.commit("chore: staging", ecluse_dot_toml=yard.policy(), playbooks__staging_dot_md=STAGING)


def settle(yard) -> None:
    """Go on until nothing is due."""
    while yard.step():
        pass


def test_what_lands_is_deployed_to_staging_by_itself_and_drift_is_seen(yard):
    with_staging(yard)
    done = yard.release()
    settle(yard)
    (landing,) = yard.history.find(Landing, state=LandingState.LANDED)
    staged = yard.history.find(Release, environment="staging")
    assert [one.state for one in staged] == [ReleaseState.DONE], [one.reason for one in staged]
    assert staged[0].commit == landing.candidate and staged[0].outputs["starter"]["machine"] is True
    assert (yard.folder.parent / "staged").read_text().split() == [landing.candidate]
    environments.after_landing(yard.repository, yard.history, landing.id)
    settle(yard)
    assert wakes.all_wakes(yard.history) == {}
    assert len(yard.history.find(Release, environment="staging")) == 1, "once for a landing"
    assert "deployed to staging by itself" in yard.texts(staged[0].id)

    seen = environments.look(yard.repository, yard.history, "production")
    assert seen.as_recorded and seen.running == seen.recorded == done.version == "0.1.0", seen
    target = target_of(yard.repository, open_trunk(yard.repository).config, "production")
    other = target.releases / "9.9.9-by-hand"
    other.mkdir()
    (other / "RELEASE").write_text("9.9.9\n")
    home = folder.current_of(target)
    folder.switch(target, other)
    seen = environments.look(yard.repository, yard.history, "production")
    assert not seen.as_recorded and seen.said == "the history says 0.1.0, there is 9.9.9"
    folder.switch(target, home)
    for job in folder.running(target):
        process.cancel_job(job)
    seen = environments.look(yard.repository, yard.history, "production")
    assert not seen.as_recorded and seen.said == "the history says 0.1.0, there is nothing"
    with pytest.raises(Invalid, match="no environment 'nowhere'"):
        environments.look(yard.repository, yard.history, "nowhere")


def test_what_cannot_be_deployed_by_itself_is_said_once(yard):
    with_staging(yard)
    yard.git("rm", "-q", "playbooks/staging.md")
    yard.commit("chore: no page")
    yard.release()
    settle(yard)
    assert yard.history.find(Release, environment="staging") == [] and wakes.all_wakes(yard.history) == {}
    (said,) = yard.history.events(kind="environment.not_deployed")
    assert "has no playbook 'staging'" in said.text


def test_an_environment_that_is_busy_or_has_no_playbook_is_looked_at_again(make_desk):
    desk = make_desk()
    release_id = desk.start()
    desk.drive(release_id)
    environments.advance(desk.repository, desk.history, "production")
    assert set(wakes.all_wakes(desk.history)) == {f"release/{release_id}"}
    seen = environments.look(desk.repository, desk.history, "production")
    assert seen.as_recorded and seen.said == "nothing is live, as the history says"


def test_a_release_is_due_when_the_policy_says_so_and_something_has_landed(make_desk, hands):
    desk = make_desk(release_policy="every_days = 30")
    said = environments.due(desk.repository, desk.history)
    assert "every 30 days and none has gone live yet" in said and "1 commits are waiting" in said
    release_id = desk.start()
    desk.drive(release_id)
    desk.approve(release_id)
    desk.drive(release_id)
    assert environments.due(desk.repository, desk.history) == ""
    hands.forward(hours=24 * 31)
    assert "the last went live on" in environments.due(desk.repository, desk.history)
    desk.git("tag", "v0.1.0")
    assert environments.due(desk.repository, desk.history) == "", "nothing has been committed since"
