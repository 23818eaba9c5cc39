"""The three documents: everything the specification asks for, from facts, in two languages, inert for a reader."""

from __future__ import annotations

import dataclasses
import re
import string

import pytest

from ecluse.documents import note, session, words
from ecluse.documents.session import Session
from ecluse.model import Agent

NOTE = """Some words before.

## Done
- the parser
- [x] its tests

**Left:** the docs
Reste : le reste
In progress: refactoring
## Attention
<img src=x onerror=alert(1)> | `cell`
Problems: the build was slow
Setup: export FOO=1
Recommandations : relire
"""


def facts(**changed: object) -> Session:
    made = Session(
        change="chg-1", revision=2, title="feat: a <b>|c", agent=Agent("a1", tool="t", model="m", session="s", task="k"),
        at="2026-01-02T03:04:05.000000Z", name="sync_cloud_x.json", branch="work", target="main", base="b" * 40,
        based="upstream", head="e" * 40, tree="f" * 40, uncommitted="e" * 40,
        commits=(("c" * 40, "feat: a", "Ann"),), merges=1,
        files=(("A", "new.py", "committed"), ("M", "docs/x.md", "unstaged"), ("M", "package.json", "staged"),
               ("M", ".github/workflows/ci.yml", "committed")),
        lines=(12, 3),
        not_carried=({"path": ".env", "reason": "sensitive"}, {"path": "x.o", "reason": "ignored"}),
        validations=(
            {"name": "python-syntax", "result": "success", "duration_ms": 12.6, "detail": "1 Python file"},
            {"name": "pytest", "result": "failure", "duration_ms": 3000, "detail": "1 failed\nmore"},
            {"name": "ruff", "result": "skipped", "duration_ms": 0, "detail": "not checked: ruff is not installed"},
        ),
        payloads=(("sync_cloud_x.bundle", 1234, "d" * 64),), note=NOTE, signed=False,
    )  # fmt: skip
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]


SAID = {
    "sync-session-summary": ["feat: a", "new.py", "python-syntax", "12", "+12 -3", "1 failed", "`.env`", "the docs"],
    "agent-handoff": ["a1", "tool t|outil t", "the parser", "refactoring", "the docs", "le reste", "alert", "FOO=1",
                      "package.json", "ci.yml", "relire", "ecluse land chg-1", "ecluse import sync_cloud_x.json"],
    "checklist-pre-sync": ["[x] python-syntax", "[ ] pytest", "`docs/x.md`", "1234", "d" * 64, "`.env`",
                           "ecluse import --undo chg-1"],
}  # fmt: skip
HEADINGS = {
    ("sync-session-summary", "en"): ["Objective", "changed", "Tests and validations", "Figures", "Problems", "next session"],
    ("sync-session-summary", "fr"): ["Objectif", "Modifications", "Tests et validations", "Métriques",
                                     "Problèmes rencontrés", "prochaine session"],
    ("agent-handoff", "en"): ["Context", "Tasks", "attention", "configuration", "Recommendations"],
    ("agent-handoff", "fr"): ["Contexte", "Tâches", "attention", "Configuration requise", "Recommandations"],
    ("checklist-pre-sync", "en"): ["Obligatory", "Preparation", "quality", "Transfer", "Communication", "Taking it back"],
    ("checklist-pre-sync", "fr"): ["obligatoires", "Préparation", "qualité", "Transfert", "Communication", "Annulation"],
}  # fmt: skip


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("name", session.NAMES)
def test_each_has_what_the_specification_lists(name: str, language: words.Language) -> None:
    text = session.render(facts(), language)[name]
    titles = re.findall(r"^## (.*)$", text, flags=re.M)
    for wanted, title in zip(HEADINGS[name, language], titles, strict=False):
        assert wanted in title
    assert len(titles) >= len(HEADINGS[name, language])
    for fact in SAID[name]:
        assert any(one in text for one in fact.split("|")), fact
    assert "${" not in text and "____" not in text, "nothing is left to fill in"
    assert "<img" not in text.replace("\\<", "") and "feat: a \\<b\\>\\|c" in text


def test_both_languages_know_the_same_facts() -> None:
    for name in session.NAMES:
        used = {one: set(string.Template(session.template(name, one)).get_identifiers()) for one in words.LANGUAGES}
        assert used["en"] == used["fr"]
    for key, texts in words.WORDS.items():
        fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in texts]
        assert fields[0] == fields[1], key


def test_an_empty_session_has_no_holes_either() -> None:
    bare = facts(
        agent=Agent("a"), note="", commits=(), merges=0, files=(), lines=None, not_carried=(), validations=(),
        payloads=(), base="", target="", uncommitted="", signed=True,
    )  # fmt: skip
    for language in words.LANGUAGES:
        for text in session.render(bare, language).values():
            assert "${" not in text
            assert not re.search(r"\n\n\n", text)
            assert not re.search(r"^- $", text, flags=re.M)


def test_own_forms_are_used_and_shipped_ones_follow_the_language() -> None:
    mine = {"agent-handoff": "Ours: ${title}, costs $5, ${unknown}\n"}
    done = session.render(facts(), "fr", mine.get)
    assert done["agent-handoff"] == "Ours: feat: a \\<b\\>\\|c, costs $5, ${unknown}\n"
    as_shipped = session.render(facts(), "fr", lambda name: session.template(name, "en").replace("\n", "\r\n"))
    assert as_shipped == session.render(facts(), "fr")


def test_reasons_and_bases_are_told_in_the_language_of_the_document() -> None:
    left = ({"path": ".env", "reason": "sensitive"}, {"path": "x", "reason": "of another kind"})
    some = facts(not_carried=left, based="upstream", base="1" * 40)
    french = session.render(some, "fr")
    assert "(sensible)" in french["agent-handoff"] and "(of another kind)" in french["agent-handoff"]
    assert "(branche suivie)" in french["checklist-pre-sync"]
    assert "sensitive" not in "".join(french.values())
    assert "(upstream)" in session.render(some, "en")["checklist-pre-sync"]


@pytest.mark.parametrize(
    ("asked", "environ", "wanted"),
    [
        ("fr", {"LANG": "en_US.UTF-8"}, "fr"),
        ("en", {"LC_ALL": "fr_FR"}, "en"),
        ("", {"LANG": "fr_CA.UTF-8"}, "fr"),
        ("", {"LC_ALL": "C", "LANG": "fr_FR"}, "en"),
        ("", {"LC_MESSAGES": "fr", "LANG": "C"}, "fr"),
        ("", {"LANG": "frisian"}, "en"),
        ("", {}, "en"),
    ],
)
def test_which_language(asked: str, environ: dict[str, str], wanted: str) -> None:
    assert words.choose(asked, environ) == wanted


def test_a_note_is_sorted_by_its_headings() -> None:
    found = note.read(NOTE)
    assert found[""] == ["Some words before."]
    assert found["done"] == ["the parser", "its tests"]
    assert found["left"] == ["the docs", "le reste"]
    assert found["doing"] == ["refactoring"]
    assert found["problems"] == ["the build was slow"]
    assert found["setup"] == ["export FOO=1"]
    assert found["advice"] == ["relire"]
    assert note.read("http://x.invalid: a b\nnone of: these") == {"": ["http://x.invalid: a b", "none of: these"]}


def test_quoted_words_lose_their_secrets(dice: object) -> None:
    import random

    made = random.Random(7)
    secret = "gh" + "p_" + "".join(made.choice(string.ascii_letters + string.digits) for _ in range(36))
    assert note.quoted([f"token {secret}", "fine"]) == ["> (…)", "> fine"]
