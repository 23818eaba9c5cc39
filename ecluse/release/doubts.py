"""What a page says and nobody reads, or what is done and no reader sees: the linter names it.

A run that has begun keeps its page as it was, so these are faults of a new start and never of a page that is stored.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from ecluse import yaml12
from ecluse.release import conditions, header, near, page, sequence
from ecluse.release.page import Fault, Line
from ecluse.release.playbook import Action, GateCall, InputRule, Playbook, PlaybookStep
from ecluse.release.steps import ACTIONS

_LINE = re.compile(r"^(\s*[-*+]\s+[`*_]*)([^\W\d_]+)[`*_]*(?:\s*(:)[`*_]*\s*|\s+)(.*?)`?\s*$")
_KEPT = ("uses", "then", "gate", "if", "si", "output", "sortie")
_FOREIGN = {"utilise": "uses", "utiliser": "uses", "action": "uses", "puis": "then", "ensuite": "then", "porte": "gate"}
"""Words for a line that the machine keeps under another one."""
_ARGUMENTS = re.compile(r"(?:[\w-]+=(?:\"[^\"]*\"|'[^']*'|\S*)\s*)*")
_MORE = re.compile(r"^(\s+(?:[-*+]\s+)?)[a-z][\w-]*=\S")
_ACTOR = re.compile(r"\s(?:by|par)\s+(\S+)\Z", re.IGNORECASE)
_PLAIN = ("playbook", "environment", "concurrency", "deadline")
_INPUT = re.compile(r"[A-Za-z][\w-]*\Z", re.ASCII)


def faults(playbook: Playbook) -> list[Fault]:
    """Every doubt about a page, in no order."""
    front, first, lines = page.split_front_matter(playbook.text)
    found = list(_hidden(playbook, lines))
    for step in playbook.steps:
        last = next((other.line for other in playbook.steps if other.line > step.line), step.line + 10_000)
        own = [line for line in lines if step.line < line.number < last and not line.quoted]
        found += [*_nearly(playbook, own), *_loose(playbook, step, own)]
        if step.checklist and not any(isinstance(unit, GateCall) for unit in step.units):
            text = f"step [{step.number}] has a list to tick and no `gate:`, so nobody ticks it"
            found.append(Fault(step.line, 5, "step.checklist", text))
    found += _reserved(playbook)
    return found + list(_front(front, first)) + [fault for rule in playbook.inputs for fault in _input(rule)]


def _hidden(playbook: Playbook, lines: list[Line]) -> Iterator[Fault]:
    """Steps, lines and rows inside a comment of HTML: the machine would keep them, and nobody sees them on the page."""
    inside = _commented(lines)
    kept = [(step.line, f"step [{step.number}]") for step in playbook.steps]
    kept += [(unit.line, f"`{unit.name}`") for _, unit in playbook.units]
    kept += [(rule.line, f"the gate `{rule.name}`") for rule in playbook.gates]
    kept += [(rule.line, f"the row for `{rule.when}`") for rule in playbook.rollback]
    for number, what in kept:
        if number in inside:
            text = (
                f"{what} stands in a comment, where no reader sees it, and it would be done: take one of the two away"
            )
            yield Fault(number, 1, "page.hidden", text)


def _commented(lines: list[Line]) -> set[int]:
    """The numbers of the lines at whose beginning a comment is open."""
    found: set[int] = set()
    is_open = False
    for line in lines:
        if is_open:
            found.add(line.number)
        if line.quoted and not is_open:
            continue
        begun, ended = line.text.rfind("<!--"), line.text.rfind("-->")
        if begun != ended:
            is_open = begun > ended
    return found


def _nearly(playbook: Playbook, lines: list[Line]) -> Iterator[Fault]:
    """Lines that are nearly one that the machine keeps: `use: ci.green`, `- **uses**: ci.green`, `gates: go-live`."""
    for line in lines:
        said = None if sequence.is_kept(line.text) else _LINE.match(line.text)
        if said is None:
            continue
        word = said[2].lower()
        nearest = _FOREIGN.get(word) or next(iter(difflib.get_close_matches(word, _KEPT, 1, 0.7)), "")
        if nearest and _is_meant(playbook, nearest, said[4], colon=bool(said[3])):
            text = f"`{said[2]}` is prose to the machine, and nothing would happen (did you mean `{nearest}:`?)"
            yield Fault(line.number, len(said[1]) + 1, "step.line", text)


def _is_meant(playbook: Playbook, word: str, value: str, *, colon: bool) -> bool:
    """Whether ``value`` is what a line ``word:`` would say, and no sentence that only begins with such a word."""
    if word in ("if", "si"):
        return colon and conditions.is_valid(value)
    if word == "gate":
        return playbook.gate(page.bare(value)) is not None
    if word in ("output", "sortie"):
        name = page.bare(value)
        return _INPUT.match(name) is not None and any(f"{mark}{name}" in playbook.text for mark in ("outputs.", "- **"))
    name, _, rest = value.partition(" ")
    return name in ACTIONS and _ARGUMENTS.fullmatch(rest.strip()) is not None


def _loose(playbook: Playbook, step: PlaybookStep, lines: list[Line]) -> Iterator[Fault]:
    """Arguments on a line of their own below their action, and an actor that the heading does not set apart."""
    called = {unit.line for unit in step.units if isinstance(unit, Action)}
    for line in lines:
        said = _MORE.match(line.text)
        if said and line.number - 1 in called:
            text = "the arguments of an action stand on its own line; these are prose to the machine"
            yield Fault(line.number, len(said[1]) + 1, "action.loose", text)
    by = _ACTOR.search(step.title)
    if by and by[1].lower() in (*playbook.actors, "human", "admin", "agent", "system"):
        text = f"`{by[1]}` is a part of the title to the machine: write `### [{step.number}] Title — by {by[1]}`"
        yield Fault(*page.place(playbook.text, step.line, by[1], last=True), "step.actor", text)


def _reserved(playbook: Playbook) -> Iterator[Fault]:
    """Two names are the machine's own: the emergency's gate and the one before going back."""
    for rule in playbook.gates:
        if rule.name == "override" or rule.name.split("-")[0] == "rollback":
            text = f"a gate cannot be called `{rule.name}`: Écluse asks at gates of that name itself"
            yield Fault(*rule.at("gate"), "gate.reserved", text)


def _front(front: str, first: int) -> Iterator[Fault]:
    """Values of the front matter that are lists or mappings where one word is read."""
    root = yaml12.parse(front) if first else None
    if not isinstance(root, yaml12.Mapping):
        return
    for key, value in root.entries:
        if key.text in _PLAIN and not isinstance(value, yaml12.Scalar):
            yield Fault(
                value.line + first - 1, value.column, "playbook.value", f"`{key.text}:` is one word, not several"
            )
    inputs = root.get("inputs")
    for name, value in inputs.entries if isinstance(inputs, yaml12.Mapping) else ():
        said = value.get("required") if isinstance(value, yaml12.Mapping) else None
        if said is None:
            continue
        at = (said.line + first - 1, said.column)
        if not isinstance(said, yaml12.Scalar) or not isinstance(said.value, bool):
            yield Fault(*at, "input.required", f"`required` of the input `{name.text}` is `true` or `false`")
        elif said.value and isinstance(value, yaml12.Mapping) and value.get("default") is not None:
            text = f"the input `{name.text}` has to be given, so its default is never used"
            yield Fault(*at, "input.default", text)


def _input(rule: InputRule) -> Iterator[Fault]:
    at = (rule.line, rule.column)
    for key, line, column in rule.strange:
        said = near.named(key, header.INPUT_KEYS)
        yield Fault(line, column, "input.key", f"the input `{rule.name}` has a key `{key}` that nothing reads{said}")
    if not _INPUT.match(rule.name):
        yield Fault(*at, "input.name", f"the input `{rule.name}` must be one word, such as `version`")
    if rule.default is not None and rule.chosen(rule.default) is None:
        text = f"the default `{rule.default}` of the input `{rule.name}` is none of {', '.join(rule.choices)}"
        yield Fault(*at, "input.default", text)
    if len({choice.lower() for choice in rule.choices}) < len(rule.choices):
        yield Fault(
            *at, "playbook.choices", f"`choices` of the input `{rule.name}` has a word twice (case does not count)"
        )


def early(playbook: Playbook) -> Iterator[Fault]:
    """Actions that need another one before them: a tag without a version, a landing without a change."""
    before: set[str] = set()
    for step, unit in playbook.units:
        if isinstance(unit, Action):
            needs = _BEFORE.get(unit.name, ())
            if needs and not before & set(needs) and not unit.arguments.get(_INSTEAD.get(unit.name, "")):
                wanted = " or ".join(f"`{name}`" for name in needs)
                text = f"`{unit.name}` needs {wanted} before it: step [{step.number}] would fail"
                yield Fault(unit.line, unit.column, "action.early", text)
            before.add(unit.name)


_BEFORE = {
    "git.tag": ("semver.decide",),
    "changelog.write": ("semver.decide",),
    "release.notes": ("semver.decide",),
    "landing.land": ("agent.run", "intake.import", "deps.bump"),
}
"""Action -> one of these has to come before it."""
_INSTEAD = {"landing.land": "change"}
"""Action -> the argument that makes that unnecessary."""
