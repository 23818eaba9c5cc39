"""Gates with real keys: who may answer, what an answer binds to, what silence means."""

from __future__ import annotations

import dataclasses

import pytest

from ecluse import clock, release, signing
from ecluse.errors import Invalid, Refused
from ecluse.history import wakes
from ecluse.model import Event, Gate, GateState, ReleaseState, Role
from ecluse.release import gates

needs_keys = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine")


def the_gate(yard) -> Gate:
    return yard.history.find(Gate)[-1]


@needs_keys
def test_a_listed_person_approves_by_key_and_the_signature_is_kept(make_yard):
    yard = make_yard(solo=False)
    key = yard.list_key()
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id, how="key", key=key)
    gate = the_gate(yard)
    assert (gate.answered_by, gate.how) == ("ada", "key")
    who = signing.verify(
        gates.payload(gate, "approve"),
        gate.signature,
        (yard.folder / ".ecluse/allowed_signers").read_bytes(),
        signing.APPROVAL,
    )
    assert who.name == "ada"
    with pytest.raises(Refused):
        signing.verify(
            gates.payload(gate, "reject"),
            gate.signature,
            (yard.folder / ".ecluse/allowed_signers").read_bytes(),
            signing.APPROVAL,
        )
    assert yard.drive(release_id).state is ReleaseState.DONE


@needs_keys
@pytest.mark.parametrize("role", [Role.AGENT, None])
def test_agents_and_strangers_are_refused(make_yard, role):
    yard = make_yard(solo=False)
    if role:
        key = yard.list_key(role, "bot")
    else:
        key = yard.key
        signing.make_key(key, "stranger")
    release_id = yard.start()
    yard.drive(release_id)
    with pytest.raises(Refused):
        yard.approve(release_id, how="key", key=key)
    assert the_gate(yard).state is GateState.OPEN


def test_a_typed_answer_counts_only_in_a_one_person_team(make_yard):
    yard = make_yard(solo=False)
    release_id = yard.start()
    yard.drive(release_id)
    for how in ("typed", "played", "key"):
        with pytest.raises(Refused, match="signed by a person's key") as refused:
            yard.approve(release_id, how=how)
        assert "solo = true" in refused.value.hint
    assert the_gate(yard).state is GateState.OPEN


def test_nobody_is_played_without_a_key_where_the_policy_does_not_say_so(make_yard):
    yard = make_yard(play=False)
    release_id = yard.start(played=True)
    yard.drive(release_id)
    with pytest.raises(Refused, match="play = true") as refused:
        yard.approve(release_id, how="played")
    assert refused.value.code == "gate.play"
    assert the_gate(yard).state is GateState.OPEN


@needs_keys
def test_nobody_approves_their_own_work_for_production(make_yard):
    yard = make_yard(solo=False)
    key = yard.list_key(name="person@example.invalid")
    release_id = yard.start()
    yard.drive(release_id)
    with pytest.raises(Refused, match="somebody else") as refused:
        yard.approve(release_id, how="key", key=key)
    assert "solo = true" in refused.value.hint


@needs_keys
def test_a_played_person_is_written_everywhere(make_yard):
    yard = make_yard(solo=False)
    key = yard.list_key()
    release_id = yard.start(played=False)
    yard.drive(release_id)
    yard.approve(release_id, how="played", key=key)
    assert the_gate(yard).how == "played with a key"
    assert yard.get(release_id).played is True
    assert "ada (played with a key)" in yard.texts(release_id) and "no person answered" in yard.texts(release_id)


def test_an_answer_that_comes_too_late_is_refused_and_silence_aborts(yard):
    release_id = yard.start()
    yard.drive(release_id)
    gate = the_gate(yard)
    late = dataclasses.replace(gate, expires_at=clock.after(-1))
    yard.history.record(late, Event("test", gate.subject, "time passes"))
    with pytest.raises(Refused, match="too late"):
        yard.approve(release_id)
    wakes.wake(yard.history, f"release/{release_id}")
    over = yard.drive(release_id, until=lambda r: r.state.is_terminal)
    assert over.state is ReleaseState.ABORTED and "nobody answered" in over.reason
    assert the_gate(yard).state is GateState.EXPIRED


def test_a_gate_has_a_timer(yard):
    release_id = yard.start()
    yard.drive(release_id)
    assert wakes.all_wakes(yard.history) == {f"release/{release_id}": the_gate(yard).expires_at}


def test_a_change_of_policy_makes_the_question_a_new_one(yard):
    release_id = yard.start()
    yard.drive(release_id)
    yard.commit("chore: policy", ecluse_dot_toml=yard.policy() + "\n# another policy\n")
    with pytest.raises(Refused, match="has changed"):
        yard.approve(release_id)
    wakes.wake(yard.history, f"release/{release_id}")
    yard.drive(release_id)
    old, new = yard.history.find(Gate)
    assert (old.state, new.state) == (GateState.VOID, GateState.OPEN)
    yard.approve(release_id)
    assert yard.drive(release_id).state is ReleaseState.DONE


def test_a_policy_changed_between_answer_and_deploy_keeps_the_release_out_of_production(yard):
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    yard.drive(release_id, until=lambda r: r.position == 5)
    yard.commit("chore: policy", ecluse_dot_toml=yard.policy() + "\n# another policy\n")
    over = yard.drive(release_id)
    assert over.state is ReleaseState.FAILED and "No approval holds" in over.reason
    assert yard.ask() == (0, {})


def test_an_approval_before_the_commit_is_known_does_not_count_for_production(yard):
    """The linter refuses such a page; a stored one (written by hand into the history) is stopped at the deploy."""
    release_id = yard.start()
    yard.drive(release_id, until=lambda r: r.position == 2)
    kept = yard.get(release_id)
    changed = dataclasses.replace(kept, source=kept.source.replace("- gate: go-live", "- uses: semver.decide"))
    yard.history.record(changed, Event("test", kept.subject, "the gate is taken out"))
    over = yard.drive(release_id)
    assert over.state is ReleaseState.FAILED and "No approval holds" in over.reason


def test_answers_that_are_none(yard):
    release_id = yard.start()
    with pytest.raises(Invalid, match="No gate"):
        yard.approve(release_id)
    yard.drive(release_id)
    with pytest.raises(Invalid, match="not an answer"):
        release.answer(yard.repository, yard.history, release_id, None, "perhaps", who="Ada", how="typed")
    with pytest.raises(Invalid, match="No gate 'other'"):
        release.answer(yard.repository, yard.history, release_id, "other", "approve", who="Ada", how="typed")
    with pytest.raises(Invalid, match="is no release here"):
        yard.approve("rel-nothing")
    yard.approve(release_id)
    with pytest.raises(Invalid):
        yard.approve(release_id)
