"""What a page that reads well can still have wrong: numbers, names that lead nowhere, gates that are missing."""

from __future__ import annotations

import re

from ecluse.release import conditions, doubts, durations, layout, page, values, words
from ecluse.release.near import named, suggestion
from ecluse.release.page import Fault
from ecluse.release.playbook import Action, GateCall, Playbook, PlaybookStep
from ecluse.release.steps import ACTIONS, shape_of

ROLES = ("human", "admin", "agent", "system")
"""Names that need no line in the section Actors to be asked at a gate."""
MACHINES = ("system", "agent")
AUTHORING = ("agent.run", "intake.import", "changelog.write")
"""Actions whose actor is an author of what goes live."""
_JOINED = re.compile(r"\s*(?:\+|,|/|&|\s(?:and|or|et|ou)\s)\s*", re.IGNORECASE)


def lint(playbook: Playbook, *, production: bool = True) -> list[Fault]:
    """The faults of a compiled playbook, in the order of the page.

    ``production`` is whether the environment it deploys to needs a gate; unknown counts as yes.
    """
    faults = [*_numbers(playbook), *_units(playbook), *_tables(playbook), *_people(playbook)]
    faults += [*words.faults(playbook), *doubts.faults(playbook), *layout.faults(playbook.text)]
    faults += [*doubts.early(playbook), *_irreversible(playbook)]
    if production:
        faults += [*_ungated(playbook), *_judged_by_authors(playbook)]
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
        if step.condition and not conditions.is_valid(step.condition):
            text = f"`if: {step.condition}` is not `[not] WORD`, `WORD == VALUE` or `WORD != VALUE` with a known word"
            found.append(Fault(*step.condition_at, "step.condition", text))
        for unit in step.units:
            found += _unit(playbook, step, unit, used)
    for rule in playbook.gates:
        if rule.name not in used:
            found.append(Fault(*rule.at("gate"), "gate.unused", f"no step asks at the gate `{rule.name}`"))
    return found


def _unit(playbook: Playbook, step: PlaybookStep, unit: Action | GateCall, used: list[str]) -> list[Fault]:
    at = (unit.line, unit.column)
    if isinstance(unit, GateCall):
        if unit.name in used:
            return [Fault(*at, "gate.asked_twice", f"the gate `{unit.name}` is asked at a second place")]
        used.append(unit.name)
        if playbook.gate(unit.name) is None:
            said = named(unit.name, [rule.name for rule in playbook.gates])
            return [Fault(*at, "gate.undefined", f"the gate `{unit.name}` is not in the table Human gates{said}")]
        return []
    return _call(playbook, unit)


def _call(playbook: Playbook, unit: Action) -> list[Fault]:
    at = (unit.line, unit.column)
    shape = shape_of(unit.name)
    if shape is None:
        return [Fault(*at, "action.unknown", f"there is no action `{unit.name}`{named(unit.name, ACTIONS)}")]
    found = [
        Fault(*unit.where(f"{key}="), "action.key", f"`{unit.name}` has no key `{key}`{named(key, shape.keys)}")
        for key in unit.arguments
        if key not in shape.keys
    ]
    found += [
        Fault(*at, "action.missing", f"`{unit.name}` needs `{key}=`: {shape.keys[key]}")
        for key in shape.required
        if not unit.arguments.get(key)
    ]
    found += [
        Fault(
            *unit.where(f"{key}="),
            "action.value",
            f"`{key}={value}` of `{unit.name}` is not {values.meaning(shape.kinds[key])}",
        )
        for key, value in unit.arguments.items()
        if key in shape.kinds and not values.is_one(shape.kinds[key], value)
    ]
    if unit.name == "wait" and bool(unit.arguments.get("for")) == bool(unit.arguments.get("until")):
        found.append(Fault(*at, "action.missing", "`wait` needs either `for=` or `until=`"))
    if "template" in shape.keys and unit.arguments.get("template", "") not in ("", *playbook.templates):
        said = named(unit.arguments["template"], playbook.templates)
        text = f"Communications has no template `{unit.arguments['template']}`{said}"
        found.append(Fault(*unit.where("template="), "template.unknown", text))
    return found


def _tables(playbook: Playbook) -> list[Fault]:
    called = [unit for _, unit in playbook.units if isinstance(unit, Action)]
    known = {unit.name for unit in called}
    found = []
    for number, rule in enumerate(playbook.rollback):
        if not rule.when:
            found.append(Fault(*rule.at("when"), "rollback.when", "a row of the rollback table does not say when"))
        elif not rule.by_hand and rule.when not in known:
            text = (
                f"a rollback for `{rule.when}` can never happen: no step uses that action{suggestion(rule.when, known)}"
            )
            found.append(Fault(*rule.at("when"), "rollback.unreachable", text))
        if any((rule.when, rule.by_hand) == (other.when, other.by_hand) for other in playbook.rollback[:number]):
            text = f"a second row for `{rule.when}` can never be reached"
            found.append(Fault(*rule.at("when"), "rollback.unreachable", text))
        for move in rule.moves:
            found += _call(playbook, move.action) if move.action else []
    for unit in called:
        shape = shape_of(unit.name)
        if shape is not None and shape.goes_live and playbook.rollback_rule(unit.name) is None:
            text = f"no row of the rollback table says what happens when `{unit.name}` fails"
            found.append(Fault(unit.line, unit.column, "rollback.missing", text))
    return found


def _people(playbook: Playbook) -> list[Fault]:
    """Who acts and who is asked: names that the section Actors knows, and gates that silence does not leave open."""
    found = []
    for step in playbook.steps:
        for name in actors_of(step.actor):
            if playbook.actors and name not in playbook.actors and name not in ROLES:
                text = f"`{name}` is not among the Actors{named(name, playbook.actors)}"
                at = page.place(playbook.text, step.line, name, last=True)
                found.append(Fault(*at, "actor.unknown", text))
    for rule in playbook.gates:
        asked = [name.lower() for name in rule.who]
        for name in asked:
            if playbook.actors and name not in playbook.actors and name not in ROLES:
                said = named(name, playbook.actors)
                text = f"the gate `{rule.name}` asks `{name}`, who is not among the Actors{said}"
                found.append(Fault(*rule.at("who"), "actor.unknown", text))
        if all(name in MACHINES for name in asked):
            text = f"the gate `{rule.name}` asks no person: a gate is answered by people"
            found.append(Fault(*rule.at("who"), "gate.machine", text))
        if rule.needs > len(asked) and not set(asked) & {"human", "admin"}:
            text = f"the gate `{rule.name}` needs {rule.needs} people and names {len(asked)}"
            found.append(Fault(*rule.at("needs"), "gate.needs", text))
        if not rule.silence:
            text = f"the gate `{rule.name}` does not say what happens when nobody answers: `abort` or `rollback`"
            found.append(Fault(*rule.at("silence"), "gate.silence", text))
        asking = next((s for s, u in playbook.units if isinstance(u, GateCall) and u.name == rule.name), None)
        if rule.step is not None and asking is not None and asking.number != rule.step:
            text = (
                f"the table says that step [{rule.step}] asks at the gate `{rule.name}`, it is step [{asking.number}]"
            )
            found.append(Fault(*rule.at("gate"), "gate.step", text))
    return found


def actors_of(said: str) -> list[str]:
    """The names in ``by Ann + Bob via ci, 30 min``, in lower case: no brackets, no means (``via``, a script), no times."""
    plain = re.sub(r"\([^)]*\)|\bvia\s+\S+", "", said, flags=re.IGNORECASE)
    names = [name.strip().lower() for name in _JOINED.split(plain)]
    return [name for name in names if name and name != "script" and durations.seconds(name) is None]


def _judged_by_authors(playbook: Playbook) -> list[Fault]:
    """Gates before production where everybody who may answer has made a part of what goes live."""
    authors: set[str] = set()
    found = []
    for step, unit in playbook.units:
        if isinstance(unit, Action):
            authors |= set(actors_of(step.actor)) - {"system"} if unit.name in AUTHORING else set()
            continue
        rule = playbook.gate(unit.name)
        own = authors & {name.lower() for name in rule.who} if rule else set()
        for name in sorted(own):
            text = f"`{name}` is an author of what goes live and may answer the gate `{unit.name}`: let somebody else"
            found.append(Fault(unit.line, unit.column, "gate.author", text))
    return found


def _irreversible(playbook: Playbook) -> list[Fault]:
    """Actions that cannot be taken back and that no gate precedes, or whose own step asks only afterwards."""
    asked = False
    found = []
    for step in playbook.steps:
        later = {unit.name for unit in step.units if isinstance(unit, GateCall)}
        for unit in step.units:
            if isinstance(unit, GateCall):
                later.discard(unit.name)
                asked = True
                continue
            shape = shape_of(unit.name)
            if shape is None or not shape.irreversible:
                continue
            if later or (not asked and playbook.gates):
                text = f"`{unit.name}` cannot be taken back, and the gate comes after it"
                found.append(Fault(unit.line, unit.column, "gate.late", text))
    return found


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
