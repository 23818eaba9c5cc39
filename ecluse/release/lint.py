"""What a page that reads well can still have wrong: numbers, names that lead nowhere, gates that are missing."""

from __future__ import annotations

from ecluse.release import conditions
from ecluse.release.page import Fault
from ecluse.release.playbook import Action, GateCall, Playbook, PlaybookStep
from ecluse.release.steps import ACTIONS, shape_of


def lint(playbook: Playbook, *, production: bool = True) -> list[Fault]:
    """The faults of a compiled playbook, in the order of the page.

    ``production`` is whether the environment it deploys to needs a gate; unknown counts as yes.
    """
    faults = [*_numbers(playbook), *_units(playbook), *_tables(playbook), *_templates(playbook)]
    if production:
        faults += _ungated(playbook)
    return sorted(set(faults), key=lambda fault: (fault.line, fault.column, fault.code))


def _numbers(playbook: Playbook) -> list[Fault]:
    found = []
    for wanted, step in enumerate(playbook.steps, 1):
        if step.number != wanted:
            found.append(
                Fault(step.line, 5, "step.number", f"step [{step.number}] stands where [{wanted}] is expected")
            )
    return found


def _units(playbook: Playbook) -> list[Fault]:
    found: list[Fault] = []
    used: list[str] = []
    for step in playbook.steps:
        if not step.units:
            text = f"step [{step.number}] has neither `uses:` nor `gate:`, so nothing would happen"
            found.append(Fault(step.line, 5, "step.idle", text))
        if playbook.actors and step.actor.lower() not in playbook.actors:
            found.append(
                Fault(
                    step.line,
                    5,
                    "actor.unknown",
                    f"`{step.actor}` is not among the Actors: {', '.join(playbook.actors)}",
                )
            )
        if step.condition and not conditions.is_valid(step.condition):
            text = f"`if: {step.condition}` is not `[not] WORD`, `WORD == VALUE` or `WORD != VALUE` with a known word"
            found.append(Fault(step.line, 5, "step.condition", text))
        for unit in step.units:
            found += _unit(playbook, step, unit, used)
    for rule in playbook.gates:
        if rule.name not in used:
            found.append(Fault(rule.line, 1, "gate.unused", f"no step asks at the gate `{rule.name}`"))
    return found


def _unit(playbook: Playbook, step: PlaybookStep, unit: Action | GateCall, used: list[str]) -> list[Fault]:
    at = (unit.line, unit.column)
    if isinstance(unit, GateCall):
        if unit.name in used:
            return [Fault(*at, "gate.asked_twice", f"the gate `{unit.name}` is asked at a second place")]
        used.append(unit.name)
        if playbook.gate(unit.name) is None:
            return [Fault(*at, "gate.undefined", f"the gate `{unit.name}` is not in the table Human gates")]
        return []
    shape = shape_of(unit.name)
    if shape is None:
        return [Fault(*at, "action.unknown", f"there is no action `{unit.name}` (there are: {', '.join(ACTIONS)})")]
    found = [
        Fault(*at, "action.key", f"`{unit.name}` has no key `{key}` (it has: {', '.join(shape.keys) or 'none'})")
        for key in unit.arguments
        if key not in shape.keys
    ]
    found += [
        Fault(*at, "action.missing", f"`{unit.name}` needs `{key}=`: {shape.keys[key]}")
        for key in shape.required
        if not unit.arguments.get(key)
    ]
    if unit.name == "notify" and unit.arguments.get("template", "") not in ("", *playbook.templates):
        text = f"Communications has no template `{unit.arguments['template']}`"
        found.append(Fault(*at, "template.unknown", text))
    return found


def _tables(playbook: Playbook) -> list[Fault]:
    known = {unit.name for _, unit in playbook.units if isinstance(unit, Action)}
    found = []
    for rule in playbook.rollback:
        if rule.when not in known:
            text = f"a rollback for `{rule.when}` can never happen: no step uses that action"
            found.append(Fault(rule.line, 1, "rollback.unreachable", text))
    return found


def _templates(playbook: Playbook) -> list[Fault]:
    line = next((step.line for step in playbook.steps[-1:]), 1)
    return [
        Fault(line, 1, "template.word", f"the template `{name}` asks for `{{{word}}}`, which is not known")
        for name, text in playbook.templates.items()
        for word in conditions.places(text)
        if not conditions.is_word(word)
    ]


def _ungated(playbook: Playbook) -> list[Fault]:
    """Steps that reach the environment without a gate since the commit was last settled."""
    gated = False
    found = []
    for step, unit in playbook.units:
        if isinstance(unit, GateCall):
            gated = gated or not step.condition
            continue
        shape = shape_of(unit.name)
        if shape is None:
            continue
        if shape.moves_commit:
            gated = False
        if shape.goes_live and not gated:
            text = f"`{unit.name}` reaches production without a gate before it that knows the final commit"
            found.append(Fault(unit.line, unit.column, "deploy.ungated", text))
    return found
