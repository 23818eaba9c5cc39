"""Branches that Écluse makes beside the target: a backup before anything moves, and a branch to review a change on."""

from __future__ import annotations

from typing import Any

from ecluse.clock import now
from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Refused, Waits
from ecluse.git import Repository
from ecluse.history import History, perform
from ecluse.history.journal import Probed, effect_of, forget
from ecluse.model import Change, ChangeState, Event
from ecluse.trunk import open_trunk

BACKUPS = "backup/before-sync-"
_WHY = "ecluse: backup"
_REVIEWABLE = (ChangeState.READY, ChangeState.CONFLICT)


@dataclass(frozen=True, slots=True)
class Branched:
    """A review branch: its full ``ref``, where it was (empty: it was made now) and where it is."""

    ref: str
    old: str
    new: str


def backup_name(repository: Repository) -> str:
    """A free ref for a backup made now: ``refs/heads/backup/before-sync-YYYYMMDD-HHMMSS``, numbered within a second."""
    taken = repository.refs("refs/heads")
    root = "refs/heads/" + (BACKUPS if "refs/heads/backup" not in taken else BACKUPS.replace("/", "-"))
    stamp = f"{root}{now().astimezone():%Y%m%d-%H%M%S}"
    return next(name for name in (stamp, *(f"{stamp}-{n}" for n in range(2, 100_000))) if name not in taken)


def back_up(repository: Repository, ref: str, at: str) -> None:
    """Make the backup branch ``ref`` at ``at``; making it again, after a death, changes nothing."""
    if repository.refs(ref).get(ref) != at:
        repository.move_ref(ref, at, "", _WHY)


def prune_backups(repository: Repository, target: str, keep: int) -> None:
    """Delete the oldest backups that Écluse made beyond ``keep``, as long as ``target`` holds all their commits."""
    found = sorted(repository.refs("refs/heads/backup/", f"refs/heads/{BACKUPS.replace('/', '-')}*").items())
    for ref, at in found[: max(len(found) - keep, 0)]:
        ours = repository.text("reflog", "show", "-1", "--format=%gs", ref, check=False) == _WHY
        if ours and not repository.checked_out_at(ref) and repository.is_ancestor(at, target):
            repository.move_ref(ref, "", at, _WHY)


def make_branch(repository: Repository, history: History, key: str, name: str, *, actor: str) -> Branched:
    """Make the branch ``name`` at the head of a judged change, for people to review it on. Nothing of it is run.

    A branch that shows an older revision of the same change follows to the new one. Raises :class:`Invalid`
    (``branch.name``, ``branch.exists``), :class:`Refused` (a rejected change, a branch that changes land on) and
    :class:`Waits` (quarantine, a branch that is checked out).
    """
    change = _reviewable(history, key)
    ref = f"refs/heads/{name.removeprefix('refs/heads/')}"
    _check_name(repository, ref, key)
    old = repository.refs(ref).get(ref, "")
    if old and old != change.head:
        _check_follows(repository, history, change, ref, old)

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        repository.move_ref(ref, change.head, str(plan["old"]), f"ecluse: {key}")
        return {"ref": ref, "at": change.head}

    def probe(plan: dict[str, Any]) -> Probed:
        return Probed(repository.refs(ref).get(ref) == change.head, {"ref": ref, "at": change.head})

    step = _step(ref)
    standing = effect_of(history, change.subject, step)
    if standing is None or old != change.head:
        if standing is not None:
            forget_done(history, change.subject, step)
        perform(history, change.subject, step, do, probe=probe, plan={"ref": ref, "old": old, "new": change.head})
        branch = ref.removeprefix("refs/heads/")
        text = f"{key} can be reviewed on the branch {branch} ({change.head[:12]})"
        data = {"branch": branch, "old": old, "head": change.head, "agent": change.agent_name}
        history.note(Event("change.branched", change.subject, text, actor, data))
    return Branched(ref, old, change.head)


def drop_branches(repository: Repository, history: History, change: Change, *, actor: str) -> tuple[str, ...]:
    """Delete the review branches of a change that are still where they were made; their names."""
    dropped = []
    made = {str(event.data.get("branch")) for event in history.events(kind="change.branched", subject=change.subject)}
    for branch in sorted(made):
        ref = f"refs/heads/{branch}"
        if repository.refs(ref).get(ref) == change.head:
            if repository.checked_out_at(ref):
                raise Waits("branch.checked_out", f"{branch} is checked out and stays.", "git switch to another branch")
            repository.move_ref(ref, "", change.head, f"ecluse: undo {change.key}")
            forget_done(history, change.subject, _step(ref))
            dropped.append(branch)
    if dropped:
        text = f"{change.key}: review branch {', '.join(dropped)} deleted; the change is still kept"
        history.note(Event("change.unbranched", change.subject, text, actor, {"branches": dropped}))
    return tuple(dropped)


def forget_done(history: History, subject: str, step: str) -> None:
    """Let an effect of the journal be made once more, because its result is no longer there."""
    forget(history, subject, step, "it is made anew", done=True)


def _step(ref: str) -> str:
    return f"branch.{ref}"


def _reviewable(history: History, key: str) -> Change:
    change = history.get(Change, key)
    if change is None:
        raise Invalid("change.unknown", f"There is no change {key!r} here.", "ecluse history list")
    if change.state is ChangeState.QUARANTINED:
        raise Waits(
            "change.quarantined",
            f"{key} waits for a person and is put on no branch: {change.reason}",
            f"ecluse show {key}, then: ecluse review {key} --accept --why TEXT",
        )
    if change.state not in _REVIEWABLE:
        raise Refused("change.rejected", f"{key} is {change.state}: {change.reason}", f"ecluse show {key}")
    return change


def _check_name(repository: Repository, ref: str, key: str) -> None:
    name = ref.removeprefix("refs/heads/")
    if name.startswith("-") or not repository.valid_ref(ref):
        raise Invalid("branch.name", f"{name!r} is not a name that git allows for a branch.", "git branch --list")
    trunk = open_trunk(repository)
    if ref in {trunk.ref, *(f"refs/heads/{one}" for one in trunk.config.landing.targets)}:
        raise Refused(
            "branch.target", f"Changes land on {name}; it is not moved without the checks.", f"ecluse land {key}"
        )
    clashing = [one for one in repository.refs("refs/heads") if one.startswith(f"{ref}/") or ref.startswith(f"{one}/")]
    if clashing:
        raise Invalid(
            "branch.exists",
            f"{name} cannot exist beside the branch {clashing[0].removeprefix('refs/heads/')}.",
            "name another one with --branch",
        )


def _check_follows(repository: Repository, history: History, change: Change, ref: str, old: str) -> None:
    name = ref.removeprefix("refs/heads/")
    earlier = {one.head for one in history.find(Change, id=change.id) if one.revision <= change.revision}
    if old not in earlier | {str(change.about.get("uncommitted", ""))}:
        raise Invalid(
            "branch.exists",
            f"There is a branch {name} already, at {old[:12]}, which is no earlier revision of this change.",
            "name another one with --branch",
        )
    if repository.checked_out_at(ref):
        raise Waits(
            "branch.checked_out",
            f"{name} is checked out, so it is not moved beneath its checkout.",
            f"git switch to another branch, then: ecluse import BUNDLE --branch {name}",
        )
