"""The state machine of a change: judge what was received, keep its objects under a ref, record the outcome at once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ecluse.clock import instant
from ecluse.errors import Failed, Refused
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.git.fetching import is_deeper, take_history
from ecluse.git.packs import adopt, take_pack
from ecluse.git.resolving import told
from ecluse.history import History
from ecluse.history.records import plain
from ecluse.history.wakes import wake
from ecluse.intake import people
from ecluse.intake.inbox import judged_again
from ecluse.intake.judgement import Judgement
from ecluse.intake.manifest import clean
from ecluse.intake.objects import Reader
from ecluse.intake.pathrules import shown
from ecluse.model import Change, ChangeState, Event, Finding, Verdict
from ecluse.secrets.scan import covered
from ecluse.trunk import Trunk, open_trunk

OPEN_STATES = (ChangeState.RECEIVED, ChangeState.READY, ChangeState.QUARANTINED, ChangeState.CONFLICT)


def advance(repository: Repository, history: History, key: str) -> None:
    """Do the next thing for a change. Safe to call twice, late, or after a death; anything but RECEIVED: nothing.

    All that happens before the final record is in temporary places, or is a ref that is made by compare-and-swap and
    found again by the next try.
    """
    change = history.get(Change, key)
    if change is None or change.state is not ChangeState.RECEIVED:
        return
    trunk = open_trunk(repository)
    try:
        with judged_again(repository, trunk, change) as (judgement, room):
            decided = decide(trunk, change, judgement)
            decided = place(repository, room, trunk, decided, judgement.objects)
    except Refused as problem:
        if not problem.code.startswith("inbox."):
            raise
        lost = Finding(problem.code, Verdict.REJECT, problem.message)
        decided = dataclasses.replace(
            change,
            state=ChangeState.REJECTED,
            verdict=Verdict.REJECT,
            findings=(lost,),
            reason=f"{problem.code}: {problem.message}",
        )
    store(repository, history, decided)


def decide(trunk: Trunk, change: Change, judgement: Judgement) -> Change:
    """The change as the judgement leaves it, before its objects are placed."""
    worst = next((one for one in judgement.findings if one.code == judgement.reason), None)
    reason = f"{worst.code}: {worst.message}" if worst and not judgement.verdict.lets_in else ""
    if judgement.verdict is Verdict.REJECT:
        state = ChangeState.REJECTED
    elif judgement.verdict is Verdict.QUARANTINE:
        state = ChangeState.QUARANTINED
    elif judgement.conflicts:
        state = ChangeState.CONFLICT
        reason = conflict_reason(change, judgement.conflicts)
    else:
        state = ChangeState.READY
    claims = judgement.claims
    return dataclasses.replace(
        change,
        state=state,
        verdict=judgement.verdict,
        reason=reason,
        findings=judgement.findings,
        title=covered(clean(judgement.title)) or change.title,
        agent=clean(judgement.agent.name) or change.agent,
        base=judgement.base or change.base,
        head=judgement.head or change.head,
        tree=judgement.tree,
        method=judgement.method,
        commits=judgement.commits,
        files=judgement.files,
        not_carried=_tame(claims.not_carried) if claims else (),
        validations=judgement.validations,
        trusted_by=judgement.trusted_by if state is not ChangeState.QUARANTINED else "",
        task=clean(judgement.agent.task) or change.task,
        about=with_resolved(people.describe(judgement, trunk.signers), judgement),
    )


def with_resolved(about: dict[str, Any], judgement: Judgement) -> dict[str, Any]:
    """``about`` with what rules resolved in the merge with the target, as it is now."""
    rest = {name: value for name, value in about.items() if name != "resolved"}
    return {**rest, "resolved": list(judgement.resolved)} if judgement.resolved else rest


def conflict_reason(change: Change, paths: tuple[str, ...]) -> str:
    """The sentence for a change that does not merge with its target."""
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return f"it conflicts with {change.target.removeprefix('refs/heads/')} in {', '.join(shown(path) for path in paths[:10])}{more}"


def place(
    repository: Repository, room: Repository, trunk: Trunk, change: Change, judged: frozenset[str] = frozenset()
) -> Change:
    """Copy the objects of a change that was not rejected into the repository and put a ref on them.

    ``judged`` are all objects that were looked at; a pack in which there is nothing else is taken as it is.

    A quarantined change lies under ``refs/ecluse/quarantine/``, where nothing takes it from; others under
    ``refs/ecluse/changes/``.
    """
    if change.state is ChangeState.REJECTED or not change.method:
        return change
    shelf = "quarantine" if change.state is ChangeState.QUARANTINED else "changes"
    ref = f"refs/ecluse/{shelf}/{change.id}/{change.revision}"
    if repository.resolve(change.head) != change.head or repository.ref(ref) != change.head:
        if is_deeper(repository, room):
            take_history(repository, room, [trunk.repository.commit_id(change.target), change.head])
        elif not (judged and take_pack(repository, room, lambda ids: _is_known(repository, ids - judged))):
            have = [trunk.repository.commit_id(change.target), *([change.base] if change.base else [])]
            adopt(repository, room, change.head, have)
        _set_ref(repository, ref, change.head)
    return dataclasses.replace(change, ref=ref)


def _is_known(repository: Repository, ids: set[str]) -> bool:
    """Whether the repository has all of these objects: what a pack repeats of them to be whole by itself."""
    with Reader(repository) as reader:
        return len(reader.sizes(ids)) == len(ids)


def _set_ref(repository: Repository, ref: str, head: str) -> None:
    try:
        repository.move_ref(ref, head, repository.ref(ref), "ecluse: intake")
    except Failed:
        if not repository.clear_dead_locks(ref):  # left by a process that died at exactly this point
            raise
        repository.move_ref(ref, head, repository.ref(ref), "ecluse: intake")


def store(repository: Repository, history: History, change: Change) -> None:
    """Write the receipt and record the outcome; a ready change supersedes older revisions of the same id."""
    with history.transaction():
        standing = history.get(Change, change.key)
        if standing is None or standing.state is not ChangeState.RECEIVED:
            return  # another process was faster
        change = dataclasses.replace(change, wants_landing=standing.wants_landing, updated_at=instant())
        if change.state is ChangeState.READY:
            change = _supersede(history, change)
        write_receipt(repository.state_dir, change)
        kind, text = _words(change)
        data = {
            "verdict": str(change.verdict),
            "method": change.method,
            "head": change.head,
            "files": len(change.files),
            "resolved": change.about.get("resolved", []),
        }
        history.record(change, Event(kind, change.subject, text, change.agent, data))
        if change.wants_landing:
            wake(history, change.subject, "judged")


def _supersede(history: History, change: Change) -> Change:
    """Newer revisions win, but nobody replaces a change that is proved to be somebody else's."""
    for other in history.find(Change, id=change.id):
        if other.key == change.key or other.state.is_terminal:
            continue
        if other.revision > change.revision and other.state is ChangeState.READY:
            return dataclasses.replace(change, state=ChangeState.SUPERSEDED, reason=f"{other.key} came before it")
        if other.revision < change.revision and other.state in OPEN_STATES:
            if other.trusted_by.startswith("key ") and other.trusted_by != change.trusted_by:
                text = f"{other.key} is signed by another; it is not superseded"
                change = dataclasses.replace(
                    change, findings=(*change.findings, Finding("supersede.unproven", Verdict.WARN, text))
                )
                continue
            old = dataclasses.replace(
                other, state=ChangeState.SUPERSEDED, reason=f"superseded by {change.key}", updated_at=instant()
            )
            history.record(
                old,
                Event("change.superseded", other.subject, f"{other.key} is superseded by {change.key}", change.agent),
            )
    return change


def receipt_path(state_dir: Path, change: Change) -> Path:
    """Where the receipt of a change lies."""
    return state_dir / "receipts" / change.id / f"{change.revision}.json"


def write_receipt(state_dir: Path, change: Change) -> None:
    """Write what became of a change: its verdict, how it was applied, and the map of old to new commits."""
    document = {
        "schema_version": 1,
        "change_id": change.id,
        "revision": change.revision,
        "digest": change.digest,
        "state": change.state.value,
        "verdict": change.verdict.value if change.verdict else "",
        "reason": change.reason,
        "method": change.method,
        "ref": change.ref,
        "base": change.base,
        "head": change.head,
        "tree": change.tree,
        "target": change.target,
        "commits": change.commits,
        "files": list(change.files),
        "resolved": change.about.get("resolved", []),
        "findings": plain(change.findings),
        "trusted_by": change.trusted_by,
        "at": change.updated_at,
    }
    write_atomically(
        receipt_path(state_dir, change), json.dumps(document, ensure_ascii=True, indent=1).encode() + b"\n"
    )


def _words(change: Change) -> tuple[str, str]:
    who = f" by {change.agent}" if change.agent else ""
    if change.state is ChangeState.READY:
        warned = [one.code for one in change.findings]
        remarks = f" (remarks: {', '.join(dict.fromkeys(warned[:5]))})" if warned else ""
        resolved = change.about.get("resolved", [])
        remarks += f"; resolved by rule: {told(resolved)}" if resolved else ""
        return (
            "change.ready",
            f"{change.key}{who} is ready: {change.title}, {len(change.files)} file{'' if len(change.files) == 1 else 's'}, verdict {change.verdict}{remarks}",
        )
    if change.state is ChangeState.SUPERSEDED:
        return "change.superseded", f"{change.key}{who} is superseded: {change.reason}"
    outcome = {"quarantined": "waits for a person", "conflict": "conflicts", "rejected": "is refused"}[change.state]
    return f"change.{change.state}", f"{change.key}{who} {outcome}: {change.reason}"


def _tame(rows: tuple[dict[str, object], ...]) -> tuple[dict[str, object], ...]:
    """A stranger's list as we keep it: few, short, and of texts only."""
    return tuple({str(k)[:40]: str(v)[:300] for k, v in list(row.items())[:6]} for row in rows[:200])
