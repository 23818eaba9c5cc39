"""Taking back what others have built on since: a revert, made as objects only, that lands like any other change."""

from __future__ import annotations

import dataclasses

from ecluse.clock import instant, new_id
from ecluse.errors import Invalid
from ecluse.git import Repository
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.history import History
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Verdict

METHOD = "revert"


def make_revert(repository: Repository, history: History, key: str, *, actor: str) -> Change:
    """A change that takes a landed one back: one commit on what landed, with the tree from before it.

    Merged with the target as it is now it undoes exactly that and keeps what came later, or conflicts with it. The same
    revert is returned as long as it is not over. Raises :class:`Invalid` for a change that has not landed.
    """
    change = history.get(Change, key)
    landed = [
        one
        for one in history.find(Landing, change=key, newest_first=True)
        if one.state is LandingState.LANDED and one.candidate and one.base
    ]
    if change is None or change.state is not ChangeState.LANDED or not landed:
        raise Invalid("undo.not_landed", f"{key} has not landed; there is nothing to undo.", f"ecluse show {key}")
    for other in history.find(Change, digest=f"revert:{key}", newest_first=True):
        if not other.state.is_terminal or other.state is ChangeState.LANDED:
            return other
    return _make(repository, history, change, landed[0], actor)


def settle_revert(history: History, key: str, revert: Change, *, actor: str) -> Change:
    """Record that ``key`` is undone by ``revert``, which has landed."""
    change = history.get(Change, key)
    if change is None or change.state is ChangeState.UNDONE:
        raise Invalid("change.over", f"{key} is undone already.", f"ecluse show {key}")
    over = dataclasses.replace(change, state=ChangeState.UNDONE, wants_landing=False, updated_at=instant())
    text = f"{key} is undone by {revert.key}, which landed on {change.target}"
    from ecluse.landing.publish import facts_of

    data = {"revert": revert.key, "target": change.target, **facts_of(history, change)}
    history.record(over, Event("change.undone", change.subject, text, actor, data))
    return over


def _make(repository: Repository, history: History, change: Change, landing: Landing, actor: str) -> Change:
    who = repository.identity() or FALLBACK_IDENTITY
    moment = instant()
    title = f"Revert: {change.title}"
    message = f"{title}\n\nTakes back {change.key}, landed as {landing.candidate}.\n"
    tree = repository.tree_id(landing.base)
    head = repository.commit_tree(tree, [landing.candidate], message, who, moment)
    name = new_id("chg")
    ref = f"refs/ecluse/changes/{name}/1"
    repository.move_ref(ref, head, "", "ecluse: revert")
    made = Change(
        key=f"{name}/1", id=name, revision=1, state=ChangeState.READY, title=title, agent=actor,
        target=landing.target, digest=f"revert:{change.key}", source=change.key, created_at=moment, updated_at=moment,
        verdict=Verdict.ACCEPT, base=landing.candidate, head=head, tree=tree, ref=ref, method=METHOD,
        commits={head: head}, files=tuple(one.path for one in repository.changed_paths(landing.candidate, head)),
        trusted_by=f"person {actor} (undo)",
    )  # fmt: skip
    text = f"{made.key} takes back {change.key}; it goes through the checks like any other change"
    history.record(made, Event("change.ready", made.subject, text, actor, {"reverts": change.key, "verdict": "accept"}))
    return made
