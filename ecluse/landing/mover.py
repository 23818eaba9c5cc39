"""Moving the target: checkout first, then the ref by compare-and-swap, then read back.

The checkout goes first because git refuses it whole when it would touch uncommitted work; a ref moved beneath a
checkout that could not follow would be reverted by its owner's next commit.
"""

from __future__ import annotations

from typing import Any

from ecluse.errors import Failed, Waits
from ecluse.git import RefMoved, Repository
from ecluse.git.following import follow, overlapping
from ecluse.history import History, perform
from ecluse.history.journal import EffectState, Probed, effect_of
from ecluse.landing import branches
from ecluse.model import Landing


def blocked_paths(repository: Repository, landing: Landing) -> tuple[str, ...]:
    """Paths with uncommitted work, in whatever checkout shows the target, that the landing would touch."""
    found: list[str] = []
    for folder in repository.checked_out_at(landing.target):
        found += overlapping(Repository.discover(folder), landing.base, landing.candidate)
    return tuple(dict.fromkeys(found))


def step_of(landing: Landing) -> str:
    """The journal's name of this attempt's move."""
    return f"move.{landing.attempt}"


def is_begun(history: History, landing: Landing) -> bool:
    """Whether the move of this attempt was begun and not recorded as done: a death lies between."""
    effect = effect_of(history, landing.subject, step_of(landing))
    return effect is not None and effect.state is EffectState.BEGUN


def move(repository: Repository, history: History, landing: Landing, *, backups: int = 0) -> dict[str, Any]:
    """Bring the target from ``landing.base`` to ``landing.candidate``, once, with the checkouts that show it.

    A branch ``backup/before-sync-*`` is made at ``landing.base`` first; the newest ``backups`` of them are kept (0: none is made).

    Raises :class:`Waits` (``checkout.blocked``) with the ref where it was when a checkout cannot follow, and
    :class:`RefMoved` when somebody else moved the target; the checkouts are then back where they were.
    """
    if is_begun(history, landing):
        repository.clear_dead_locks("index", "HEAD", "packed-refs", landing.target)

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        if plan.get("backup"):
            branches.back_up(repository, str(plan["backup"]), landing.base)
        followed = _follow_all(repository, landing)
        try:
            repository.move_ref(landing.target, landing.candidate, landing.base, f"ecluse: {landing.id}")
        except RefMoved:
            for checkout in followed:
                follow(checkout, landing.candidate, landing.base)
            raise
        if plan.get("backup"):
            branches.prune_backups(repository, landing.target, backups)
        return _read_back(repository, landing, len(followed))

    def probe(plan: dict[str, Any]) -> Probed:
        now = repository.refs(landing.target).get(landing.target, "")
        if now == landing.candidate or (now and repository.is_ancestor(landing.candidate, now) and now != landing.base):
            return Probed(True, {"target": landing.target, "at": now})
        return Probed(False)

    plan = {"target": landing.target, "old": landing.base, "new": landing.candidate, "tree": landing.tree}
    if backups:
        plan["backup"] = branches.backup_name(repository)
    return perform(history, landing.subject, step_of(landing), do, probe=probe, plan=plan)


def _follow_all(repository: Repository, landing: Landing) -> list[Repository]:
    followed: list[Repository] = []
    for folder in repository.checked_out_at(landing.target):
        checkout = Repository.discover(folder)
        try:
            follow(checkout, landing.base, landing.candidate)
        except Waits:
            for earlier in followed:
                follow(earlier, landing.candidate, landing.base)
            raise
        followed.append(checkout)
    return followed


def _read_back(repository: Repository, landing: Landing, checkouts: int) -> dict[str, Any]:
    now = repository.refs(landing.target).get(landing.target, "")
    tree = repository.tree_id(now) if now else ""
    if tree != landing.tree:
        raise Failed(
            "landing.read_back",
            f"{landing.target} holds tree {tree[:12]} after the move, but {landing.tree[:12]} was tested.",
            f"git reflog {landing.target.removeprefix('refs/heads/')}, then: ecluse show {landing.id}",
        )
    return {"target": landing.target, "at": now, "tree": tree, "checkouts": checkouts}
