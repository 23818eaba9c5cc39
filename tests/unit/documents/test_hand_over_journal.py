"""What the trunk keeps of what landed: one row and one page for each agent, what people wrote stays."""

from __future__ import annotations

import dataclasses

import pytest

from ecluse.documents import journal
from ecluse.documents.journal import Entry


def entry(agent: str = "agent-1", change: str = "chg-1", **changed: object) -> Entry:
    made = Entry(
        change=change, revision=1, title="feat: x | y\n## forged", agent=agent, branch="main", base="b" * 40,
        at="2026-01-02T03:04:05.000000Z", commits=(("c" * 40, "feat: x"),), files=("a.py", "b|c`d"),
        validations=({"name": "pytest", "result": "success"},), not_carried=(".env",),
        note="Fait: tout\n## Reste\n## forged heading\n- les tests\nAttention: <b>x</b>",
    )  # fmt: skip
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]


def land(tree: dict[str, str], *entries: Entry, language: str = "en") -> dict[str, str]:
    for one in entries:
        tree |= journal.updated(one, language, tree.get)  # type: ignore[arg-type]
    return tree


def test_two_agents_have_rows_and_pages_of_their_own() -> None:
    tree = land({}, entry(), entry("zoé", "chg-2"), entry(change="chg-3"))
    pages = sorted(path for path in tree if path.startswith("docs/passation/"))
    assert pages[0] == "docs/passation/agent-1.md"
    assert len(pages) == 2
    state = tree["AGENT_SYNC.md"]
    assert state.count("\n| [") == 2
    assert "| [agent-1](docs/passation/agent-1.md) | 2 | `chg-3`/1 |" in state
    assert "| [agent-1](passation/agent-1.md) | 2 | `chg-3`/1 |" in tree["docs/passation.md"]
    first, second = tree[pages[0]].split("\n## ")[1:]
    assert "chg-3" in first and "chg-1" in second, "the newest first"
    assert "forged heading" not in [line for line in tree[pages[0]].splitlines() if line.startswith("#")]


def test_an_entry_says_what_was_done_and_what_is_left() -> None:
    page = land({}, entry(), language="fr")["docs/passation/agent-1.md"]
    for fact in ("`cccccccccccc` feat: x", "`a.py`", "pytest réussi", "`.env`", "Fait:", "> tout", "Reste à faire:",
                 "> les tests", "\\<b\\>x"):  # fmt: skip
        assert fact in page, fact
    assert "<b>" not in page


def test_the_same_entry_gives_the_same_bytes() -> None:
    assert land({}, entry(), entry("b")) == land({}, entry(), entry("b"))


def test_what_people_wrote_stays() -> None:
    tree = {
        "AGENT_SYNC.md": "# Ours\n\nread me\n",
        "docs/passation.md": f"# J\n\nabove\n\n{journal.BEGIN}\n| old |\n{journal.END}\n\nbelow\n",
        "docs/passation/agent-1.md": "# My page\n\nhello\n\n## an entry by hand\n\nwords\n",
    }
    done = land(dict(tree), entry())
    assert done["AGENT_SYNC.md"].startswith("# Ours\n\nread me\n\n<!-- ecluse:begin sync -->")
    assert done["docs/passation.md"].startswith("# J\n\nabove\n") and done["docs/passation.md"].endswith("\n\nbelow\n")
    assert "| old |" not in done["docs/passation.md"]
    page = done["docs/passation/agent-1.md"]
    assert page.startswith("# My page\n\nhello\n\n## 2026-01-02 03:04 UTC, chg-1/1")
    assert page.endswith("## an entry by hand\n\nwords\n")


@pytest.mark.parametrize("name", ["CON", "nul", "..", "a/b", "", "É", "x" * 90, "Agent-1"])
def test_page_names_are_plain_and_apart(name: str) -> None:
    path = journal.page_of(name)
    assert path.removeprefix("docs/passation/").replace("-", "").removesuffix(".md").isalnum()
    assert path != journal.page_of("agent-1") and len(path) < 80
    assert journal.page_of(name) == path


def test_accents_leave_their_letters_in_the_name() -> None:
    assert journal.page_of("Équipe Noël").startswith("docs/passation/equipe-noel-")
    assert journal.page_of("Équipe Noël") != journal.page_of("Equipe Noel")


def test_a_page_does_not_grow_for_ever() -> None:
    tree: dict[str, str] = {}
    for number in range(journal.ENTRIES_CAP + 5):
        land(tree, entry(change=f"chg-{number}"))
    page = tree["docs/passation/agent-1.md"]
    assert page.count("\n## ") == journal.ENTRIES_CAP
    assert page.count("Older ones are in the history") == 1
    assert f"| {journal.ENTRIES_CAP + 5} |" in tree["AGENT_SYNC.md"]
