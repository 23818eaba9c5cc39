"""Single answers at a gate: who gives one, how it is proved, whether it counts, and when they are enough."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecluse import clock, signing
from ecluse.errors import Invalid, Problem, Refused
from ecluse.model import Gate, GateState
from ecluse.release import gates
from ecluse.release.context import Context
from ecluse.release.people import is_meant, tokens_of, touched_by

HOWS = ("key", "typed", "played")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says at a gate. ``how`` is ``key``, ``typed`` or ``played``; ``signature`` was made elsewhere."""

    word: str
    who: str
    how: str
    why: str = ""
    checked: tuple[str, ...] = ()
    key: Path | None = None
    signature: str = ""


def ticked(gate: Gate, words: Sequence[str]) -> tuple[str, ...]:
    """The items of the gate's checklist that ``words`` tick: by number, by their text, or ``all``.

    Raises :class:`Invalid` for a word that is no item.
    """
    found = []
    for word in words:
        if word.strip().lower() == "all":
            return gate.checklist
        number = int(word) - 1 if re.fullmatch("[0-9]{1,9}", word.strip()) else -1
        named = [item for item in gate.checklist if item.lower() == word.strip().lower()]
        if not named and not 0 <= number < len(gate.checklist):
            raise Invalid(
                "gate.item",
                f"{word!r} is no item of the checklist of {gate.name} (it has {len(gate.checklist)}).",
                f"ecluse release status {gate.release}",
            )
        found.append(named[0] if named else gate.checklist[number])
    return tuple(item for item in gate.checklist if item in found)


def cast(context: Context, gate: Gate, answer: Answer) -> Gate:
    """The gate with this answer counted: answered when that settles it, else still open.

    One answer that does not go on settles it; going on takes as many people as the gate needs. Raises
    :class:`Refused` without the authority, and for somebody who has answered already.
    """
    moves = gates.target_of(gate, answer.word) == "go"
    missing = [item for item in gate.checklist if item not in answer.checked]
    if moves and missing:
        listed = "; ".join(f"{gate.checklist.index(item) + 1}. {item}" for item in missing)
        raise Invalid(
            "gate.checklist",
            f"The gate {gate.name} asks for what has not been ticked: {listed}",
            f"try it, then: ecluse release approve {gate.release} --gate {gate.name} --checked all",
            {"missing": missing},
        )
    vote = _proven(context, gate, answer)
    if moves and any(_same(context, vote, earlier) for earlier in gate.votes):
        raise Refused(
            "gate.counted",
            f"{vote['by']} has answered the gate {gate.name} already, and counts once; {_short_of(gate)} missing.",
            f"ask another person: ecluse release approve {gate.release} --gate {gate.name} --key FILE",
        )
    votes = (*gate.votes, vote)
    counted = dataclasses.replace(gate, votes=votes, updated_at=clock.instant())
    if moves and len(votes) < gate.needs:
        return counted
    given = [one for one in votes if one["answer"] == answer.word]
    return dataclasses.replace(
        counted,
        state=GateState.ANSWERED,
        answer=answer.word,
        answered_by=", ".join(one["by"] for one in given),
        how=", ".join(dict.fromkeys(one["how"] for one in given)),
        why="; ".join(one["why"] for one in given if one["why"]),
        signature=vote["signature"],
    )


def _short_of(gate: Gate) -> str:
    count = gate.needs - len(gate.votes)
    return "one more person is" if count == 1 else f"{count} more people are"


def _proven(context: Context, gate: Gate, answer: Answer) -> dict[str, Any]:
    """The answer as it is kept. Raises :class:`Refused` without the authority."""
    if answer.how not in HOWS:
        raise Invalid(
            "gate.how", f"{answer.how!r} is not a way to answer ({', '.join(HOWS)}).", "ecluse release approve --help"
        )
    solo = context.trunk.config.solo
    played = answer.how == "played"
    kept = {"answer": answer.word, "why": answer.why, "checked": list(answer.checked), "at": clock.instant()}
    if answer.key is None and not answer.signature:
        _check_typed(context, gate, played=played, solo=solo)
        return {**kept, "by": answer.who, "key": "", "how": f"{'played, ' * played}typed, solo", "signature": ""}
    statement = gates.payload(gate, answer.word, answer.checked)
    signature = answer.signature or signing.sign(statement, answer.key or Path(), signing.APPROVAL)
    principal = signing.verify(statement, signature, context.trunk.signers, signing.APPROVAL)
    _check_authority(context, gate, principal, solo=solo)
    way = "played with a key" if played else "key"
    fingerprint = signing.fingerprint(principal)
    how = f"{way}, solo" if solo else way
    return {**kept, "by": principal.name, "key": fingerprint, "how": how, "signature": signature}


def _check_typed(context: Context, gate: Gate, *, played: bool, solo: bool) -> None:
    if played and not context.trunk.config.play:
        raise Refused(
            "gate.play",
            f"Nobody may be played at the gate {gate.name} here: the policy of this repository does not say play = true.",
            f"ecluse release approve {gate.release}, typed by a person at a terminal, or with --key FILE",
        )
    if not solo:
        raise Refused(
            "gate.needs_key",
            f"The gate {gate.name} takes an answer signed by a person's key; a typed one counts only in a one-person team.",
            f"ecluse release approve {gate.release} --key FILE (or, for a one-person team: solo = true in ecluse.toml on the trunk)",
        )


def _check_authority(context: Context, gate: Gate, principal: signing.Principal, *, solo: bool) -> None:
    who = tokens_of(principal.name, signing.fingerprint(principal))
    known = gates.people(context)
    for asked in _asked(context, gate):
        if not any(is_meant(word, principal, known.all_of(who)) for word in asked):
            raise Refused(
                "gate.authority",
                f"{principal.name} ({principal.role}) may not answer the gate {gate.name}; it is for {', '.join(asked)}.",
                "ecluse keys list",
            )
    if solo or not _is_guard(context, gate) or not gates.is_production(context):
        return
    if known.same(who, touched_by(context.repository, context.history, context.release)):
        raise Refused(
            "gate.own_work",
            f"{principal.name} started this release or wrote a commit of it, and production needs somebody else's answer.",
            f"ask another person: ecluse release approve {gate.release} --key FILE (a one-person team sets solo = true in ecluse.toml on the trunk)",
        )


def _asked(context: Context, gate: Gate) -> list[tuple[str, ...]]:
    """Lists of names and roles; whoever answers has to be in each of them."""
    rule = context.playbook.gate(gate.name)
    lists = [tuple(word.lower() for word in rule.who) if rule else ("human",)]
    known = context.trunk.config.environments.get(context.release.environment)
    if known is not None and known.reviewers and (gate.name == gates.OVERRIDE or _is_guard(context, gate)):
        lists.append(tuple(word.lower() for word in known.reviewers))
    return lists


def _is_guard(context: Context, gate: Gate) -> bool:
    """Whether a step that reaches the environment may follow on this gate without another one in between."""
    units = context.playbook.units
    return any(gates.guards(context, at) for at, (_, unit) in enumerate(units) if unit.name == gate.name)


def _same(context: Context, one: dict[str, Any], other: dict[str, Any]) -> bool:
    return gates.people(context).same(_who(one), _who(other))


def _who(vote: dict[str, Any]) -> set[str]:
    return tokens_of(str(vote["by"]), str(vote["key"]))


def still_count(context: Context, gate: Gate) -> bool:
    """Whether the kept answers of an answered gate would settle it again now: proof, authority and number."""
    given = [vote for vote in gate.votes if vote["answer"] == gate.answer]
    if not given:  # answered before single answers were kept; its binding still holds
        return gate.needs == 1
    counted: list[dict[str, Any]] = []
    for vote in given:
        try:
            _prove_again(context, gate, vote)
        except Problem:
            continue
        if not any(_same(context, vote, earlier) for earlier in counted):
            counted.append(vote)
    return len(counted) >= gate.needs


def _prove_again(context: Context, gate: Gate, vote: dict[str, Any]) -> None:
    solo = context.trunk.config.solo
    if not vote["signature"]:
        _check_typed(context, gate, played=str(vote["how"]).startswith("played"), solo=solo)
        return
    statement = gates.payload(gate, str(vote["answer"]), tuple(vote["checked"]))
    principal = signing.verify(statement, str(vote["signature"]), context.trunk.signers, signing.APPROVAL)
    _check_authority(context, gate, principal, solo=solo)
