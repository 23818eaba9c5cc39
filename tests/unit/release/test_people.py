"""Who is the same person: keys, and what the policy declares; nothing that somebody merely claims."""

from __future__ import annotations

import base64

from ecluse import config
from ecluse.model import Role
from ecluse.release.people import People, tokens_of
from ecluse.signing import Principal, fingerprint


def principal(name: str, number: int) -> Principal:
    kind = b"ssh-ed25519"
    blob = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + bytes([number]) * 32
    return Principal(name, Role.HUMAN, f"ssh-ed25519 {base64.b64encode(blob).decode()}")


def people(policy: str, *principals: Principal) -> People:
    return People(config.parse(policy.encode()), principals)


def test_tokens_do_not_depend_on_case_width_and_spaces() -> None:
    assert tokens_of("  Ada   LOVELACE ", "Ａda lovelace", "") == {"ada lovelace"}
    assert tokens_of("SHA256:AbC") == {"SHA256:AbC"}


def test_two_names_with_one_key_are_one_person() -> None:
    known = people("", principal("ada", 1), principal("lovelace", 1), principal("bob", 2))
    assert known.same(tokens_of("ada"), tokens_of("Lovelace"))
    assert known.same(tokens_of(fingerprint(principal("x", 1))), tokens_of("lovelace"))
    assert not known.same(tokens_of("ada"), tokens_of("bob"))


def test_the_policy_joins_keys_addresses_and_names_in_any_order() -> None:
    policy = '[people.ada]\nkeys = ["laptop", "{}"]\nemails = ["Ada@Example.invalid"]\naliases = ["Countess"]\n'
    third = fingerprint(principal("x", 3))
    known = people(policy.format(third), principal("laptop", 1), principal("desk", 3), principal("bob", 2))
    for one in ("laptop", "desk", "ada@example.INVALID", "countess", "ADA"):
        for other in ("laptop", "desk", "ada@example.invalid", "countess", "ada"):
            assert known.same(tokens_of(one), tokens_of(other)), (one, other)
        assert not known.same(tokens_of(one), tokens_of("bob"))
        assert known.name_of(tokens_of(one), "?") == "ada"
    assert known.name_of(tokens_of("bob"), "?") == "?"


def test_entries_that_share_anything_are_one_person() -> None:
    policy = '[people.ada]\nemails = ["a@example.invalid"]\n[people.countess]\nemails = ["A@example.invalid"]\n'
    known = people(policy, principal("ada", 1), principal("countess", 2))
    assert known.same(tokens_of("ada"), tokens_of("countess"))
