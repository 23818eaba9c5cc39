"""The course of a release: each call does the next thing, stores the outcome and returns. Nothing here waits."""

from __future__ import annotations

import dataclasses
from typing import Any

from ecluse import clock, notify
from ecluse.errors import Problem, Waits
from ecluse.git import Repository
from ecluse.history import History, wakes
from ecluse.model import DeploymentState, Event, Gate, GateState, Release, ReleaseState
from ecluse.release import deployments, gates, moves, orders, permits, retreat
from ecluse.release.conditions import holds
from ecluse.release.context import Context
from ecluse.release.playbook import Action, GateCall, RollbackRule
from ecluse.release.steps import shape_of
from ecluse.release.steps import watch as watch_step
from ecluse.release.steps.shape import Again, Ask, Blocked, Done, Outcome


def advance(repository: Repository, history: History, release_id: str) -> None:
    """Do the next thing for a release. Safe to call twice, late, or after a death; unknown or over: does nothing."""
    release = history.get(Release, release_id)
    if release is None or release.state.is_terminal:
        return
    context = Context(repository, history, release)
    if release.state is ReleaseState.ROLLING_BACK:
        retreat.advance(context)
    elif release.outputs.get("asked"):
        _stop_as_asked(context, release.outputs["asked"])
    elif release.state is ReleaseState.PAUSED:
        return
    elif release.outputs.get("failure"):
        _ask_back(context, release.outputs["failure"])
    elif _is_late(context):
        _stopped(context, f"it was to be live until {clock.shown(release.outputs['deadline'])}, and was not")
    elif context.is_over:
        _finish(context)
    else:
        _do_unit(context)


def _is_late(context: Context) -> bool:
    """Whether the deadline has passed before anything went live; what is live is judged by its watch."""
    deadline = context.release.outputs.get("deadline", "")
    return bool(deadline) and clock.instant() >= deadline and not _went_live(context)


def _do_unit(context: Context) -> None:
    try:
        if not context.progress:
            if not holds(context.step.condition, context.words):
                _pass(context, Done(f"skipped: `{context.step.condition}` does not hold"), "skipped")
                return
            kept_out = _may_begin(context)
            if kept_out is not None:
                _settle(context, kept_out)
                return
            _begin(context)
        outcome = _gate(context) if isinstance(context.unit, GateCall) else _run(context, context.unit)
    except Waits as question:
        _ask(context, question)
    except Problem as problem:
        if problem.code.startswith("history."):
            raise  # the record itself cannot be written: there is nowhere to say that the step failed
        _fail(context, problem)
    else:
        _settle(context, outcome)


def _may_begin(context: Context) -> Blocked | None:
    """Nothing reaches the environment without approval, in a freeze, or past somebody else's lock."""
    unit = context.unit
    shape = None if isinstance(unit, GateCall) else shape_of(unit.name)
    return permits.check(context) if shape is not None and shape.goes_live else None


def _begin(context: Context) -> None:
    step = context.step
    label = f"gate {context.unit.name}" if isinstance(context.unit, GateCall) else context.unit.name
    text = f"[{step.number}] {step.title}: {label}"
    moment = clock.instant()
    begun = context.with_progress(
        number=step.number, title=step.title, does=label, state="running", began=moment, ended="", said="", result={}
    )
    begun = dataclasses.replace(begun, state=ReleaseState.RUNNING, reason="", updated_at=moment)
    data = {"step": step.number, "does": label, "position": context.release.position}
    context.history.record(begun, Event("release.step", begun.subject, text, data=data))
    context.release = begun


def _run(context: Context, action: Action) -> Outcome:
    shape = shape_of(action.name)
    if shape is None:  # a playbook stored by a version that knew this action
        raise Problem(
            "action.unknown",
            f"This Écluse has no action {action.name!r}.",
            f"ecluse release abort {context.release.id} --why TEXT",
        )
    early = _early(context) if action.name == "watch" else None
    if early is not None:
        return early
    outcome = shape.run(context)
    if isinstance(outcome, Ask):
        return _at_gate(context, gates.Question(outcome.name, outcome.question))
    return outcome


def _early(context: Context) -> Outcome | None:
    """The gate that a watch ends at is open while it lasts: a no counts at once, a yes when the window is over."""
    position = context.release.position + 1
    step, unit = context.playbook.units[position] if position < len(context.playbook.units) else (None, None)
    rule = context.playbook.gate(unit.name) if isinstance(unit, GateCall) and step is context.step else None
    if rule is None:
        return None
    gate = gates.current(context, rule.name)
    if gate is None:
        question = gates.question_of(rule, context.step, context.words)
        hours = question.hours or context.trunk.config.release.gate_hours
        lasting = dataclasses.replace(question, hours=hours + watch_step.window_s(context) / 3600)
        gate = gates.open_gate(context, lasting, waiting=False, position=position)
        text = (
            f"{context.release.id} is watched; whoever sees that it is ill can say so at the gate {rule.name} already"
        )
        _tell(context, "gate.opened", text, {"gate": rule.name})
    if gate.state is GateState.ANSWERED and not gates.goes_on(gate):
        return _answered(context, gate)
    return None


def _gate(context: Context) -> Outcome:
    rule = context.playbook.gate(context.unit.name)
    if rule is None:
        raise Problem(
            "gate.undefined", f"The gate {context.unit.name!r} is not in the playbook.", "ecluse playbook lint"
        )
    return _at_gate(context, gates.question_of(rule, context.step, context.words))


def _at_gate(context: Context, question: gates.Question) -> Outcome:
    gate = _asked(context, question)
    if gate.state is GateState.OPEN:
        return Again(-1)
    if gate.state is GateState.ANSWERED:
        return _answered(context, gate)
    return _stopped(context, f"nobody answered the gate {gate.name} until {clock.shown(gate.expires_at)}")


def _asked(context: Context, question: gates.Question) -> Gate:
    """The gate as it stands now: opened, opened anew when what it asks about has changed, or expired by now."""
    name = question.name
    gate = gates.current(context, name)
    if gate is not None and gate.state is not GateState.EXPIRED and gate.binding != gates.binding_of(context, name):
        gates.close(context.history, gate, GateState.VOID, "commit, plan or policy have changed since it was opened")
        gate = None
    if gate is None:
        gate = gates.open_gate(context, question)
        _tell(context, "gate.opened", f"{context.release.id} waits at the gate {name}: {question.text}", {"gate": name})
    if gate.state is not GateState.OPEN:
        return gate
    if gate.expires_at > clock.instant():
        gates.wait_at(context, gate)
        until = min(filter(None, (gate.expires_at, context.release.outputs.get("deadline", ""))))
        wakes.at(context.history, context.release.subject, until, f"gate {name} expires")
        return gate
    why = f"nobody answered the gate {name} until {clock.shown(gate.expires_at)}"
    gates.close(context.history, gate, GateState.EXPIRED, why)
    return dataclasses.replace(gate, state=GateState.EXPIRED)


def _answered(context: Context, gate: Gate) -> Outcome:
    said = f"{gate.answer} by {gate.answered_by} ({gate.how})"
    if gates.goes_on(gate):
        return Done(said, {"answer": gate.answer, "by": gate.answered_by, "how": gate.how})
    because = f": {gate.why}" if gate.why else ""
    if gates.target_of(gate, gate.answer) == "pause":
        gates.close(context.history, gate, GateState.VOID, f"answered {said}; it is asked again when it is resumed")
        orders.pause(
            context.history, context.release.id, who=gate.answered_by, why=f"{gate.name}: {gate.answer}{because}"
        )
        return Again(-1)
    return _stopped(context, f"the gate {gate.name} was answered {said}{because}")


def _ask_back(context: Context, failure: dict[str, Any]) -> None:
    """People are asked before anything goes back, as the table says; silence means that it goes.

    What cannot be taken back (restoring data, renewing secrets) is never done by silence: then people are called.
    """
    rule, why = _row(context, failure), str(failure["why"])
    text = rule.text if rule else "previous version"
    question = gates.Question(
        str(failure["gate"]),
        f"{why} Go back ({text})?",
        answers=("roll back", "leave it"),
        targets={"roll back": "go", "leave it": "abort"},
        silence="leave it" if failure["careful"] else "rollback",
    )
    gate = _asked(context, question)
    if gate.state is GateState.OPEN:
        return
    left = gate.state is GateState.ANSWERED and not gates.goes_on(gate)
    if left or (gate.state is GateState.EXPIRED and failure["careful"]):
        said = f"{gate.answered_by} left it as it is" if left else "nobody said whether to go back"
        _leave(context, failure, f"{why} {said}.")
        if not left:
            retreat.page(context, f"{why} {said}: ecluse release rollback {context.release.id} --why TEXT")
        return
    by = f"asked for by {gate.answered_by}" if gate.answer else "nobody said not to"
    retreat.begin(context, f"{why} ({by})", str(failure["unit"]), rule)


def _row(context: Context, failure: dict[str, Any]) -> RollbackRule | None:
    """The row of the rollback table that a failure, or a person's word, is for."""
    if failure.get("row"):
        return context.playbook.rollback_by_hand(str(failure["row"]))
    return context.playbook.rollback_rule(str(failure["unit"]))


def _leave(context: Context, failure: dict[str, Any], why: str) -> None:
    """Nothing goes back: a release that was live stays so, one that failed has failed."""
    if failure.get("before") == ReleaseState.DONE.value:
        retreat.end(context, ReleaseState.DONE, why)
    else:
        _give_over(context, why)


def _stopped(context: Context, why: str) -> Again:
    """End the release by people's word: back to the previous version when it went live, else just aborted."""
    retreat.let_go(context)
    if _went_live(context):
        retreat.begin(context, why, "")
    else:
        retreat.end(context, ReleaseState.ABORTED, why)
    return Again(-1)


def _stop_as_asked(context: Context, asked: dict[str, Any]) -> None:
    why = f"{asked['what']} asked for by {asked['who']}: {asked['why']}"
    for gate in gates.open_gates(context.history, context.release.id):
        gates.close(context.history, gate, GateState.VOID, why)
    _stopped(context, why)


def _settle(context: Context, outcome: Outcome) -> None:
    if isinstance(outcome, Done):
        _pass(context, outcome, "done")
    elif isinstance(outcome, Again) and outcome.seconds >= 0:
        wakes.wake_in(context.history, context.release.subject, outcome.seconds, outcome.said or "again")
    elif isinstance(outcome, Blocked) and context.release.reason != outcome.said:
        waiting = dataclasses.replace(
            context.release, state=ReleaseState.WAITING, reason=outcome.said, updated_at=clock.instant()
        )
        context.history.record(waiting, Event("release.waiting", waiting.subject, outcome.said))


def _pass(context: Context, done: Done, state: str) -> None:
    """Store a unit's outcome, go to the next one and be woken for it, in one transaction."""
    step, moment = context.step, clock.instant()
    label = context.unit.name
    began = context.progress.get("began", moment)
    kept = context.with_progress(
        number=step.number,
        title=step.title,
        does=f"gate {label}" if isinstance(context.unit, GateCall) else label,
        state=state,
        began=began,
        ended=moment,
        said=done.said,
        result=done.result,
    )
    outputs = dict(kept.outputs)
    if step.output:
        outputs["named"] = {**outputs.get("named", {}), step.output: done.said}
    if "section" in done.result:
        outputs["section"] = done.result["section"]
    fields: dict[str, Any] = {
        name: value for name, value in done.changes.items() if name in ("version", "previous", "commit")
    }
    passed = dataclasses.replace(
        kept,
        state=ReleaseState.RUNNING,
        reason="",
        position=kept.position + 1,
        outputs=outputs,
        updated_at=moment,
        **fields,
    )
    text = f"[{step.number}] {step.title}: {done.said}"
    data = {"step": step.number, "does": label, "state": state}
    with context.history.transaction():
        context.history.record(passed, Event("release.step_done", passed.subject, text, data=data))
        wakes.wake(context.history, passed.subject, "next step")
    context.release = passed


def _ask(context: Context, question: Waits) -> None:
    """A step was cut short and its effect cannot be seen: stand still until a person says what happened."""
    if context.release.state is ReleaseState.ASKING:
        return
    step = str(question.details.get("step", ""))
    hint = f"ecluse release settle {context.release.id} {step} --happened yes|no"
    asking = dataclasses.replace(
        context.release,
        state=ReleaseState.ASKING,
        reason=f"{question.message} Look for yourself, then type: {hint}",
        updated_at=clock.instant(),
    )
    context.history.record(asking, Event("release.asking", asking.subject, asking.reason, data={"step": step}))


def _fail(context: Context, problem: Problem) -> None:
    step, name, moment = context.step, context.unit.name, clock.instant()
    why = f"[{step.number}] {step.title}: {problem.message}"
    kept = context.with_progress(
        number=step.number,
        title=step.title,
        does=f"gate {name}" if isinstance(context.unit, GateCall) else name,
        began=context.progress.get("began", moment),
        state="failed",
        ended=moment,
        said=problem.message,
        code=problem.code,
    )
    context.history.record(kept, Event("release.step_failed", kept.subject, why, data=problem.as_dict()))
    context.release = kept
    rule = context.playbook.rollback_rule(name)
    acts = rule is not None and any(move.kind == "action" for move in rule.moves)
    goes_back = rule is None or rule.do == "previous"
    if (rule is None and _is_aside(context)) or (not acts and not (_went_live(context) and goes_back)):
        _give_over(context, why)
    elif rule is not None and (rule.ask or moves.is_careful(rule)):
        asked = gates.next_rollback(context.history, context.release.id)
        failure = {"unit": name, "why": why, "careful": moves.is_careful(rule), "before": "", "gate": asked}
        context.release = dataclasses.replace(kept, outputs={**kept.outputs, "failure": failure})
        with context.history.transaction():
            said = f"{kept.id} asks whether to go back"
            context.history.record(context.release, Event("release.failure", kept.subject, said))
            wakes.wake(context.history, kept.subject, "ask before going back")
    else:
        retreat.begin(context, why, name, rule)


def _is_aside(context: Context) -> bool:
    """Whether what failed says nothing of the version, which is live and well: notes that a forge did not take, say."""
    shape = None if isinstance(context.unit, GateCall) else shape_of(context.unit.name)
    made = context.deployment
    return shape is not None and shape.aside and made is not None and made.state is DeploymentState.LIVE


def _give_over(context: Context, why: str) -> None:
    """End the release as failed, and leave what it brought as it is."""
    made = context.deployment
    if made is not None and made.state is DeploymentState.BEGUN:
        deployments.change(context.history, made, DeploymentState.FAILED, why)
    retreat.end(context, ReleaseState.FAILED, why)


def _went_live(context: Context) -> bool:
    made = context.deployment
    return made is not None and made.state in (DeploymentState.BEGUN, DeploymentState.LIVE)


def _finish(context: Context) -> None:
    deployments.mark_live(context)
    where = f" is live in {context.release.environment}" if context.deployment else " is done"
    what = context.release.version or context.release.commit[:12]
    retreat.end(context, ReleaseState.DONE, f"{what}{where}")


def _tell(context: Context, kind: str, text: str, data: dict[str, Any]) -> None:
    facts = {"release": context.release.id, "version": context.release.version, **data}
    notify.send(context.history, context.trunk.config.notify, kind, text, facts)
