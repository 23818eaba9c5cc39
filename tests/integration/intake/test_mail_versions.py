"""A new version of a mailed series (``[PATCH v2]``) takes the place of the one before, and says what it changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Refused
from ecluse.history import History
from ecluse.intake.rerolls import compare_revisions
from ecluse.model import ChangeState

POLICY = 'trust = "all"\n'


@pytest.fixture
def mailed(bench: Any, sandbox: Any, tmp_path: Path) -> Any:
    """Writes the mail of one commit on main: its text, ``git format-patch`` options, and who sends it."""
    bench.commit("policy", ecluse_dot_toml=POLICY)
    box = sandbox()
    start = box.git("rev-parse", "HEAD")

    def write(name: str, text: str, *words: str, title: str = "feat: b", sender: str = "bo@example.invalid") -> Path:
        box.git("reset", "-q", "--hard", start)
        box.git("config", "user.email", sender)
        box.commit(title, b_dot_txt=text)
        path = tmp_path / name
        path.write_text(box.git("format-patch", "-1", "--stdout", *words) + "\n")
        return path

    return write


def test_the_next_version_is_the_same_change(bench: Any, history: History, helpers: Any, mailed: Any) -> None:
    first = helpers.take_in(bench, history, mailed("v1", "one\n"))
    assert (first.revision, first.state) == (1, ChangeState.READY)
    second = helpers.take_in(bench, history, mailed("v2", "one\ntwo\n", "-v2"))
    assert (second.id, second.revision, second.state) == (first.id, 2, ChangeState.READY)
    assert helpers.take_in(bench, history, mailed("v2 again", "one\ntwo\n", "-v2")).key == second.key
    found = compare_revisions(bench.repository, history, second)
    assert found is not None and (found.older, found.summary) == (first.key, "1 changed")
    before = history.get(type(first), first.key)
    assert before is not None and before.state is ChangeState.SUPERSEDED
    with pytest.raises(Refused) as other:
        helpers.take_in(bench, history, mailed("v2 of other words", "three\n", "-v2"))
    assert other.value.code == "replay.conflict"
    fourth = helpers.take_in(bench, history, mailed("v4", "four\n", "-v4"))
    assert (fourth.id, fourth.revision) == (first.id, 4)
    late = helpers.take_in(bench, history, mailed("v3", "late\n", "-v3"))
    assert (late.id, late.state, late.reason) == (first.id, ChangeState.SUPERSEDED, f"{fourth.key} came before it")


def test_it_is_known_by_the_mail_it_answers_or_by_its_change_id(
    bench: Any, history: History, helpers: Any, mailed: Any
) -> None:
    first = helpers.take_in(bench, history, mailed("1", "1\n", "--thread", "--add-header=Message-ID: <m1@x.invalid>"))
    answer = mailed("2", "2\n", "-v2", "--in-reply-to=<m1@x.invalid>", title="feat: another title")
    assert helpers.take_in(bench, history, answer).key == f"{first.id}/2"
    text = "Something\n\n---\nchange-id: 20260101-some-thing-0123456789ab\n"
    named = mailed("3", "3\n", title=f"feat: c\n\n{text}")
    begun = helpers.take_in(bench, history, named)
    again = mailed("4", "4\n", "--subject-prefix=RFC PATCH v2", title=f"feat: renamed\n\n{text}")
    assert helpers.take_in(bench, history, again).key == f"{begun.id}/2"


def test_what_proves_nothing_is_a_change_of_its_own(bench: Any, history: History, helpers: Any, mailed: Any) -> None:
    first = helpers.take_in(bench, history, mailed("1", "1\n"))
    same_title = helpers.take_in(bench, history, mailed("2", "2\n"))
    stranger = helpers.take_in(bench, history, mailed("3", "3\n", "-v2", sender="eve@example.invalid"))
    alone = helpers.take_in(bench, history, mailed("4", "4\n", "-v2", title="feat: never seen"))
    keys = {first.key, same_title.key, stranger.key, alone.key}
    assert len(keys) == 4 and all(key.endswith("/1") for key in keys)
    assert {one.state for one in history.find(type(first))} == {ChangeState.READY}
