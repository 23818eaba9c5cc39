"""The message of uncommitted work: the one commit of a change whose words may be replaced, because nobody wrote them."""

from __future__ import annotations

import dataclasses
from typing import Any

from ecluse.clock import instant
from ecluse.errors import Invalid, Refused
from ecluse.git import Identity, Repository
from ecluse.history import History, perform
from ecluse.history.journal import Probed
from ecluse.intake.admission import write_receipt
from ecluse.intake.manifest import MARK, clean
from ecluse.model import Change, ChangeState, Event, Landing
from ecluse.secrets.scan import scan


def is_open(repository: Repository, change: Change) -> bool:
    """Whether the change's last commit is marked as uncommitted work that nobody has written a message for yet."""
    if change.state is not ChangeState.READY or change.method not in ("bundle", "patch") or not change.head:
        return False
    if change.about.get("uncommitted") != change.head or repository.resolve(change.head) != change.head:
        return False
    return MARK in repository.commits(f"{change.head}^!")[0].message.split("\n")


def message_of(repository: Repository, change: Change) -> str:
    """The message of the change's last commit, without the mark."""
    text = repository.commits(f"{change.head}^!")[0].message
    return "\n".join(line for line in text.split("\n") if line != MARK).strip()


def set_message(repository: Repository, history: History, key: str, message: str, *, actor: str) -> Change:
    """Give the uncommitted work of a change this message: a new commit with the same tree, parents and author.

    Raises :class:`Invalid` (``tip.empty``, ``tip.closed``: commits that somebody made keep their words; or it
    is on its way already) and :class:`Refused` (``secret.in_message``).
    """
    change = history.get(Change, key)
    if change is None:
        raise Invalid("change.unknown", f"There is no change {key!r} here.", "ecluse history list")
    words = clean(message, multiline=True)
    if not words:
        raise Invalid("tip.empty", "The message is empty; the work keeps the one it has.", f"ecluse land {key}")
    busy = any(not one.state.is_terminal for one in history.find(Landing, change=key))
    if not is_open(repository, change) or busy:
        raise Invalid(
            "tip.closed",
            f"{key} has no uncommitted work whose message could be written; commits land as they were made.",
            f"ecluse show {key}",
        )
    if scan(words.encode("utf-8")):
        raise Refused(
            "secret.in_message",
            "The message holds what looks like a secret. The value is not shown.",
            "write it without, then type the same again",
        )
    return _replace_tip(repository, history, change, words, actor)


def _replace_tip(repository: Repository, history: History, change: Change, words: str, actor: str) -> Change:
    tip = repository.commits(f"{change.head}^!")[0]
    who: Identity = tip.author
    new = repository.commit_tree(change.tree, tip.parents, words + "\n", who, tip.when)

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        repository.move_ref(change.ref, new, change.head, "ecluse: message of uncommitted work")
        return {"old": change.head, "new": new}

    def probe(plan: dict[str, Any]) -> Probed:
        return Probed(repository.refs(change.ref).get(change.ref) == new, {"old": change.head, "new": new})

    plan = {"ref": change.ref, "old": change.head, "new": new}
    perform(history, change.subject, f"message.{new[:12]}", do, probe=probe, plan=plan)
    commits = {old: (new if at == change.head else at) for old, at in change.commits.items()}
    about = {**change.about, "message_edited": change.head}
    about.pop("uncommitted", None)
    title = words.split("\n", 1)[0] if len(change.commits) == 1 else change.title
    done = dataclasses.replace(
        change, head=new, commits=commits, about=about, title=title, updated_at=instant()
    )  # fmt: skip
    with history.transaction():
        write_receipt(repository.state_dir, done)
        text = f"{change.key}: the uncommitted work is committed as {new[:12]}: {title}"
        data = {"old": change.head, "new": new, "tree": change.tree}
        history.record(done, Event("change.committed", change.subject, text, actor, data))
    return done
