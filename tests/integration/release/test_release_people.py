"""Who may let a release go on: roles, reviewers, several people, keys instead of names, lists to tick, replay."""

from __future__ import annotations

import json

import pytest

from ecluse import release, signing
from ecluse.errors import Invalid, Refused
from ecluse.history import wakes
from ecluse.model import Gate, GateState, ReleaseState, Role
from ecluse.release import gates

pytestmark = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine")


def the_gate(desk) -> Gate:
    return desk.history.find(Gate)[-1]


def waiting(desk, **words) -> str:
    release_id = desk.start(**words)
    assert desk.drive(release_id).state is ReleaseState.WAITING
    return release_id


def by_key(desk, release_id, key, word="approve", **words):
    given = {"who": "nobody", "how": "key", "key": key, **words}
    return release.answer(desk.repository, desk.history, release_id, None, word, **given)


def test_two_people_are_two_people(make_desk):
    desk = make_desk(solo=False, protection="approvals = 2")
    ada, bob = desk.list_key(name="ada"), desk.list_key(name="bob")
    release_id = waiting(desk)
    assert the_gate(desk).needs == 2
    assert by_key(desk, release_id, ada).state is GateState.OPEN
    with pytest.raises(Refused, match="counts once") as refused:
        by_key(desk, release_id, ada)
    assert refused.value.code == "gate.counted"
    assert desk.drive(release_id).state is ReleaseState.WAITING and desk.deployed() == []
    done = by_key(desk, release_id, bob)
    assert (done.state, done.answered_by) == (GateState.ANSWERED, "ada, bob")
    assert desk.drive(release_id).state is ReleaseState.DONE and desk.deployed() == [release_id]
    assert "1 of 2 people" in desk.texts(release_id)


def test_two_keys_and_two_names_of_one_person_are_one(make_desk):
    people = '[people.ada]\nkeys = ["ada", "lovelace"]\naliases = ["Countess"]\n'
    desk = make_desk(solo=False, protection="approvals = 2", extra=people)
    ada, second = desk.list_key(name="ada"), desk.list_key(name="lovelace")
    release_id = waiting(desk)
    by_key(desk, release_id, ada)
    with pytest.raises(Refused, match="counts once"):
        by_key(desk, release_id, second)


def test_one_key_under_two_names_is_one_person(make_desk):
    desk = make_desk(solo=False, protection="approvals = 2")
    ada = desk.list_key(name="ada")
    public = " ".join(ada.with_name("ada.pub").read_text().split()[:2])
    line = signing.signer_line(signing.Principal("someone-else", Role.HUMAN, public))
    path = desk.folder / ".ecluse" / "allowed_signers"
    path.write_text(path.read_text() + line)
    desk.commit("chore: the same key again")
    release_id = waiting(desk)
    by_key(desk, release_id, ada)
    with pytest.raises(Refused, match="counts once"):
        by_key(desk, release_id, ada)


@pytest.mark.parametrize("claim", ["name", "mail", "alias", "co-author"])
def test_an_author_cannot_approve_whatever_name_the_commit_bears(make_desk, claim):
    people = '[people.ada]\nemails = ["ada@example.invalid"]\naliases = ["agent-of-ada"]\n'
    desk = make_desk(solo=False, extra=people)
    ada = desk.list_key(name="ada")
    author = {
        "name": "ADA <x@example.invalid>",
        "mail": "Someone <ada@example.invalid>",
        "alias": "Agent-of-Ada <y@example.invalid>",
        "co-author": "Else <else@example.invalid>",
    }[claim]
    trailer = "\n\nCo-authored-by: Anybody <Ada@Example.invalid>" if claim == "co-author" else ""
    desk.git("commit", "-q", "--allow-empty", f"--author={author}", "-m", f"feat: mine{trailer}")
    release_id = waiting(desk)
    with pytest.raises(Refused, match="somebody else") as refused:
        by_key(desk, release_id, ada)
    assert refused.value.code == "gate.own_work" and "solo = true" in refused.value.hint


def test_who_starts_with_a_key_cannot_approve_under_another_name(make_desk):
    desk = make_desk(solo=False)
    ada = desk.list_key(name="ada")
    release_id = waiting(desk, starter="Somebody Else", starter_key=ada)
    with pytest.raises(Refused, match="somebody else"):
        by_key(desk, release_id, ada)
    bob_desk_key = desk.key.with_name("nobody")
    signing.make_key(bob_desk_key, "nobody")
    with pytest.raises(Refused):
        desk.start(starter_key=bob_desk_key)


def test_a_start_that_nobody_proved_takes_one_person_more(make_desk):
    desk = make_desk(solo=False)
    ada, bob = desk.list_key(name="ada"), desk.list_key(name="bob")
    release_id = waiting(desk, starter_key=None)
    assert the_gate(desk).needs == 2
    by_key(desk, release_id, ada)
    assert the_gate(desk).state is GateState.OPEN
    by_key(desk, release_id, bob)
    assert desk.drive(release_id).state is ReleaseState.DONE


def test_reviewers_of_the_environment_and_roles(make_desk):
    desk = make_desk(solo=False, protection='reviewers = ["bob", "admin"]')
    ada, bob = desk.list_key(name="ada"), desk.list_key(name="bob")
    root = desk.list_key(Role.ADMIN, "root")
    agent = desk.list_key(Role.AGENT, "bot")
    release_id = waiting(desk)
    with pytest.raises(Refused, match="it is for bob, admin"):
        by_key(desk, release_id, ada)
    with pytest.raises(Refused):
        by_key(desk, release_id, agent)
    by_key(desk, release_id, root)
    assert desk.drive(release_id).state is ReleaseState.DONE
    desk.commit("fix: more")
    second = waiting(desk)
    by_key(desk, second, bob)
    assert desk.drive(second).state is ReleaseState.DONE


def test_an_approval_of_one_release_is_none_of_another(make_desk):
    desk = make_desk(solo=False)
    ada = desk.list_key(name="ada")
    first = waiting(desk)
    statement = release.statement(desk.repository, desk.history, first, None, "approve")
    signature = signing.sign(statement, ada, signing.APPROVAL)
    release.abort(desk.history, first, who="x", why="again")
    desk.drive(first)
    second = waiting(desk)
    with pytest.raises(Refused):
        by_key(desk, second, None, signature=signature)
    assert the_gate(desk).state is GateState.OPEN
    own = signing.sign(release.statement(desk.repository, desk.history, second, None, "approve"), ada, signing.APPROVAL)
    with pytest.raises(Refused):
        by_key(desk, second, None, word="reject", signature=own)
    assert by_key(desk, second, None, signature=own).answered_by == "ada"
    assert desk.drive(second).state is ReleaseState.DONE and desk.deployed() == [second]


def test_an_approval_that_is_too_old_at_the_deploy_is_none_and_people_are_asked_again(make_desk, hands):
    desk = make_desk(solo=False, release_policy="approval_hours = 2\ngate_hours = 100")
    ada = desk.list_key(name="ada")
    release_id = waiting(desk)
    by_key(desk, release_id, ada)
    desk.drive(release_id, until=lambda r: r.position == 1)
    hands.forward(hours=3)
    over = desk.drive(release_id)
    assert over.state is ReleaseState.FAILED and "has expired" in over.reason and desk.deployed() == []
    release.retry(desk.repository, desk.history, release_id, who="Ada")
    assert desk.drive(release_id).state is ReleaseState.WAITING
    by_key(desk, release_id, ada)
    assert desk.drive(release_id).state is ReleaseState.DONE and desk.deployed() == [release_id]


def test_a_vote_that_is_tampered_with_does_not_count_at_the_deploy(make_desk):
    import dataclasses

    from ecluse.model import Event

    desk = make_desk(solo=False)
    ada = desk.list_key(name="ada")
    release_id = waiting(desk)
    by_key(desk, release_id, ada)
    gate = the_gate(desk)
    forged = {
        **gate.votes[0],
        "signature": gate.votes[0]["signature"][:-40] + "A" * 8 + gate.votes[0]["signature"][-32:],
    }
    desk.history.record(dataclasses.replace(gate, votes=(forged,)), Event("test", gate.subject, "forged"))
    over = desk.drive(release_id)
    assert over.state is ReleaseState.FAILED and "No approval holds" in over.reason and desk.deployed() == []


def test_what_was_tried_is_ticked_and_signed(make_desk):
    page = make_desk().page.replace("- gate: go-live", "- [ ] Log in\n- [ ] Share a page\n- gate: go-live")
    desk = make_desk(solo=False, page=page)
    ada = desk.list_key(name="ada")
    release_id = waiting(desk)
    assert the_gate(desk).checklist == ("Log in", "Share a page")
    with pytest.raises(Invalid, match=r"2\. Share a page"):
        by_key(desk, release_id, ada, checked=("1",))
    with pytest.raises(Invalid, match="no item"):
        by_key(desk, release_id, ada, checked=("3",))
    done = by_key(desk, release_id, ada, checked=("log in", "2"))
    assert done.votes[0]["checked"] == ["Log in", "Share a page"]
    assert b"Share a page" in gates.payload(done, "approve", done.checklist)
    assert "tried 2 of 2" in desk.texts(release_id)
    assert desk.drive(release_id).state is ReleaseState.DONE


def test_a_one_person_team_says_so_and_needs_no_second(make_desk):
    desk = make_desk(solo=True, protection="approvals = 3")
    release_id = waiting(desk)
    assert the_gate(desk).needs == 1
    desk.approve(release_id)
    assert the_gate(desk).how == "typed, solo"
    assert desk.drive(release_id).state is ReleaseState.DONE


def test_answers_lead_where_the_page_says(make_desk):
    desk = make_desk()
    fixed = desk.page.replace("approve / back to fix", "OK / back to fix / not now → pause")
    desk.commit("docs: page", playbooks__release_dot_md=fixed)
    first = waiting(desk)
    say = {"who": "Ada", "how": "typed"}
    release.answer(desk.repository, desk.history, first, None, "not now", **say)
    assert desk.drive(first).state is ReleaseState.PAUSED
    release.resume(desk.history, first, who="Ada")
    assert desk.drive(first).state is ReleaseState.WAITING and len(desk.history.find(Gate)) == 2
    release.answer(desk.repository, desk.history, first, None, "Back to fix", why="typo", **say)
    over = desk.drive(first)
    assert over.state is ReleaseState.ABORTED and "back to fix" in over.reason and "typo" in over.reason
    assert wakes.all_wakes(desk.history) == {} and json.loads(json.dumps(over.outputs))


def test_who_wrote_what_is_live_already_may_approve_what_comes_after(make_desk):
    desk = make_desk(solo=False)
    ada, bob = desk.list_key(name="ada"), desk.list_key(name="bob")
    desk.git("commit", "-q", "--allow-empty", "--author=Ada <a@example.invalid>", "-m", "feat: mine")
    first = waiting(desk)
    by_key(desk, first, bob)
    assert desk.drive(first).state is ReleaseState.DONE
    desk.git("commit", "-q", "--allow-empty", "--author=Bob <b@example.invalid>", "-m", "feat: his")
    desk.git("tag", "v9.9.9")
    second = waiting(desk)
    with pytest.raises(Refused, match="somebody else"):
        by_key(desk, second, bob)
    by_key(desk, second, ada)
    assert desk.drive(second).state is ReleaseState.DONE
