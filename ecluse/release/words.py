"""The words of a playbook: ``inputs.NAME``, ``outputs.NAME`` and what a release knows, wherever a page uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ecluse.release import conditions, near, page
from ecluse.release.page import Fault
from ecluse.release.playbook import Action, Playbook

_NAME = re.compile(r"[a-z][\w-]*\Z")
_ODD = re.compile(r"\{+ *([A-Za-z][\w.-]*) *\}+")
_PROMISED = re.compile(r"(?:\*\*([a-z][\w-]*)\*\*|`([a-z][\w-]*)`)\s*(?::|—|–|-)")


@dataclass(frozen=True, slots=True)
class Use:
    """A word and where it is used. ``before`` is the number of steps whose outputs are there by then."""

    word: str
    line: int
    column: int
    before: int
    code: str
    where: str


def faults(playbook: Playbook) -> list[Fault]:
    """Words that lead nowhere, outputs that nothing uses, and outputs promised that no step makes."""
    made = [step.output for step in playbook.steps]
    inputs = [rule.name for rule in playbook.inputs]
    found: list[Fault] = []
    used: set[str] = set()
    for use in _uses(playbook):
        kind, _, name = use.word.partition(".")
        if kind == "outputs" and name:
            used.add(name)
            if name not in made[: use.before]:
                later = " by then" if name in made else near.suggestion(name, [one for one in made if one])
                text = f"{use.where} uses the output `{name}`, which no step makes{later}"
                found.append(Fault(use.line, use.column, "output.undefined", text))
        elif kind == "inputs" and name:
            if name not in inputs:
                said = near.named(name, inputs)
                text = f"{use.where} uses the input `{name}`, which the front matter does not have{said}"
                found.append(Fault(use.line, use.column, "input.undefined", text))
        elif not conditions.is_word(use.word):
            known = [*conditions.WORDS, *(f"inputs.{n}" for n in inputs), *(f"outputs.{n}" for n in made if n)]
            text = f"{use.where} asks for `{use.word}`, which is not known{near.named(use.word, known)}"
            found.append(Fault(use.line, use.column, use.code, text))
    return [*found, *_odd(playbook), *_choices(playbook), *_outputs(playbook, used)]


def _odd(playbook: Playbook) -> Iterator[Fault]:
    """Words in braces that would stay as they are written: `{Version}`, `{ version }`."""
    known = {*conditions.WORDS, *(f"inputs.{rule.name}" for rule in playbook.inputs)}
    known |= {f"outputs.{step.output}" for step in playbook.steps if step.output}
    where = [(text, playbook.template_lines.get(name, 1), True) for name, text in playbook.templates.items()]
    where += [(rule.question, rule.line, False) for rule in playbook.gates]
    where += [(u.written, u.line, False) for _, u in playbook.units if isinstance(u, Action)]
    for text, line, far in where:
        for said in _ODD.finditer(text):
            if said[1].lower() in known and said[0] != f"{{{said[1].lower()}}}":
                at = page.place(playbook.text, line, said[0], far=far)
                fault = f"`{said[0]}` stays as it is written (did you mean `{{{said[1].lower()}}}`?)"
                yield Fault(*at, "word.odd", fault)


def _choices(playbook: Playbook) -> list[Fault]:
    """Conditions on a value that an input never has."""
    found: list[Fault] = []
    rules = {f"inputs.{rule.name}": rule for rule in playbook.inputs}
    for step in playbook.steps:
        word, value = conditions.compared(step.condition) or ("", "")
        named = rules.get(word)
        if named is not None and named.choices and value not in named.choices:
            text = f"`if:` of step [{step.number}] compares `{word}` with `{value}`, which is none of {', '.join(named.choices)}"
            found.append(Fault(*step.condition_at, "input.choice", text))
    return found


def _outputs(playbook: Playbook, used: set[str]) -> list[Fault]:
    found: list[Fault] = []
    made = [step.output for step in playbook.steps if step.output]
    promised = {said[1] or said[2] for text in playbook.outputs if (said := _PROMISED.match(text))}
    for number, step in enumerate(playbook.steps):
        name = step.output
        if not name:
            continue
        if not _NAME.match(name):
            text = f"the output `{name}` must be one word in lower case, such as `version`"
            found.append(Fault(*step.output_at, "output.name", text))
        elif name in [other.output for other in playbook.steps[:number]]:
            found.append(Fault(*step.output_at, "output.twice", f"an earlier step makes the output `{name}` already"))
        elif name not in used and name not in promised:
            text = f"nothing uses the output `{name}`: use `{{outputs.{name}}}`, or promise it under Outputs as `{name}: ...`"
            found.append(Fault(*step.output_at, "output.unused", text))
    for name in sorted(promised - set(made)):
        at = page.place(playbook.text, playbook.outputs_line + 1, name, far=True)
        text = f"the section Outputs promises `{name}`, which no step makes{near.suggestion(name, made)}"
        found.append(Fault(*at, "output.undefined", text))
    return found


def _uses(playbook: Playbook) -> Iterator[Use]:
    for number, step in enumerate(playbook.steps):
        word = conditions.word_of(step.condition)
        if word:
            yield Use(word, *step.condition_at, number, "step.condition", f"`if:` of step [{step.number}]")
        for unit in step.units:
            if isinstance(unit, Action):
                for text in unit.arguments.values():
                    for word in conditions.places(text):
                        yield Use(word, *unit.where(f"{{{word}}}"), number, "action.word", f"`{unit.name}`")
    count = len(playbook.steps)
    for rule in playbook.gates:
        for word in conditions.places(rule.question):
            at = page.place(playbook.text, rule.line, f"{{{word}}}")
            yield Use(word, *at, count, "gate.word", f"the question of the gate `{rule.name}`")
    for name, text in playbook.templates.items():
        for word in conditions.places(text):
            at = page.place(playbook.text, playbook.template_lines.get(name, 1), f"{{{word}}}", far=True)
            yield Use(word, *at, count, "template.word", f"the template `{name}`")
