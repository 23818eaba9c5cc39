"""Gates: the questions to people, what an answer binds to, and who may give it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ecluse import clock, signing
from ecluse.errors import Invalid, Refused
from ecluse.history import History
from ecluse.model import Event, Gate, GateState, Release, ReleaseState, Role
from ecluse.release.canonical import canonical, digest
from ecluse.release.context import Context
from ecluse.release.plans import policy_in_force

PLAIN_ANSWERS = ("approve", "reject")
HOWS = ("key", "typed", "played")


def binding_of(context: Context, name: str) -> str:
    """What an answer at the gate ``name`` holds for: this release, commit, plan and policy, and no other."""
    return digest(
        {
            "release": context.release.id,
            "gate": name,
            "commit": context.release.commit,
            "version": context.release.version,
            "plan": context.plan.get("digest", ""),
            "policy": policy_in_force(context.trunk),
        }
    )


def gates_of(history: History, release_id: str) -> list[Gate]:
    """Every gate that was opened for a release, in order."""
    return history.find(Gate, release=release_id)


def current(context: Context, name: str) -> Gate | None:
    """The gate ``name`` as last opened, unless it became void."""
    found = [
        g for g in gates_of(context.history, context.release.id) if g.name == name and g.state is not GateState.VOID
    ]
    return found[-1] if found else None


def open_gate(context: Context, name: str, question: str, answers: tuple[str, ...], silence: str) -> Gate:
    """Ask people: record the gate and the release's waiting in one transaction."""
    moment = clock.instant()
    hours = context.trunk.config.release.gate_hours
    gate = Gate(
        id=clock.new_id("gate"),
        release=context.release.id,
        step=context.step.number,
        name=name,
        question=question,
        answers=answers,
        state=GateState.OPEN,
        binding=binding_of(context, name),
        nonce=clock.new_id("nonce"),
        created_at=moment,
        updated_at=moment,
        expires_at=clock.after(hours * 3600),
        silence=silence,
    )
    waiting = dataclasses.replace(
        context.release, state=ReleaseState.WAITING, reason=f"gate {name}: {question}", updated_at=moment
    )
    text = f"gate {name} is open until {gate.expires_at}: {question}"
    data = {"gate": gate.id, "release": gate.release, "version": context.release.version, "answers": list(answers)}
    with context.history.transaction():
        context.history.record(gate, Event("gate.opened", context.release.subject, text, data=data))
        said = f"{gate.release} waits for a person at the gate {name}"
        context.history.record(waiting, Event("release.waiting", context.release.subject, said))
    context.release = waiting
    return gate


def close(history: History, gate: Gate, state: GateState, why: str) -> None:
    """End an open gate without an answer."""
    over = dataclasses.replace(gate, state=state, why=why, updated_at=clock.instant())
    history.record(over, Event(f"gate.{state}", f"release/{gate.release}", f"gate {gate.name} is {state}: {why}"))


def open_gates(history: History, release_id: str) -> list[Gate]:
    return [gate for gate in gates_of(history, release_id) if gate.state is GateState.OPEN]


def payload(gate: Gate, answer: str) -> bytes:
    """The bytes that an approver's key signs."""
    return canonical(
        {
            "kind": "gate",
            "release": gate.release,
            "gate": gate.name,
            "gate_id": gate.id,
            "answer": answer,
            "binding": gate.binding,
            "nonce": gate.nonce,
            "expires_at": gate.expires_at,
        }
    )


def approval_for(context: Context) -> Gate | None:
    """A gate whose answer lets exactly this commit and plan, under the policy of now, go on."""
    for gate in reversed(gates_of(context.history, context.release.id)):
        goes_on = gate.state is GateState.ANSWERED and gate.answer == gate.answers[0]
        if goes_on and gate.binding == binding_of(context, gate.name):
            return gate
    return None


def choose(context: Context, gate_name: str | None) -> Gate:
    """The open gate that an answer is for. Raises :class:`Invalid` when there is none, :class:`Refused` when it expired."""
    release = context.release
    found = [g for g in open_gates(context.history, release.id) if gate_name in (None, "", g.name)]
    if not found:
        named = f"gate {gate_name!r}" if gate_name else "gate"
        answered = release.state is ReleaseState.WAITING  # answered, and whoever drove it was cut short
        state = (
            "it was answered, and the release goes on as soon as it is driven"
            if answered
            else f"the release is {release.state}"
        )
        hint = f"ecluse release status {release.id}{' --follow' if answered else ''}"
        raise Invalid("gate.none", f"No {named} of {release.id} is open; {state}.", hint)
    gate = found[-1]
    if gate.expires_at and gate.expires_at <= clock.instant():
        raise Refused(
            "gate.expired",
            f"The gate {gate.name} of {release.id} was open until {gate.expires_at}; the answer came too late.",
            f"ecluse release status {release.id}, then start again: ecluse release start {release.playbook}",
        )
    if gate.binding != binding_of(context, gate.name):
        raise Refused(
            "gate.stale",
            f"What the gate {gate.name} asks about has changed since it was opened (commit, plan or policy).",
            f"ecluse release status {release.id} shows the question as it stands now",
        )
    return gate


def word_of(gate: Gate, answer: str) -> str:
    """The gate's own word for ``answer``: approve is its first, reject its last. Raises :class:`Invalid` for another."""
    if answer in gate.answers:
        return answer
    if answer in PLAIN_ANSWERS:
        return gate.answers[0] if answer == "approve" else gate.answers[-1]
    raise Invalid(
        "gate.answer",
        f"{answer!r} is not an answer of the gate {gate.name}: it takes {', '.join(gate.answers)}.",
        f"ecluse release approve {gate.release} or ecluse release reject {gate.release}",
    )


def proven(context: Context, gate: Gate, answer: str, who: str, how: str, key: Path | None) -> dict[str, Any]:
    """Who answers, how, and their signature, as fields of the gate. Raises :class:`Refused` without the authority."""
    if how not in HOWS:
        raise Invalid(
            "gate.how", f"{how!r} is not a way to answer ({', '.join(HOWS)}).", "ecluse release approve --help"
        )
    solo = context.trunk.config.solo
    played = "played, " if how == "played" else ""
    if key is None:
        if how == "played" and not context.trunk.config.play:
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
        return {"answered_by": who, "how": f"{played}typed, solo", "signature": ""}
    signature = signing.sign(payload(gate, answer), key, signing.APPROVAL)
    principal = signing.verify(payload(gate, answer), signature, context.trunk.signers, signing.APPROVAL)
    _check_authority(context, gate, principal, solo=solo)
    way = "played with a key" if played else "key"
    return {"answered_by": principal.name, "how": f"{way}, solo" if solo else way, "signature": signature}


def _check_authority(context: Context, gate: Gate, principal: signing.Principal, *, solo: bool) -> None:
    rule = context.playbook.gate(gate.name)
    wanted = [word.lower() for word in rule.who] if rule else ["human"]
    roles = {"human": (Role.HUMAN, Role.ADMIN), "admin": (Role.ADMIN,)}
    if not any(principal.role in roles.get(word, ()) or principal.name.lower() == word for word in wanted):
        raise Refused(
            "gate.authority",
            f"{principal.name} ({principal.role}) may not answer the gate {gate.name}; it is for {', '.join(wanted)}.",
            "ecluse keys list",
        )
    target = context.plan.get("target") or {}
    if solo or not target.get("production"):
        return
    if principal.name in _touched_by(context):
        raise Refused(
            "gate.own_work",
            f"{principal.name} started this release or wrote a commit of it, and production needs somebody else's answer.",
            f"ask another person: ecluse release approve {gate.release} --key FILE (a one-person team sets solo = true in ecluse.toml on the trunk)",
        )


def _touched_by(context: Context) -> set[str]:
    """Names and mail addresses of the starter and of every author since the previous release."""
    release: Release = context.release
    since = [f"^refs/tags/v{release.previous}"] if _has_tag(context, release.previous) else []
    names = {release.starter}
    for commit in context.repository.commits(*since, release.commit):
        names |= {commit.author.name, commit.author.email}
    return names


def _has_tag(context: Context, version: str) -> bool:
    return bool(version) and context.repository.resolve(f"refs/tags/v{version}") is not None
