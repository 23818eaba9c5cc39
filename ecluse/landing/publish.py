"""Bringing what moved here to the remote: by compare-and-swap, read back, journalled, and never called done when it is not."""

from __future__ import annotations

from typing import Any

from ecluse.errors import Failed, Invalid, Problem, Refused
from ecluse.files import FileLock
from ecluse.git import Repository
from ecluse.git.remotes import Pushed, address_of, look, push, remote_for, remote_names
from ecluse.history import History, perform, wakes
from ecluse.history.journal import EffectState, Probed, effect_of
from ecluse.history.sync_records import carrier_of
from ecluse.model import Change, Event, Landing, LandingState
from ecluse.trunk import open_trunk


def choose_remote(repository: Repository, ref: str) -> str:
    """The remote that ``ref`` is pushed to: the policy's, else the branch's own, else ``origin`` or the only one.

    Raises :class:`Invalid` (``push.no_remote``) when there is none, or the policy names one that is not here.
    """
    named = open_trunk(repository).config.landing.remote
    if named and named not in remote_names(repository):
        raise Invalid(
            "push.no_remote", f"The policy pushes to {named!r}, which is no remote here.", f"git remote add {named} URL"
        )
    chosen = named or remote_for(repository, ref)
    if not chosen:
        raise Invalid("push.no_remote", "There is no remote to push to.", "git remote add origin URL")
    return chosen


def wants_push(repository: Repository) -> bool:
    """Whether the policy pushes what lands."""
    return open_trunk(repository).config.landing.push


def push_landed(repository: Repository, history: History, landing_id: str, *, actor: str) -> Pushed:
    """Push a landing's target to its remote. Raises :class:`Invalid` unless it has landed, and what :func:`publish` does."""
    landing = history.get(Landing, landing_id)
    if landing is None or landing.state is not LandingState.LANDED:
        raise Invalid("push.not_landed", f"{landing_id} has not landed.", "ecluse queue")
    wakes.cancel(history, f"push/{landing_id}")
    change = history.get(Change, landing.change)
    facts = facts_of(history, change) if change else {}
    hint = f"ecluse land {landing.change} --push"
    return publish(
        repository, history, landing.subject, landing.target, landing.candidate, facts, actor=actor, again=hint
    )


def advance_push(repository: Repository, history: History, landing_id: str) -> None:
    """The line's part of a push that the policy asks for. What the remote refuses is recorded and waits for a person."""
    try:
        push_landed(repository, history, landing_id, actor="policy")
    except (Refused, Invalid):
        return


def publish(
    repository: Repository, history: History, subject: str, ref: str, new: str, facts: dict[str, Any], *, actor: str,
    again: str, replaces: str = "",
) -> Pushed:  # fmt: skip
    """Bring ``ref`` on its remote to ``new`` and read it back; already there is success.

    What the remote holds must be part of ``new``, or be exactly ``replaces``. Raises :class:`Refused`
    (``push.diverged``, ``push.rejected``) and :class:`Failed` (``push.unreachable``, ``push.read_back``); each is
    recorded as ``push.failed`` with ``again``, the command to type once its cause is gone.
    """
    remote = choose_remote(repository, ref)
    address = address_of(repository, remote)
    name = ref.removeprefix("refs/heads/")
    data = {**facts, "remote": remote, "address": address, "ref": ref, "new": new, "target_branch": name}
    try:
        done = _push_once(repository, history, subject, ref, new, remote, replaces)
    except (Refused, Failed) as problem:
        text = f"{name} was not pushed to {remote}: {problem.message}"
        told = {**data, "code": problem.code, "hint": again}
        history.note(Event("push.failed", subject, text, actor, told))
        raise _with_way(problem, again) from problem
    if done.old != done.new:
        text = f"{name} pushed to {remote} ({address}): {done.old[:12] or 'nothing'} to {new[:12]}, read back"
        history.note(Event("push.done", subject, text, actor, {**data, "old": done.old}))
    return done


def _push_once(
    repository: Repository, history: History, subject: str, ref: str, new: str, remote: str, replaces: str
) -> Pushed:
    address = address_of(repository, remote)
    there = look(repository, remote, ref)
    held = there == new or (not replaces and _is_part(repository, new, there))
    root, number = f"push.{remote}.{ref}.{new[:12]}", 1
    step = root
    while (effect := effect_of(history, subject, step)) and effect.state is EffectState.DONE and not held:
        number += 1  # it was pushed before and somebody took it back since
        step = f"{root}.{number}"
    if held and effect is None:
        return Pushed(remote, address, ref, there, there)

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        lease = look(repository, remote, ref)
        if lease and lease != replaces and not _is_part(repository, lease, new):
            raise _diverged(repository, remote, ref, lease)
        done = push(repository, remote, ref, new, lease)
        return {"remote": remote, "ref": ref, "old": done.old, "new": done.new}

    def probe(plan: dict[str, Any]) -> Probed:
        seen = look(repository, remote, ref)
        happened = seen == new or (not replaces and _is_part(repository, new, seen))
        return Probed(happened, {"remote": remote, "ref": ref, "old": str(plan.get("old", "")), "new": new})

    again = effect is not None and effect.state is EffectState.DONE
    result = perform(
        history, subject, step, do, probe=probe, plan={"remote": remote, "ref": ref, "old": there, "new": new}
    )
    return Pushed(remote, address, ref, new if again else str(result["old"]), new)


def _is_part(repository: Repository, older: str, newer: str) -> bool:
    """Whether both commits are here and the first is in the history of the second."""
    known = bool(older and newer) and all(repository.resolve(one) == one for one in (older, newer))
    return known and repository.is_ancestor(older, newer)


def _diverged(repository: Repository, remote: str, ref: str, there: str) -> Refused:
    name = ref.removeprefix("refs/heads/")
    known = "which is not part of what was landed" if repository.resolve(there) == there else "which is not here"
    return Refused(
        "push.diverged",
        f"{name} on {remote} ({address_of(repository, remote)}) is at {there[:12]}, {known}; it was not overwritten.",
        f"git fetch {remote}, then bring both together: git log --graph {name} {there[:12]}",
    )


def _with_way(problem: Problem, again: str) -> Problem:
    """The same problem, telling the command to type once its cause is gone."""
    return type(problem)(problem.code, problem.message, f"{problem.hint}; then: {again}", problem.details)


def facts_of(history: History, change: Change) -> dict[str, Any]:
    """What every record of a change has, by the names of the specification."""
    return {
        "change_id": change.id,
        "revision": change.revision,
        "agent": change.agent_name,
        "patch_name": carrier_of(history, change),
        "source_branch": change.target.removeprefix("refs/heads/"),
        "target_branch": change.target.removeprefix("refs/heads/"),
        "commits_count": len(change.commits),
        "files_modified": len(change.files),
        "files": list(change.files[:1000]),
        "patch_size": change.size_bytes,
    }


def push_branch(
    repository: Repository, history: History, change: Change, ref: str, *, actor: str, again: str
) -> Pushed:
    """Push a review branch. Raises what :func:`publish` raises."""
    earlier = [one.head for one in history.find(Change, id=change.id) if one.revision < change.revision]
    remote = choose_remote(repository, ref)
    there = look(repository, remote, ref)
    facts = facts_of(history, change)
    return publish(
        repository, history, change.subject, ref, change.head, facts, actor=actor, again=again,
        replaces=there if there in earlier else "",
    )  # fmt: skip


def push_back(repository: Repository, history: History, key: str, *, actor: str) -> Pushed:
    """After an undo: bring the remote's target back as well, if it is exactly where the landing had put it."""
    landed = [one for one in history.find(Landing, change=key, newest_first=True) if one.state is LandingState.LANDED]
    change = history.get(Change, key)
    if not landed or change is None:
        raise Invalid("undo.not_landed", f"{key} has not landed.", f"ecluse show {key}")
    one = landed[0]
    again = f"ecluse import --undo {key} --push"
    return publish(
        repository, history, one.subject, one.target, one.base, facts_of(history, change), actor=actor, again=again,
        replaces=one.candidate,
    )  # fmt: skip


def landed_subject(history: History, key: str) -> str:
    """The subject of the newest landing of a change that went through; empty when none did."""
    found = history.find(Landing, change=key, newest_first=True)
    return next((one.subject for one in found if one.state is LandingState.LANDED), "")


def under_the_lock(repository: Repository) -> FileLock:
    """The line's lock: a push by hand and one by the line do not meet."""
    return FileLock(repository.state_dir / "line.lock")
