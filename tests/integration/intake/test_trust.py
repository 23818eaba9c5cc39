"""Who is trusted: signatures of bundles, and a person's answer on what waits for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake, signing
from ecluse.errors import Invalid, Refused
from ecluse.history import History
from ecluse.intake import keyring
from ecluse.model import Change, ChangeState, Role

pytestmark = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine")


@pytest.fixture
def keys(bench: Any, tmp_path: Path) -> dict[str, Path]:
    """Keys of an agent, two people and a stranger; all but the stranger's are on the trunk."""
    made = {}
    for name, role in (("bot", Role.AGENT), ("ann", Role.HUMAN), ("bob", Role.ADMIN)):
        made[name] = keyring.make(bench.repository, name, role, tmp_path / "keys" / name)[1]
    bench.git("add", "-A")
    bench.git("commit", "-qm", "keys")
    made["stranger"] = tmp_path / "keys" / "stranger"
    signing.make_key(made["stranger"], "stranger")
    return made


@pytest.fixture
def quarantined(bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path) -> Change:
    box = sandbox()
    box.commit("ci", _dot_github__workflows__ci_dot_yml="on: push\njobs: {}\n")
    change: Change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "q", sign=keys["ann"]).path)
    assert change.state is ChangeState.QUARANTINED
    return change


def exported(sandbox: Any, helpers: Any, tmp_path: Path, **options: Any) -> Any:
    box = sandbox("signed")
    box.commit("good", b_dot_txt="b\n")
    return helpers.export(box, to=tmp_path / "s", **options)


def test_a_signed_bundle_is_trusted_by_its_key(
    bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    done = exported(sandbox, helpers, tmp_path, sign=keys["bot"])
    change = helpers.take_in(bench, history, done.path)
    assert (change.state, change.trusted_by) == (ChangeState.READY, "key bot (agent)")


def test_an_unsigned_one_is_not_unless_policy_says_all(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    done = exported(sandbox, helpers, tmp_path)
    assert helpers.take_in(bench, history, done.path).trusted_by == ""
    bench.commit("open", ecluse_dot_toml='trust = "all"\n')
    box = sandbox("later")
    box.commit("good", c_dot_txt="c\n")
    assert (
        helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "l").path).trusted_by == "policy: trust = all"
    )


def test_a_signature_that_does_not_fit_is_refused(
    bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    done = exported(sandbox, helpers, tmp_path, sign=keys["stranger"])
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.REJECTED
    assert change.reason.startswith("signature.invalid:")


def test_a_manifest_altered_after_signing_is_refused(
    bench: Any, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    done = exported(sandbox, helpers, tmp_path, sign=keys["bot"])
    said = json.loads(done.path.read_bytes())
    said["note"] = "altered"
    done.path.write_text(json.dumps(said))
    assert intake.examine(bench.repository, done.path)[0].reason == "signature.invalid"


def test_a_signed_change_is_not_superseded_by_somebody_elses(
    bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.commit("good", b_dot_txt="b\n")
    first = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "1", sign=keys["bot"]).path)
    box.commit("better", b_dot_txt="c\n")
    second = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "2").path)
    assert second.id == first.id
    assert "supersede.unproven" in {one.code for one in second.findings}
    assert history.get(Change, first.key) == first
    third = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "3", sign=keys["bot"]).path)
    renewed = history.get(Change, first.key)
    assert renewed is not None
    assert (third.state, renewed.state) == (ChangeState.READY, ChangeState.SUPERSEDED)


def test_an_accepted_change_is_ready_and_trusted(bench: Any, history: History, keys: Any, quarantined: Change) -> None:
    done = intake.review(
        bench.repository, history, quarantined.key, accept=True, why="looked at it", who="bob", key_file=keys["bob"]
    )
    assert (done.state, done.trusted_by) == (ChangeState.READY, "person bob (signed)")
    assert bench.git("rev-parse", f"refs/ecluse/changes/{done.id}/1") == done.head
    event = history.events(kind="change.accepted")[0]
    assert event.actor == "bob"
    statement = event.data["statement"].encode()
    assert (
        signing.verify(
            statement,
            event.data["signature"],
            bench.repository.read("main", ".ecluse/allowed_signers"),
            signing.APPROVAL,
        ).name
        == "bob"
    )
    assert json.loads(statement)["head"] == done.head


@pytest.mark.parametrize(
    ("who", "code"), [("bot", "signature.invalid"), ("stranger", "signature.invalid"), ("ann", "review.own_change")]
)
def test_who_may_not_accept(bench: Any, history: History, keys: Any, quarantined: Change, who: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        intake.review(bench.repository, history, quarantined.key, accept=True, why="mine", who=who, key_file=keys[who])
    assert refusal.value.code == code
    assert history.get(Change, quarantined.key) == quarantined


def test_a_typed_answer_counts_only_in_a_one_person_team(bench: Any, history: History, quarantined: Change) -> None:
    with pytest.raises(Refused) as refusal:
        intake.review(bench.repository, history, quarantined.key, accept=True, why="ok", who="me", how="typed")
    assert refusal.value.code == "review.needs_key"
    bench.commit("solo", ecluse_dot_toml="solo = true\n")
    done = intake.review(bench.repository, history, quarantined.key, accept=True, why="ok", who="me", how="typed")
    assert (done.state, done.trusted_by) == (ChangeState.READY, "person me (typed at a terminal)")


def test_rejecting_ends_it(bench: Any, history: History, keys: Any, quarantined: Change) -> None:
    done = intake.review(
        bench.repository, history, quarantined.key, accept=False, why="no", who="bob", key_file=keys["bob"]
    )
    assert (done.state, done.reason) == (ChangeState.REJECTED, "review.rejected: no")
    with pytest.raises(Invalid) as refusal:
        intake.review(
            bench.repository, history, quarantined.key, accept=True, why="yes", who="bob", key_file=keys["bob"]
        )
    assert refusal.value.code == "review.over"


def test_a_review_needs_a_reason_a_change_and_a_key(
    bench: Any, history: History, keys: Any, quarantined: Change
) -> None:
    for key, why, key_file, code in (
        (quarantined.key, " ", keys["bob"], "review.why"),
        ("no-such/1", "x", keys["bob"], "change.unknown"),
        (quarantined.key, "x", Path("/no/such/key"), "keys.missing"),
        (quarantined.key, "x", None, "review.needs_key"),
    ):
        with pytest.raises((Invalid, Refused)) as refusal:
            intake.review(bench.repository, history, key, accept=True, why=why, who="bob", key_file=key_file)
        assert refusal.value.code == code


def test_accepting_what_conflicts_by_now(bench: Any, history: History, keys: Any, quarantined: Change) -> None:
    bench.commit("same file", _dot_github__workflows__ci_dot_yml="on: pull_request\n")
    done = intake.review(
        bench.repository, history, quarantined.key, accept=True, why="ok", who="bob", key_file=keys["bob"]
    )
    assert done.state is ChangeState.CONFLICT


def test_the_list_of_keys(bench: Any, keys: Any) -> None:
    assert [(one.name, one.role) for one in keyring.listed(bench.repository)] == [
        ("bot", Role.AGENT),
        ("ann", Role.HUMAN),
        ("bob", Role.ADMIN),
    ]
    public = keys["stranger"].with_name("stranger.pub").read_text()
    assert keyring.add(bench.repository, "carl", Role.HUMAN, public).name == "carl"
    for name, text, code in (
        ("carl", public, "keys.exists"),
        ("dora", public, "keys.exists"),
        ("a b", public, "keys.name"),
        ("eve", "nothing", "keys.public"),
        ("eve", "ssh-ed25519 !!!", "keys.public"),
    ):
        with pytest.raises(Invalid) as refusal:
            keyring.add(bench.repository, name, Role.HUMAN, text)
        assert refusal.value.code == code
    with pytest.raises(Invalid) as refusal:
        keyring.make(bench.repository, "frank", Role.HUMAN, keys["bob"])
    assert refusal.value.code == "keys.file_exists"


def test_names_and_addresses_of_people_need_their_keys(
    bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    """A person's name is refused without the person's key; an agent's is a claim; the forge is nobody here."""
    people = {"Ann": "a@example.invalid", "x": "BOB", "y": "noreply@github.com", "bot": "b@example.invalid"}
    found = {}
    for number, (name, address) in enumerate(people.items()):
        box = sandbox(f"people-{number}")
        box.write("b.txt", f"{name}\n")
        box.git("add", "-A")
        box.git("-c", f"user.name={name}", "-c", f"user.email={address}", "commit", "-qm", "work")
        change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / f"p{number}").path)
        found[name] = (change.state.value, sorted({one.code for one in change.findings}))
    assert found == {
        "Ann": ("rejected", ["author.mismatch"]),
        "x": ("rejected", ["author.mismatch"]),
        "y": ("rejected", ["author.mismatch"]),
        "bot": ("ready", ["author.unproven"]),
    }


def test_the_signer_and_unknown_people_are_recorded_and_the_landing_names_the_key(
    bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    from ecluse import landing

    done = exported(sandbox, helpers, tmp_path, sign=keys["bot"])
    change = helpers.take_in(bench, history, done.path)
    assert (change.agent, change.agent_name) == ("a1", "bot")
    assert change.about["people"] == ["Test Person <person@example.invalid>"]
    listed = next(one for one in keyring.listed(bench.repository) if one.name == "bot")
    assert change.about["key"] == signing.fingerprint(listed)
    assert signing.fingerprint(listed).startswith("SHA256:")
    asked = landing.enqueue(bench.repository, history, change.key, actor="me")
    assert asked.agent == "bot"


def test_a_key_that_was_removed_counts_no_more_once_that_is_on_the_trunk(
    bench: Any, history: History, helpers: Any, keys: Any, sandbox: Any, tmp_path: Path
) -> None:
    before = keyring.signers_file(bench.repository).read_bytes()
    gone = keyring.remove(bench.repository, "bot")
    assert (gone.name, gone.role) == ("bot", Role.AGENT)
    after = keyring.signers_file(bench.repository).read_bytes()
    assert after == b"".join(line for line in before.splitlines(keepends=True) if not line.startswith(b"bot "))
    with pytest.raises(Invalid, match="Nobody called 'bot'"):
        keyring.remove(bench.repository, "bot")
    box = sandbox("signed")
    box.commit("good", b_dot_txt="b\n")
    assert helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "1", sign=keys["bot"]).path).trusted_by
    bench.git("commit", "-qam", "keys: bot left")
    box.commit("more", c_dot_txt="c\n")
    late = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "2", sign=keys["bot"]).path)
    assert late.trusted_by == ""
    keyring.add(bench.repository, "bot", Role.AGENT, keys["bot"].with_name("bot.pub").read_text())


def test_what_is_no_public_key_is_named_as_what_it_is(bench: Any, keys: Any) -> None:
    for text, code in (
        (keys["ann"].read_text(), "keys.private"), ("root:x:0:0 root /root", "keys.public"), ("one", "keys.public"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as caught:
            keyring.add(bench.repository, "carl", Role.HUMAN, text)
        assert caught.value.code == code
        assert "PRIVATE" not in caught.value.message
