"""A person's answer on a change that waits for one: bound to what was seen, signed by a person's key, recorded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ecluse import signing
from ecluse.clock import after, instant, new_id
from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Refused, Waits
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.wakes import wake
from ecluse.intake.admission import conflict_reason, place, with_resolved, write_receipt
from ecluse.intake.inbox import judged_again
from ecluse.intake.manifest import clean
from ecluse.intake.trust import signer_of
from ecluse.model import Change, ChangeState, Event, Verdict
from ecluse.trunk import Trunk, open_trunk

_VALID_S = 3600.0
REVIEWABLE = (ChangeState.QUARANTINED, ChangeState.READY, ChangeState.CONFLICT)


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answered, how it is known (``key`` or ``typed``), and what exactly was signed."""

    name: str
    how: str
    statement: str
    signature: str = ""


def review(
    repository: Repository,
    history: History,
    key: str,
    *,
    accept: bool,
    why: str,
    who: str,
    how: str = "key",
    key_file: Path | None = None,
    pick: bool = False,
) -> Change:
    """Record a person's acceptance or rejection of a change; with ``pick``, the other attempts at its task are superseded.

    ``how`` is ``key`` (signed with ``key_file``, a key that the trunk lists as human or admin) or ``typed`` (at a
    terminal, only where the policy says ``solo = true``). Acceptance makes a quarantined change ready, and a ready
    one trusted. Raises :class:`Invalid` (unknown, over, no reason), :class:`Refused` (no authority),
    :class:`Waits` (it conflicts with its target).
    """
    change = standing = _reviewable(history, key, accept)
    if pick and not change.task:
        raise Invalid(
            "review.no_task", f"{key} names no task, so it has no rivals.", f"ecluse review {key} --accept --why TEXT"
        )
    if not why.strip():
        raise Invalid("review.why", "A review needs a reason.", f"ecluse review {key} --accept --why TEXT")
    trunk = open_trunk(repository)
    word = "pick" if pick else "accept" if accept else "reject"
    answer = _answer(trunk, change, word, why=why, who=who, how=how, key_file=key_file)
    _check_independence(repository, trunk, change, answer)
    if not accept:
        over = dataclasses.replace(
            change,
            state=ChangeState.REJECTED,
            reason=f"review.rejected: {clean(why)}",
            trusted_by="",
            updated_at=instant(),
        )
        return _record(repository, history, standing, over, answer, "rejected")
    if change.state is ChangeState.QUARANTINED:
        change = _release(repository, trunk, change)
    trusted = f"person {answer.name} ({'signed' if answer.how == 'key' else 'typed at a terminal'})"
    done = dataclasses.replace(change, trusted_by=trusted, updated_at=instant())
    with history.transaction():
        if pick:
            _supersede_rivals(history, done, answer)
        return _record(repository, history, standing, done, answer, "picked" if pick else "accepted")


def _supersede_rivals(history: History, picked: Change, answer: Answer) -> None:
    """The other pending attempts at the task of ``picked`` are over; their refs and bytes stay."""
    for other in history.find(Change, task=picked.task):
        if other.id == picked.id or other.state.is_terminal:
            continue
        why = f"{picked.key} was picked among the attempts at {picked.task}"
        old = dataclasses.replace(
            other, state=ChangeState.SUPERSEDED, reason=why, wants_landing=False, updated_at=instant()
        )
        text = f"{other.key} is superseded: {why}"
        history.record(old, Event("change.superseded", other.subject, text, answer.name, {"picked": picked.key}))


def _reviewable(history: History, key: str, accept: bool) -> Change:
    change = history.get(Change, key)
    if change is None:
        raise Invalid("change.unknown", f"There is no change {key!r} here.", "ecluse status")
    if change.state not in REVIEWABLE:
        raise Invalid("review.over", f"{key} is {change.state}; there is nothing to review.", f"ecluse show {key}")
    if accept and change.state is ChangeState.CONFLICT:
        raise Waits(
            "change.conflict",
            f"{key} cannot be accepted: {change.reason}.",
            "have it made again on the new state, or reject it",
        )
    return change


def _answer(trunk: Trunk, change: Change, word: str, *, why: str, who: str, how: str, key_file: Path | None) -> Answer:
    statement = {
        "kind": "change.review",
        "change": change.key,
        "digest": change.digest,
        "head": change.head,
        "answer": word,
        "why": clean(why),
        "policy": trunk.policy_id(),
        "nonce": new_id("nonce"),
        "expires": after(_VALID_S),
    }
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if how == "typed":
        if not trunk.config.solo:
            raise Refused(
                "review.needs_key",
                "A typed answer counts only where one person works alone (solo = true in ecluse.toml on the trunk).",
                f"ecluse review {change.key} --{word} --why TEXT --key YOUR_KEY",
            )
        return Answer(clean(who) or "somebody", "typed", payload)
    if key_file is None:
        raise Refused(
            "review.needs_key",
            "A review is signed with a person's key, and none was given.",
            f"ecluse review {change.key} --{word} --why TEXT --key YOUR_KEY (make one with: ecluse keys make NAME --role human)",
        )
    signature = signing.sign(payload.encode("ascii"), key_file, signing.APPROVAL)
    signer = signing.verify(payload.encode("ascii"), signature, trunk.signers, signing.APPROVAL)
    return Answer(signer.name, "key", payload, signature)


def _check_independence(repository: Repository, trunk: Trunk, change: Change, answer: Answer) -> None:
    """Nobody accepts a change that they handed in themselves, except where one person is all there is."""
    if trunk.config.solo or answer.how != "key":
        return
    signer = signer_of(repository, trunk, change)
    if signer is not None and signer.name == answer.name:
        raise Refused(
            "review.own_change",
            f"{answer.name} signed this change and cannot be the one who accepts it.",
            "ask another person with a human or admin key: ecluse keys list",
        )


def _release(repository: Repository, trunk: Trunk, change: Change) -> Change:
    """Take a change out of quarantine: judge it once more, as rules and target may have moved since it was seen."""
    with judged_again(repository, trunk, change) as (judgement, room):
        if judgement.verdict is Verdict.REJECT or not judgement.method:
            raise Refused(
                "review.rejected_now",
                f"{change.key} cannot be accepted: {judgement.reason}.",
                f"ecluse show {change.key}",
            )
        state = ChangeState.CONFLICT if judgement.conflicts else ChangeState.READY
        reason = conflict_reason(change, judgement.conflicts) if judgement.conflicts else ""
        freed = dataclasses.replace(
            change,
            state=state,
            reason=reason,
            findings=judgement.findings,
            base=judgement.base,
            tree=judgement.tree,
            commits=judgement.commits,
            files=judgement.files,
            validations=judgement.validations,
            about=with_resolved(change.about, judgement),
        )
        return place(repository, room, trunk, freed)


def _record(
    repository: Repository, history: History, before: Change, change: Change, answer: Answer, outcome: str
) -> Change:
    why = json.loads(answer.statement)["why"]
    text = f"{change.key} {outcome} by {answer.name} ({answer.how}): {why}"
    data = {"why": why, "how": answer.how, "statement": answer.statement, "signature": answer.signature}
    with history.transaction():
        if history.get(Change, change.key) != before:
            raise Waits(
                "review.changed",
                f"{change.key} changed while it was answered on; nothing was recorded.",
                f"ecluse show {change.key}",
            )
        write_receipt(repository.state_dir, change)
        history.record(change, Event(f"change.{outcome}", change.subject, text, answer.name, data))
        wake(history, change.subject, outcome)
    return change
