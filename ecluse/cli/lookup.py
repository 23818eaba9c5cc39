"""Finding the record that a person means by an id, or by enough of its beginning."""

from __future__ import annotations

from typing import Any

from ecluse.errors import Invalid
from ecluse.history import History
from ecluse.history.records import TABLES
from ecluse.model import Change


def find_change(history: History, text: str) -> Change:
    """The change called ``text``: ``id/revision``, ``id`` (its newest revision), or the beginning of an id.

    Raises :class:`Invalid` when there is none, or more than one.
    """
    exact = history.get(Change, text)
    if exact is not None:
        return exact
    revisions = history.find(Change, id=text)
    if revisions:
        return max(revisions, key=lambda change: change.revision)
    near = history.match(Change, text) if text else []
    ids = sorted({change.id for change in near})
    if len(ids) == 1:
        return max(near, key=lambda change: change.revision)
    raise _nothing(text, ids)


def find_any(history: History, text: str) -> Any:
    """The change, run, landing, release, gate, deployment or hold called ``text`` (or beginning so).

    Raises :class:`Invalid` when there is none, or more than one.
    """
    word = (
        text.partition("/")[2]
        if text.partition("/")[0] in ("change", "run", "landing", "release", "gate", "deployment", "hold")
        else text
    )
    found: list[Any] = []
    for noun in TABLES:
        exact = history.get(noun, word)
        if exact is not None:
            return exact
        if noun is not Change and word:
            found += history.match(noun, word)
    if len(found) == 1:
        return found[0]
    if found:
        raise _nothing(text, [one.id for one in found])
    return find_change(history, word)


def _nothing(text: str, near: list[str]) -> Invalid:
    if near:
        return Invalid("id.ambiguous", f"{text!r} may be {', '.join(near[:6])}.", "type more of the id")
    return Invalid("id.unknown", f"Nothing here is called {text!r}.", "ecluse history list shows the ids")
