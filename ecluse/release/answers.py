"""What people say to a release that waits: answers at its gates, and the emergency that opens a closed environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ecluse import clock
from ecluse.errors import Invalid, Refused
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.wakes import wake
from ecluse.model import Event, Gate, GateState
from ecluse.release import gates, permits, votes
from ecluse.release.context import Context
from ecluse.release.orders import find


def answer(
    repository: Repository,
    history: History,
    release_id: str,
    gate_name: str | None,
    answer: str,
    *,
    who: str,
    how: str,
    why: str = "",
    key: Path | None = None,
    checked: Sequence[str] = (),
    signature: str = "",
) -> Gate:
    """Answer an open gate. ``answer`` is ``approve``, ``reject`` or one of the gate's own words.

    ``how`` is ``key`` (signed with ``key`` by somebody the trunk lists), ``typed`` (counts only when the policy says
    solo) or ``played`` (a demonstration plays the person, and the record says so). ``checked`` are the items of the
    checklist that were tried (numbers, texts or ``all``); ``signature`` is one made elsewhere over
    :func:`statement`. The gate that is returned is still open while more people are needed. Raises :class:`Refused`
    for an expired or changed question and for missing authority, :class:`Invalid` when nothing is asked.
    """
    context = Context(repository, history, find(history, release_id))
    gate = gates.choose(context, gate_name)
    word = gates.word_of(gate, answer)
    said = votes.Answer(word, who, how, why, votes.ticked(gate, checked), key, signature)
    with history.transaction():
        standing = history.get(Gate, gate.id)
        if standing is None or standing.state is not GateState.OPEN:
            raise Refused(
                "gate.answered", f"The gate {gate.name} was answered meanwhile.", f"ecluse release status {release_id}"
            )
        done = votes.cast(context, standing, said)
        _record(context, done, said)
        if how == "played" and not context.release.played:
            marked = dataclasses.replace(context.release, played=True, updated_at=clock.instant())
            text = f"{done.votes[-1]['by']} is played, no person answered"
            history.record(marked, Event("release.played", marked.subject, text))
        if done.state is GateState.ANSWERED:
            wake(history, context.release.subject, "answered")
    return done


def asked(
    repository: Repository, history: History, release_id: str, gate_name: str | None, answer: str
) -> tuple[Gate, str]:
    """The open gate that an answer would be for, and the answer in the gate's own words. Raises as :func:`answer` does."""
    release = find(history, release_id)
    if release.state.is_terminal:
        raise Invalid(
            "release.over",
            f"{release_id} is {str(release.state).replace('_', ' ')} already; nothing is asked any more.",
            f"ecluse release status {release_id}",
        )
    gate = gates.choose(Context(repository, history, release), gate_name)
    return gate, gates.word_of(gate, answer)


def _record(context: Context, gate: Gate, said: votes.Answer) -> None:
    vote = gate.votes[-1]
    because = f": {said.why}" if said.why else ""
    tried = f", having tried {len(said.checked)} of {len(gate.checklist)}" if gate.checklist else ""
    over = gate.state is GateState.ANSWERED
    number = "" if over or gate.needs == 1 else f"; {len(gate.votes)} of {gate.needs} people"
    text = f"gate {gate.name} was answered {said.word} by {vote['by']} ({vote['how']}){tried}{because}{number}"
    data = {"gate": gate.id, "answer": said.word, "how": vote["how"], "binding": gate.binding, "key": vote["key"]}
    kind = "gate.answered" if over else "gate.vote"
    context.history.record(gate, Event(kind, context.release.subject, text, vote["by"], data))


def statement(
    repository: Repository,
    history: History,
    release_id: str,
    gate_name: str | None,
    answer: str,
    checked: Sequence[str] = (),
) -> bytes:
    """The bytes that somebody signs elsewhere to give this answer: ``ssh-keygen -Y sign -n approval@ecluse``."""
    context = Context(repository, history, find(history, release_id))
    gate = gates.choose(context, gate_name)
    return gates.payload(gate, gates.word_of(gate, answer), votes.ticked(gate, checked))


def overridable(repository: Repository, history: History, release_id: str) -> None:
    """Raises :class:`Invalid` when a release is over, or when neither a freeze nor a lock keeps it out."""
    context = Context(repository, history, find(history, release_id))
    if context.release.state.is_terminal:
        raise Invalid(
            "release.over",
            f"{release_id} is {str(context.release.state).replace('_', ' ')} already.",
            f"ecluse release status {release_id}",
        )
    if not permits.kept_out(context):
        where = context.release.environment or "any environment"
        raise Invalid(
            "override.free",
            f"Neither a freeze nor a lock keeps {release_id} out of {where}.",
            f"ecluse release status {release_id}",
        )


def override(
    repository: Repository,
    history: History,
    release_id: str,
    *,
    who: str,
    how: str,
    why: str,
    key: Path | None = None,
) -> Gate:
    """Let a release through a freeze or a lock in an emergency: the first of two people says so, with the reason.

    The second one answers the gate ``override``. In a one-person team the first is enough, and the record says so.
    Raises :class:`Invalid` without a reason or when nothing keeps the release out, :class:`Refused` without authority.
    """
    context = Context(repository, history, find(history, release_id))
    if not why.strip():
        raise Invalid(
            "override.why", "An emergency has a reason.", f"ecluse release override {release_id} --why TEXT --key FILE"
        )
    overridable(repository, history, release_id)
    with history.transaction():
        permits.ask_override(context, who=who, why=why)
        return answer(repository, history, release_id, gates.OVERRIDE, "approve", who=who, how=how, why=why, key=key)
