"""Gates: the questions to people, what an answer binds to, and which gate lets a release reach its environment."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from ecluse import clock
from ecluse.errors import Invalid, Refused
from ecluse.history import History
from ecluse.model import Event, Gate, GateState, ReleaseState
from ecluse.release.canonical import canonical, digest
from ecluse.release.conditions import fill
from ecluse.release.context import Context
from ecluse.release.guards import guards_at
from ecluse.release.people import People
from ecluse.release.plans import policy_in_force
from ecluse.release.playbook import GateCall, GateRule, PlaybookStep

PLAIN_ANSWERS = ("approve", "reject")
OVERRIDE = "override"
"""The gate that is not in any playbook: people let a release through a freeze or a lock."""

ROLLBACK = "rollback"
"""The gate that asks before a version goes back, where the playbook says to ask first; the second time rollback-2."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks: of whom, how many, with which answers, and what silence means. ``hours`` 0 is the policy's."""

    name: str
    text: str
    who: tuple[str, ...] = ("human",)
    answers: tuple[str, ...] = PLAIN_ANSWERS
    targets: dict[str, str] = dataclasses.field(default_factory=dict)
    needs: int = 1
    checklist: tuple[str, ...] = ()
    silence: str = "abort"
    hours: float = 0.0


def question_of(rule: GateRule, step: PlaybookStep, words: dict[str, str]) -> Question:
    """The question of a row of the gates' table, its words filled in, with the checklist of the step that asks."""
    return Question(
        rule.name,
        fill(rule.question, words),
        rule.who,
        rule.answers,
        dict(zip(rule.answers, rule.targets, strict=True)),
        rule.needs,
        step.checklist,
        rule.silence or "abort",
        (rule.deadline_s or 0.0) / 3600,
    )


def target_of(gate: Gate, answer: str) -> str:
    """Where an answer leads: ``go``, ``abort``, ``rollback`` or ``pause``. Gates of an earlier Écluse only knew two."""
    return gate.targets.get(answer) or ("go" if answer == gate.answers[0] else "abort")


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


def next_rollback(history: History, release_id: str) -> str:
    """The name of the next gate that asks before going back: each time is a question of its own."""
    asked = {gate.name for gate in gates_of(history, release_id) if gate.name.split("-")[0] == ROLLBACK}
    return f"{ROLLBACK}-{len(asked) + 1}" if asked else ROLLBACK


def current(context: Context, name: str) -> Gate | None:
    """The gate ``name`` as last opened, unless it became void."""
    found = [
        g for g in gates_of(context.history, context.release.id) if g.name == name and g.state is not GateState.VOID
    ]
    return found[-1] if found else None


def people(context: Context) -> People:
    """Who is who, by the trunk's keys and policy of now."""
    return People(context.trunk.config, context.trunk.principals)


def open_gate(context: Context, question: Question, *, waiting: bool = True, position: int | None = None) -> Gate:
    """Ask people: record the gate and, unless it is asked beside the release's course, the release's waiting.

    ``position`` is the gate's place when it is opened before the release has come there.
    """
    moment = clock.instant()
    hours = question.hours or context.trunk.config.release.gate_hours
    gate = Gate(
        id=clock.new_id("gate"),
        release=context.release.id,
        step=0 if context.is_over else context.step.number,
        name=question.name,
        question=question.text,
        answers=question.answers,
        state=GateState.OPEN,
        binding=binding_of(context, question.name),
        nonce=clock.new_id("nonce"),
        created_at=moment,
        updated_at=moment,
        expires_at=clock.after(hours * 3600),
        silence=question.silence,
        needs=_needed(context, question, position),
        checklist=question.checklist,
        targets=question.targets or {word: "abort" if at else "go" for at, word in enumerate(question.answers)},
    )
    many = f" ({gate.needs} people)" if gate.needs > 1 else ""
    text = f"gate {gate.name} is open until {clock.shown(gate.expires_at)}{many}: {gate.question}"
    data = {"gate": gate.id, "release": gate.release, "version": context.release.version, "answers": list(gate.answers)}
    with context.history.transaction():
        context.history.record(gate, Event("gate.opened", context.release.subject, text, data=data))
        if waiting:
            wait_at(context, gate)
    return gate


def wait_at(context: Context, gate: Gate) -> None:
    """Record that the release waits at this gate, when it does not say so already."""
    reason = f"gate {gate.name}: {gate.question}"
    if context.release.state is ReleaseState.WAITING and context.release.reason == reason:
        return
    waiting = dataclasses.replace(
        context.release, state=ReleaseState.WAITING, reason=reason, updated_at=clock.instant()
    )
    said = f"{gate.release} waits for a person at the gate {gate.name}"
    context.history.record(waiting, Event("release.waiting", context.release.subject, said))
    context.release = waiting


def _needed(context: Context, question: Question, position: int | None = None) -> int:
    """How many people have to let this go on: the page's number, or more where the environment or the start ask for it.

    A start that nobody proved could have been anybody's, an approver's own too: one more person makes up for that.
    """
    if context.trunk.config.solo:
        return 1
    needed = question.needs
    if question.name != OVERRIDE and guards(context, position):
        known = context.trunk.config.environments.get(context.release.environment)
        needed = max(needed, known.approvals if known else 1)
        needed += int(is_production(context) and not starter_is_proven(context))
    return needed


def is_production(context: Context) -> bool:
    """Whether the plan or the policy of now say that the release's environment is one for production."""
    known = context.trunk.config.environments.get(context.release.environment)
    planned = (context.plan.get("target") or {}).get("production")
    return bool(planned or (known and known.production))


def starter_is_proven(context: Context) -> bool:
    """Whether a signature, or the line itself, says who started the release."""
    starter = context.release.outputs.get("starter", {})
    return bool(starter.get("key") or starter.get("machine"))


def guards(context: Context, position: int | None = None) -> bool:
    """Whether no other gate that is always asked stands between this place and the next step that reaches the target."""
    return guards_at(context.playbook.units, context.release.position if position is None else position)


def guarding(context: Context) -> str:
    """The gate that was passed last before the release's place; empty when there was none."""
    kept = context.release.outputs.get("steps", {})
    for position in range(min(context.release.position, len(context.playbook.units)) - 1, -1, -1):
        unit = context.playbook.units[position][1]
        if isinstance(unit, GateCall) and kept.get(str(position), {}).get("state") == "done":
            return unit.name
    return ""


def close(history: History, gate: Gate, state: GateState, why: str) -> None:
    """End an open gate without an answer."""
    over = dataclasses.replace(gate, state=state, why=why, updated_at=clock.instant())
    history.record(over, Event(f"gate.{state}", f"release/{gate.release}", f"gate {gate.name} is {state}: {why}"))


def open_gates(history: History, release_id: str) -> list[Gate]:
    return [gate for gate in gates_of(history, release_id) if gate.state is GateState.OPEN]


def payload(gate: Gate, answer: str, checked: tuple[str, ...] = ()) -> bytes:
    """The bytes that an approver's key signs: this question of this release, the answer, what was tried."""
    document = {
        "kind": "gate",
        "release": gate.release,
        "gate": gate.name,
        "gate_id": gate.id,
        "question": gate.question,
        "answer": answer,
        "binding": gate.binding,
        "nonce": gate.nonce,
        "expires_at": gate.expires_at,
    }
    return canonical({**document, "checked": list(checked)} if checked else document)


def approval_for(context: Context) -> Gate | None:
    """The gate whose answer lets exactly this commit and plan, under the policy of now, reach the environment.

    It is the gate passed last, answered by as many people as it needs, none of whom made the release; their answers
    are proved once more, and older ones than the policy allows (``approval_hours``) hold no longer.
    """
    from ecluse.release import votes

    name = guarding(context)
    gate = current(context, name) if name else None
    if gate is None or gate.state is not GateState.ANSWERED or not goes_on(gate):
        return None
    if gate.binding != binding_of(context, name) or is_stale(context, gate):
        return None
    return gate if votes.still_count(context, gate) else None


def goes_on(gate: Gate) -> bool:
    """Whether the gate's answer lets the release go on."""
    return bool(gate.answer) and target_of(gate, gate.answer) == "go"


def is_stale(context: Context, gate: Gate) -> bool:
    """Whether the answer was given longer ago than approvals hold."""
    hours = context.trunk.config.release.approval_hours
    return clock.now() > clock.parse(gate.updated_at) + timedelta(hours=hours)


def choose(context: Context, gate_name: str | None) -> Gate:
    """The open gate that an answer is for. Raises :class:`Invalid` when there is none, :class:`Refused` when it expired."""
    release = context.release
    found = [g for g in open_gates(context.history, release.id) if gate_name in (None, "", g.name)]
    if not found:
        raise _none_open(context, gate_name)
    if len({gate.name for gate in found}) > 1:
        named = ", ".join(gate.name for gate in found)
        raise Invalid(
            "gate.which",
            f"{release.id} has several open gates: {named}.",
            f"ecluse release approve {release.id} --gate {found[0].name}",
        )
    gate = found[-1]
    if gate.expires_at and gate.expires_at <= clock.instant():
        raise Refused(
            "gate.expired",
            f"The gate {gate.name} of {release.id} was open until {clock.shown(gate.expires_at)}; the answer came too late.",
            f"ecluse release status {release.id}, then start again: ecluse release start {release.playbook}",
        )
    if gate.binding != binding_of(context, gate.name):
        raise Refused(
            "gate.stale",
            f"What the gate {gate.name} asks about has changed since it was opened (commit, plan or policy).",
            f"ecluse release status {release.id} shows the question as it stands now",
        )
    return gate


def _none_open(context: Context, gate_name: str | None) -> Invalid:
    release = context.release
    others = [gate.name for gate in open_gates(context.history, release.id)]
    if gate_name and others:
        return Invalid(
            "gate.none",
            f"No gate {gate_name!r} of {release.id} is open; open is {', '.join(others)}.",
            f"ecluse release approve {release.id} --gate {others[-1]}",
        )
    named = f"gate {gate_name!r}" if gate_name else "gate"
    answered = release.state is ReleaseState.WAITING  # answered, and whoever drove it was cut short
    state = (
        "it was answered, and the release goes on as soon as it is driven"
        if answered
        else f"the release is {release.state}"
    )
    hint = f"ecluse release status {release.id}{' --follow' if answered else ''}"
    return Invalid("gate.none", f"No {named} of {release.id} is open; {state}.", hint)


def word_of(gate: Gate, answer: str) -> str:
    """The gate's own word for ``answer``: approve is its first, reject its last. Raises :class:`Invalid` for another."""
    same = next((word for word in gate.answers if word.lower() == answer.lower()), None)
    if same is not None:
        return same
    if answer in PLAIN_ANSWERS:
        return gate.answers[0] if answer == "approve" else gate.answers[-1]
    raise Invalid(
        "gate.answer",
        f"{answer!r} is not an answer of the gate {gate.name}: it takes {', '.join(gate.answers)}.",
        f"ecluse release approve {gate.release} or ecluse release reject {gate.release}",
    )
