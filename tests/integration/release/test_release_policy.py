"""Freezes, locks, emergencies, deadlines: what keeps a release out, for how long, and who may let it in."""

from __future__ import annotations

import pytest

from ecluse import release, signing
from ecluse.clock import after
from ecluse.errors import Invalid, Refused, Unsupported
from ecluse.history import wakes
from ecluse.model import Gate, GateState, HoldState, ReleaseState
from ecluse.release import holds
from ecluse.trunk import open_trunk

needs_keys = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine")
FRIDAY = 'freeze = [{ when = "fri 16:00 - mon 06:00", zone = "Europe/Paris", why = "nobody is there" }]'
EVENING = "2026-11-20T18:00"
"""A Friday; 16:00 in Paris is 15:00 UTC in winter."""


def approved(desk) -> str:
    release_id = desk.start()
    desk.drive(release_id)
    desk.approve(release_id)
    return release_id


def test_on_friday_evening_it_waits_and_goes_on_by_itself_on_monday(make_desk, hands):
    hands.set(EVENING)
    desk = make_desk(release_policy=f"{FRIDAY}\napproval_hours = 100")
    release_id = approved(desk)
    waiting = desk.drive(release_id)
    assert waiting.state is ReleaseState.WAITING and desk.deployed() == []
    assert "frozen until 2026-11-23 05:00 UTC" in waiting.reason and "nobody is there" in waiting.reason
    hands.set("2026-11-23T04:59")
    wakes.wake(desk.history, waiting.subject)
    assert desk.drive(release_id).state is ReleaseState.WAITING
    hands.set("2026-11-23T05:01")
    assert desk.drive(release_id).state is ReleaseState.DONE and desk.deployed() == [release_id]


def test_an_approval_does_not_outlive_a_long_freeze(make_desk, hands):
    hands.set(EVENING)
    desk = make_desk(release_policy=FRIDAY)
    release_id = approved(desk)
    desk.drive(release_id)
    hands.set("2026-11-23T07:00")
    over = desk.drive(release_id)
    assert over.state is ReleaseState.FAILED and "expired" in over.reason and desk.deployed() == []


def test_a_calendar_on_the_trunk_freezes(make_desk, hands):
    hands.set("2026-12-28T10:00")
    desk = make_desk(release_policy='calendar = "ops/freeze.ics"')
    with pytest.raises(Invalid, match="no such file"):
        holds.frozen(open_trunk(desk.repository), desk.history, "production")
    event = "BEGIN:VEVENT\nSUMMARY:Between the years\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270102\n{}END:VEVENT\n"
    ics = "BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n"
    desk.commit("chore: freeze", ops__freeze_dot_ics=ics.format(event.format("")))
    release_id = approved(desk)
    assert "Between the years" in desk.drive(release_id).reason
    release.abort(desk.history, release_id, who="Ada", why="later")
    desk.drive(release_id)
    strange = event.format("RRULE:FREQ=YEARLY;BYSETPOS=1;BYDAY=MO\n")
    desk.commit("chore: freeze", ops__freeze_dot_ics=ics.format(strange))
    with pytest.raises(Unsupported, match="nothing goes live"):
        holds.frozen(open_trunk(desk.repository), desk.history, "production")


def test_a_freeze_by_word_holds_until_it_is_lifted(make_desk):
    desk = make_desk()
    holds.freeze(desk.history, "", until=holds.FOREVER, who="Ada", why="the auditors are here")
    release_id = approved(desk)
    assert "the auditors are here (said by Ada)" in desk.drive(release_id).reason
    (lifted,) = holds.lift(desk.history, None, who="Bob", why="they left")
    assert lifted.state is HoldState.LIFTED
    assert desk.drive(release_id).state is ReleaseState.DONE
    with pytest.raises(Invalid, match="No freeze"):
        holds.lift(desk.history, None, who="Bob", why="")
    with pytest.raises(Invalid, match="over already"):
        holds.freeze(desk.history, "", until=after(-1), who="Ada", why="x")


def test_a_freeze_of_another_environment_stops_nobody_here(make_desk):
    desk = make_desk()
    holds.freeze(desk.history, "staging", until=holds.FOREVER, who="Ada", why="x")
    assert desk.drive(approved(desk)).state is ReleaseState.DONE


@needs_keys
def test_an_emergency_takes_a_reason_and_two_people(make_desk):
    desk = make_desk(solo=False)
    ada, bob = desk.list_key(name="ada"), desk.list_key(name="bob")
    holds.freeze(desk.history, "production", until=holds.FOREVER, who="Ada", why="x")
    release_id = desk.start()
    desk.drive(release_id)
    desk.approve(release_id, how="key", key=ada)
    desk.drive(release_id)
    say = {"who": "Ada", "how": "key", "key": ada}
    with pytest.raises(Invalid, match="has a reason"):
        release.override(desk.repository, desk.history, release_id, why=" ", **say)
    with pytest.raises(Refused, match="signed by a person's key"):
        release.override(desk.repository, desk.history, release_id, why="it burns", who="Ada", how="typed")
    first = release.override(desk.repository, desk.history, release_id, why="it burns", **say)
    assert (first.state, first.needs) == (GateState.OPEN, 2) and "it burns" in first.question
    assert desk.drive(release_id).state is ReleaseState.WAITING and desk.deployed() == []
    with pytest.raises(Refused, match="counts once"):
        release.override(desk.repository, desk.history, release_id, why="it burns", **say)
    desk.approve(release_id, how="key", key=bob)
    assert desk.drive(release_id).state is ReleaseState.DONE and desk.deployed() == [release_id]
    with pytest.raises(Invalid):
        release.override(desk.repository, desk.history, release_id, why="again", **say)


def test_an_emergency_in_a_one_person_team_is_recorded_as_such(make_desk):
    desk = make_desk()
    holds.freeze(desk.history, "", until=holds.FOREVER, who="Ada", why="x")
    release_id = approved(desk)
    desk.drive(release_id)
    gate = release.override(desk.repository, desk.history, release_id, who="Ada", how="typed", why="it burns")
    assert (gate.state, gate.how) == (GateState.ANSWERED, "typed, solo")
    assert desk.drive(release_id).state is ReleaseState.DONE


def test_nothing_is_overridden_where_nothing_stands_in_the_way_and_a_no_is_a_no(make_desk):
    desk = make_desk()
    release_id = approved(desk)
    with pytest.raises(Invalid, match="Neither a freeze nor a lock"):
        release.override(desk.repository, desk.history, release_id, who="Ada", how="typed", why="it burns")


def test_the_lock_of_an_environment_has_a_holder_a_reason_and_an_end(make_desk, hands):
    desk = make_desk()
    held = holds.lock(desk.history, "production", holder="Bob", until=after(3600), why="looking at the database")
    with pytest.raises(Refused, match="Bob has the lock"):
        holds.lock(desk.history, "production", holder="Ada", until=after(60), why="x")
    assert holds.lock(desk.history, "production", holder="Bob", until=after(7200), why="x").id == held.id
    release_id = approved(desk)
    waiting = desk.drive(release_id)
    assert waiting.state is ReleaseState.WAITING and "Bob has the lock" in waiting.reason
    hands.forward(hours=3)
    wakes.wake(desk.history, waiting.subject)
    assert desk.drive(release_id).state is ReleaseState.DONE
    assert holds.lock_of(desk.history, "production") is None, "a release gives its own lock back"
    (own,) = [one for one in desk.history.find(type(held)) if one.holder == release_id]
    assert own.state is HoldState.LIFTED


def test_giving_the_lock_back_lets_the_release_go_on(make_desk):
    desk = make_desk()
    holds.lock(desk.history, "production", holder="Bob", until=after(3600), why="x")
    release_id = approved(desk)
    desk.drive(release_id)
    assert holds.unlock(desk.history, "production", holder="Ada", who="Ada", why="") is None
    assert holds.unlock(desk.history, "production", holder=None, who="Ada", why="Bob went home") is not None
    assert desk.drive(release_id).state is ReleaseState.DONE


def test_a_paused_release_begins_nothing_and_its_gate_can_be_answered(make_desk):
    desk = make_desk()
    release_id = desk.start()
    desk.drive(release_id)
    paused = release.pause(desk.history, release_id, who="Ada", why="lunch")
    assert paused.state is ReleaseState.PAUSED and "lunch" in paused.reason
    with pytest.raises(Invalid):
        release.pause(desk.history, release_id, who="Ada", why="lunch")
    desk.approve(release_id)
    assert desk.drive(release_id).state is ReleaseState.PAUSED and desk.deployed() == []
    release.resume(desk.history, release_id, who="Ada")
    assert desk.drive(release_id).state is ReleaseState.DONE
    with pytest.raises(Invalid, match="not paused"):
        release.resume(desk.history, release_id, who="Ada")


def test_abort_works_in_every_state_that_is_not_the_end(make_desk):
    desk = make_desk()
    for prepare in (
        lambda release_id: None,
        lambda release_id: desk.drive(release_id),
        lambda release_id: release.pause(desk.history, release_id, who="Ada", why="x"),
    ):
        release_id = desk.start()
        prepare(release_id)
        release.abort(desk.history, release_id, who="Ada", why="no")
        over = desk.drive(release_id, until=lambda r: r.state.is_terminal)
        assert over.state is ReleaseState.ABORTED and "no" in over.reason
        assert all(gate.state is not GateState.OPEN for gate in desk.history.find(Gate))
        with pytest.raises(Invalid):
            release.abort(desk.history, release_id, who="Ada", why="no")


def test_a_step_that_failed_is_tried_again_when_its_cause_is_gone(make_desk):
    page = make_desk().page.replace("| deploy.command | previous version", "| deploy.command | stop")
    desk = make_desk(page=page)
    obstacle = desk.target / "deployed"
    obstacle.mkdir()
    release_id = approved(desk)
    over = desk.drive(release_id)
    assert over.state is ReleaseState.FAILED, over.reason
    assert release.status(desk.history, release_id)["next"] == [f"ecluse release retry {release_id}"]
    obstacle.rmdir()
    release.retry(desk.repository, desk.history, release_id, who="Ada", why="made room")
    over = desk.drive(release_id)
    if over.state is ReleaseState.ASKING:
        (step,) = release.status(desk.history, release_id)["questions"]
        release.settle(desk.history, release_id, step, False, who="Ada")
        over = desk.drive(release_id)
    assert over.state is ReleaseState.DONE and desk.deployed() == [release_id]
    assert "tried again from step 2 by Ada: made room" in desk.texts(release_id)
    with pytest.raises(Invalid, match="tried again"):
        release.retry(desk.repository, desk.history, release_id, who="Ada")


def test_what_has_gone_back_or_was_overtaken_is_not_tried_again(make_desk):
    desk = make_desk(page=make_desk().page.replace("| deploy.command | previous version", "| deploy.command | stop"))
    obstacle = desk.target / "deployed"
    obstacle.mkdir()
    first = approved(desk)
    desk.drive(first)
    obstacle.rmdir()
    assert desk.drive(approved(desk)).state is ReleaseState.DONE
    with pytest.raises(Invalid, match="has gone live since"):
        release.retry(desk.repository, desk.history, first, who="Ada")


def test_a_deadline_ends_what_is_not_live_in_time(make_desk, hands):
    desk = make_desk(release_policy="deadline_hours = 5\ngate_hours = 100")
    release_id = desk.start()
    desk.drive(release_id)
    assert wakes.next_due(desk.history) == desk.get(release_id).outputs["deadline"]
    hands.forward(hours=6)
    over = desk.drive(release_id, until=lambda r: r.state.is_terminal)
    assert over.state is ReleaseState.ABORTED and "was to be live until" in over.reason
    page = desk.page.replace("format: 1", "format: 1\ndeadline: 2 h")
    desk.commit("docs: page", playbooks__release_dot_md=page)
    second = desk.get(desk.start())
    assert second.outputs["deadline"] == after(2 * 3600)


def test_silence_at_a_gate_is_a_timer_and_means_what_the_page_says(make_desk, hands):
    desk = make_desk()
    page = desk.page.replace("approve / back to fix | abort", "approve / back to fix | abort after 30 min")
    desk.commit("docs: page", playbooks__release_dot_md=page)
    release_id = desk.start()
    desk.drive(release_id)
    (gate,) = desk.history.find(Gate)
    assert gate.expires_at == after(1800) and wakes.next_due(desk.history) == gate.expires_at
    assert not desk.step(), "a gate that is open costs nothing"
    hands.forward(hours=0.51)
    over = desk.drive(release_id, until=lambda r: r.state.is_terminal)
    assert over.state is ReleaseState.ABORTED and "nobody answered" in over.reason


def test_one_at_a_time_by_environment_and_by_the_pages_own_group(make_desk):
    desk = make_desk()
    other = desk.page.replace("playbook: release", "playbook: hotfix")
    desk.commit("docs: pages", playbooks__hotfix_dot_md=other)
    desk.start()
    with pytest.raises(Refused, match="environment production"):
        desk.start(playbook="hotfix")


def test_a_branch_that_may_not_go_there_is_refused_and_one_that_may_is_released(make_desk):
    desk = make_desk(protection='branches = ["main", "hotfix/*"]')
    desk.git("branch", "hotfix/1.0")
    desk.git("branch", "wild")
    with pytest.raises(Refused, match=r"takes releases of main, hotfix/\*, not of wild"):
        desk.start(branch="wild")
    with pytest.raises(Invalid, match="no branch"):
        desk.start(branch="nowhere")
    release_id = desk.start(branch="hotfix/1.0")
    desk.drive(release_id)
    desk.approve(release_id)
    assert desk.drive(release_id).state is ReleaseState.DONE


def test_pages_of_one_group_run_one_at_a_time(make_desk):
    desk = make_desk()
    talk = "---\nplaybook: {0}\nformat: 1\nconcurrency: talk\n---\n\n# Talk\n\n## Sequence\n\n### [1] Ask — by human\n\n- gate: ask\n\n"
    table = "## Human gates\n\n| Gate | Who | If nobody answers |\n|---|---|---|\n| ask | human | abort |\n"
    pages = {f"playbooks__{name}_dot_md": talk.format(name) + table for name in ("one", "two")}
    desk.commit("docs: pages", **pages)
    desk.start(playbook="one")
    with pytest.raises(Refused, match="group talk"):
        desk.start(playbook="two")
    desk.start()


def test_a_release_that_an_earlier_ecluse_began_goes_on(make_desk):
    """What was stored before there were votes, targets and proved starts is still an open question and an answer."""
    import dataclasses

    from ecluse.model import Event

    desk = make_desk()
    release_id = desk.start()
    desk.drive(release_id)
    (gate,) = desk.history.find(Gate)
    kept = desk.get(release_id)
    older = {name: value for name, value in kept.outputs.items() if name != "starter"}
    desk.history.record(dataclasses.replace(gate, targets={}), Event("test", gate.subject, "older"))
    desk.history.record(dataclasses.replace(kept, outputs=older), Event("test", kept.subject, "older"))
    desk.approve(release_id)
    answered = desk.history.find(Gate)[0]
    desk.history.record(dataclasses.replace(answered, votes=()), Event("test", gate.subject, "older"))
    assert desk.drive(release_id).state is ReleaseState.DONE and desk.deployed() == [release_id]


def test_the_page_kept_with_a_release_is_the_one_it_started_with(make_desk):
    import dataclasses

    from ecluse.model import Event

    desk = make_desk()
    release_id = approved(desk)
    kept = desk.get(release_id)
    altered = dataclasses.replace(kept, source=kept.source + "\nOne more line.\n")
    desk.history.record(altered, Event("test", kept.subject, "altered"))
    over = desk.drive(release_id)
    assert over.state is ReleaseState.FAILED and "is not the one it started with" in over.reason
    assert desk.deployed() == []
