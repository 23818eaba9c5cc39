"""The tables of a page: answers with their targets, how many people, silence with a deadline, moves of a way back."""

from __future__ import annotations

import pytest

from ecluse.release import compile_playbook, durations
from ecluse.release.playbook import Action, Move

PAGE = """---
playbook: small
format: 1
concurrency: one-at-a-time
deadline: 3 h
---
# Small

## Sequence

### [1] Look — by human

- [ ] log in
- [x] enter hours
- gate: sign-off staging

## Gates humains bloquants

| Gate | Decision | Owner | Besoin | Si personne ne répond |
|---|---|---|---|---|
| sign-off staging (1) | OK / RETOUR FIX → abort / pause → pause | Yan ou Corentin (by hand) | 2 sur 2 | rollback après 30 min |

## Rollback

| Scenario | Action | Demander |
|---|---|---|
| health.http fails | previous version | no |
| by hand: migration | `backup.restore name=db`, then previous version | oui |
| à la main : credentials | `secrets.rotate`, `deploy.command run="a, b"` + same version + `audit.report` | yes |

## Outputs

- a tag
"""


def test_a_gate_says_who_how_many_where_each_answer_leads_and_what_silence_means():
    playbook = compile_playbook(PAGE, "p.md")
    gate = playbook.gate("sign-off staging")
    assert gate is not None
    assert gate.answers == ("OK", "RETOUR FIX", "pause") and gate.targets == ("go", "abort", "pause")
    assert gate.who == ("Yan", "Corentin") and gate.needs == 2 and gate.step == 1
    assert (gate.silence, gate.deadline_s) == ("rollback", 1800.0)
    assert gate.target("RETOUR FIX") == "abort" and gate.target("unknown") == "abort"
    assert playbook.checklist("sign-off staging") == ("log in", "enter hours")
    assert (playbook.concurrency, playbook.deadline_s, playbook.outputs) == ("one-at-a-time", 10800.0, ("a tag",))


def test_the_moves_of_a_way_back_stand_in_their_order():
    playbook = compile_playbook(PAGE, "p.md")
    health = playbook.rollback_rule("health.http")
    assert health is not None and health.moves == (Move("previous"),) and not health.ask and health.do == "previous"
    migration = playbook.rollback_by_hand("migration")
    assert migration is not None and migration.ask and migration.do == "previous"
    assert [move.kind for move in migration.moves] == ["action", "previous"]
    called = migration.moves[0].action
    assert isinstance(called, Action) and (called.name, called.arguments) == ("backup.restore", {"name": "db"})
    credentials = playbook.rollback_by_hand("credentials")
    assert credentials is not None and credentials.do == "same"
    assert [m.action.name if m.action else m.kind for m in credentials.moves] == [
        "secrets.rotate",
        "deploy.command",
        "same",
        "audit.report",
    ]
    assert playbook.rollback_rule("migration") is None


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("30 min", 1800),
        ("24h", 86400),
        ("2 jours", 172800),
        ("90", 90),
        ("1.5 h", 5400),
        ("soon", None),
        ("", None),
        ("٣ h", None),
        ("99999999 days", None),
        ("36525 d", 36525 * 86400),
    ],
)
def test_lengths_of_time(said, wanted):
    assert durations.seconds(said) == wanted
