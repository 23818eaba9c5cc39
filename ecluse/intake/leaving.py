"""Uncommitted work that stays uncommitted: the marked tip of a change is laid into a checkout instead of landing.

What lies beneath the tip is judged once more by itself, because it goes on without it. What is laid down never
overwrites anything, and is taken up again only as long as nobody has changed it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ecluse.clock import instant
from ecluse.errors import Invalid, Refused, Waits
from ecluse.files import FileLock
from ecluse.git import Repository
from ecluse.git.laying import in_the_way, lay, state_of, take_up
from ecluse.git.trees import with_entries
from ecluse.history import History, perform
from ecluse.history.journal import Probed, effect_of, forget
from ecluse.history.wakes import wake
from ecluse.intake.admission import write_receipt
from ecluse.intake.inbox import judged_again
from ecluse.intake.pathrules import shown
from ecluse.intake.tipmessage import is_open
from ecluse.model import Change, ChangeState, Event, Landing
from ecluse.trunk import open_trunk

_SHOWN = 10


def can_be_left(repository: Repository, change: Change) -> bool:
    """Whether the change has uncommitted work of its own, apart from its commits, that can be (or has been) left so."""
    return is_apart(change) or is_open(repository, change)


def is_apart(change: Change) -> bool:
    """Whether the uncommitted work of the change is no part of what lands any more."""
    return bool(change.about.get("apart"))


def is_laid(change: Change) -> bool:
    """Whether the uncommitted work of the change lies in a checkout."""
    return bool(change.about.get("laid"))


def set_apart(repository: Repository, history: History, key: str, *, actor: str) -> Change:
    """Take the uncommitted work of a ready change out of what lands; its commits alone are judged once more.

    A change that has nothing but uncommitted work stays as it is. Raises :class:`Invalid` (``tip.none``), :class:`Waits`
    (``tip.untrusted``, ``tip.busy``; ``tip.beneath``: its commits would not be let in without it).
    """
    change = _known(history, key)
    if is_apart(change):
        return change
    if not is_open(repository, change):
        raise Invalid(
            "tip.none",
            f"{key} has no uncommitted work that could be told from its commits.",
            f"ecluse show {key}",
        )
    if not change.trusted_by:
        raise Waits(
            "tip.untrusted",
            f"Nobody whose key is known here vouches for {key}, so its files are not put into a checkout.",
            f"ecluse review {key} --accept --why TEXT",
        )
    if any(not one.state.is_terminal for one in history.find(Landing, change=key)):
        raise Waits("tip.busy", f"{key} is on its way to landing as a whole.", f"ecluse land {key} --cancel")
    if len(change.commits) == 1:
        return _record(history, dataclasses.replace(change, about=_apart(change)), actor, "has nothing else to land")
    with judged_again(repository, open_trunk(repository), change, committed_only=True) as (alone, _):
        if not alone.verdict.lets_in or alone.conflicts:
            why = alone.reason if not alone.verdict.lets_in else f"it conflicts in {_some(alone.conflicts)}"
            raise Waits(
                "tip.beneath",
                f"The commits of {key} would not be let in without its uncommitted work: {why}.",
                f"land it whole: ecluse land {key}",
            )
        done = dataclasses.replace(
            change,
            head=alone.head,
            tree=alone.tree,
            commits=alone.commits,
            files=alone.files,
            findings=alone.findings,
            validations=alone.validations,
            about=_apart(change),
            updated_at=instant(),
        )
    write_receipt(repository.state_dir, done)
    return _record(history, done, actor, f"is not part of what lands; that ends at {done.head[:12]}")


def _apart(change: Change) -> dict[str, Any]:
    about = {name: value for name, value in change.about.items() if name != "uncommitted"}
    return {**about, "apart": change.head}


def _record(history: History, change: Change, actor: str, words: str) -> Change:
    text = f"{change.key}: its uncommitted work stays uncommitted and {words}"
    history.record(change, Event("change.apart", change.subject, text, actor, {"tip": change.about["apart"]}))
    return change


def lay_down(checkout: Repository, history: History, key: str, *, actor: str) -> Change:
    """Lay the uncommitted work of a change that :func:`set_apart` took apart into the checkout; once.

    Raises :class:`Invalid` (``tip.bare``) and :class:`Waits` with nothing touched: ``tip.elsewhere`` (the checkout does
    not hold the commits beneath it), ``tip.conflict``, ``checkout.blocked`` (something of the user's is in the way).
    """
    change = _known(history, key)
    if is_laid(change):
        return change
    tip = str(change.about["apart"])
    if checkout.work_tree is None:
        raise Invalid("tip.bare", "A bare repository has no files to lay anything into.", "ecluse import -C A_CHECKOUT")
    with FileLock(checkout.state_dir / "line.lock").held():
        head = checkout.commit_id("HEAD")
        tree = _result(checkout, key, head, tip)

        def do(plan: dict[str, Any]) -> dict[str, Any]:
            checkout.clear_dead_locks("index")
            lay(checkout, str(plan["head"]), str(plan["tree"]))
            return plan

        def probe(plan: dict[str, Any]) -> Probed:
            return Probed(False)  # laying twice is laying once

        step = f"lay.{tip[:12]}"
        if _begun_elsewhere(history, change, step, head, tree):
            forget(history, change.subject, step, "the checkout is at another commit now")
        _refuse_what_is_in_the_way(checkout, key, head, tree)
        plan = {"head": head, "tree": tree, "folder": str(checkout.work_tree), "tip": tip}
        perform(history, change.subject, step, do, probe=probe, plan=plan)
        return _laid(checkout, history, change, plan, actor)


def _begun_elsewhere(history: History, change: Change, step: str, head: str, tree: str) -> bool:
    effect = effect_of(history, change.subject, step)
    return effect is not None and (effect.plan.get("head"), effect.plan.get("tree")) != (head, tree)


def _laid(checkout: Repository, history: History, change: Change, plan: dict[str, Any], actor: str) -> Change:
    whole = change.state is ChangeState.READY and change.head == plan["tip"]
    done = dataclasses.replace(
        change,
        state=ChangeState.SUPERSEDED if whole else change.state,
        reason=f"left uncommitted in {plan['folder']}" if whole else change.reason,
        about={**change.about, "laid": plan},
        wants_landing=False,
        updated_at=instant(),
    )
    files = len(checkout.changed_paths(str(plan["head"]), str(plan["tree"])))
    text = f"{change.key}: its uncommitted work lies in {plan['folder']} ({files} file{'' if files == 1 else 's'})"
    with history.transaction():
        write_receipt(checkout.state_dir, done)
        history.record(done, Event("change.laid", change.subject, text, actor, dict(plan)))
    return done


def _result(checkout: Repository, key: str, head: str, tip: str) -> str:
    """The tree that the files of the checkout are to have, were nothing else uncommitted in it."""
    (parent,) = checkout.commits(f"{tip}^!")[0].parents
    if not checkout.is_ancestor(parent, head):
        raise Waits(
            "tip.elsewhere",
            f"The uncommitted work of {key} was made on {parent[:12]}, which is not part of what is checked out here.",
            f"land its commits (ecluse land {key}) or switch to a branch that holds them, then import it again with --leave-uncommitted",
        )
    merged = checkout.merge(head, tip)
    if merged.conflicts:
        raise Waits(
            "tip.conflict",
            f"The uncommitted work of {key} conflicts with what is checked out here in {_some(merged.conflicts)}.",
            f"switch to {parent[:12]} or have it made again on the new state",
        )
    if any("160000" in (one.old_mode, one.new_mode) for one in checkout.changed_paths(head, merged.tree)):
        raise Refused(
            "tip.submodule",
            f"The uncommitted work of {key} moves a submodule, which cannot be left in files.",
            f"land it whole: ecluse land {key}",
        )
    return merged.tree


def _refuse_what_is_in_the_way(checkout: Repository, key: str, head: str, tree: str) -> None:
    blocked = in_the_way(checkout, head, tree)
    if blocked:
        raise Waits(
            "checkout.blocked",
            f"Work that is here already would be overwritten by that of {key}: {_some(blocked)}.",
            "put it aside (git stash -u, or move the files), then type the same again",
            {"paths": list(blocked)},
        )


def take_back(repository: Repository, history: History, key: str, *, actor: str) -> Change:
    """Take up what :func:`lay_down` laid down, and make the uncommitted work a part of the change again.

    What had not landed is judged anew as a whole (the caller waits for it). Raises :class:`Waits` (``tip.changed``) when
    somebody has changed or committed what was laid down; nothing is touched then.
    """
    change = _known(history, key)
    if not is_apart(change):
        return change
    laid = change.about.get("laid")
    if laid:
        checkout = Repository.discover(_folder(str(laid["folder"]), key))
        with FileLock(repository.state_dir / "line.lock").held():
            _take_up(checkout, key, str(laid["head"]), str(laid["tree"]))
            forget(history, change.subject, f"lay.{str(laid['tip'])[:12]}", "it was taken up again", done=True)
    about = {name: value for name, value in change.about.items() if name not in ("laid", "apart")}
    if change.state in (ChangeState.LANDED, ChangeState.UNDONE):
        back = dataclasses.replace(change, about={**about, "apart": change.about["apart"]}, updated_at=instant())
    else:
        back = dataclasses.replace(change, state=ChangeState.RECEIVED, about=about, reason="", updated_at=instant())
    with history.transaction():
        text = f"{key}: its uncommitted work is no longer in any checkout and is kept with the change"
        history.record(back, Event("change.taken_up", change.subject, text, actor))
        if back.state is ChangeState.RECEIVED:
            wake(history, change.subject, "taken up")
    return back


def _folder(name: str, key: str) -> Path:
    if not Path(name).is_dir():
        raise Waits("tip.changed", f"The checkout {name}, in which {key} was laid, is gone.", f"ecluse show {key}")
    return Path(name)


def _take_up(checkout: Repository, key: str, head: str, tree: str) -> None:
    changes = checkout.changed_paths(head, tree)
    states = state_of(checkout, changes)
    now = checkout.commit_id("HEAD")
    moved = {one.path for one in checkout.changed_paths(head, now)}
    altered = [path for path, state in states.items() if state == "other" or path in moved]
    if altered:
        raise Waits(
            "tip.changed",
            f"What was laid down of {key} has been changed or committed since: {_some(tuple(altered))}.",
            "it is yours now; take back by hand what you do not want (git restore)",
            {"paths": altered},
        )
    lying = {path for path, state in states.items() if state == "new"}
    if lying:
        take_up(checkout, now, _tree_with(checkout, now, head, tree))


def _tree_with(checkout: Repository, now: str, head: str, tree: str) -> str:
    """What lies in the checkout as a tree: HEAD as it is now with the changes that were laid down."""
    if now == head:
        return tree
    changes = checkout.changed_paths(head, tree)
    return with_entries(checkout, checkout.tree_id(now), {one.path: (one.new_mode, one.new_id) for one in changes})


def _known(history: History, key: str) -> Change:
    change = history.get(Change, key)
    if change is None:
        raise Invalid("change.unknown", f"There is no change {key!r} here.", "ecluse history list")
    return change


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(shown(path) for path in paths[:_SHOWN])}{more}"
