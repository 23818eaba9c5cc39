"""The section Sequence: ``### [n] Title — by ACTOR``, prose, and the lines that the machine keeps."""

from __future__ import annotations

import re
import shlex

from ecluse.release import page
from ecluse.release.page import Fault, Line, Part
from ecluse.release.playbook import Action, GateCall, PlaybookStep, Unit

_TITLE = re.compile(
    r"\[(\d+)\]\s+(.*?)(?:\s+(?:[—–―‒−]|-{1,3})\s+(?:by|par)\s+(?P<by>.+?)|\s+\((?P<of>[^()]+)\))?\s*\Z", re.IGNORECASE
)
_TICK = re.compile(r"^\s*[-*+]\s+\[[ xX]\]\s+(.*\S)\s*$")
_DIRECTIVE = re.compile(r"^(\s*(?:[-*+]\s+)?`?)(uses|then|gate|output|if|sortie|si)(\s*:\s*)(.*?)`?\s*$")
_FRENCH = {"sortie": "output", "si": "if"}


def read(part: Part, faults: list[Fault]) -> tuple[PlaybookStep, ...]:
    """The steps of the section; what is wrong is added to ``faults``."""
    found = []
    for piece in page.parts(part.lines, 3):
        title = _TITLE.match(piece.title)
        if title is None:
            faults.append(Fault(piece.number, 5, "step.heading", f"`{piece.title}` is not `[n] Title — by ACTOR`"))
            continue
        found.append(_step(int(title[1]), title[2], (title["by"] or title["of"] or "system").strip(), piece, faults))
    if not found:
        faults.append(Fault(part.number, 1, "playbook.no_steps", "the sequence has no step `### [1] Title — by ACTOR`"))
    return tuple(found)


def _step(number: int, title: str, actor: str, part: Part, faults: list[Fault]) -> PlaybookStep:
    units: list[Unit] = []
    single = {"output": "", "if": ""}
    places = {"output": (part.number, 5), "if": (part.number, 5)}
    prose = []
    for line in part.lines:
        said = None if line.quoted else _DIRECTIVE.match(line.text)
        if said is None:
            prose.append(line.text)
            continue
        word, value, column = (
            _FRENCH.get(said[2], said[2]),
            said[4].strip(),
            len(said[1]) + len(said[2]) + len(said[3]) + 1,
        )
        if not value:
            faults.append(Fault(line.number, column, "step.empty", f"`{word}:` says nothing"))
        elif word in single:
            if single[word]:
                faults.append(Fault(line.number, column, "step.twice", f"step {number} has a second `{word}:`"))
            single[word] = page.bare(value) if word == "output" else value
            places[word] = (line.number, column)
        elif word == "gate":
            units.append(GateCall(page.bare(value), line.number, column))
        else:
            called = action(value, line, column, faults)
            units.extend([called] if called else [])
    ticks = tuple(found[1] for line in part.lines if not line.quoted and (found := _TICK.match(line.text)))
    return PlaybookStep(
        number=number,
        title=title,
        actor=actor,
        prose="\n".join(prose).strip("\n"),
        units=tuple(units),
        output=single["output"],
        condition=single["if"],
        line=part.number,
        checklist=ticks,
        output_at=places["output"],
        condition_at=places["if"],
    )


def is_kept(text: str) -> bool:
    """Whether a line of a step is one that the machine keeps."""
    return _DIRECTIVE.match(text) is not None


def action(value: str, line: Line, column: int, faults: list[Fault]) -> Action | None:
    """``name key=value ...`` as an action; ``column`` is where it starts. ``None``, and a fault, when it cannot be read."""
    try:
        words = shlex.split(value)
    except ValueError as error:
        faults.append(Fault(line.number, column, "action.quotes", f"the quotes do not match: {error}"))
        return None
    arguments: dict[str, str] = {}
    for word in words[1:]:
        key, equals, text = word.partition("=")
        at = column + max(value.find(key), 0)
        if not equals or not key:
            faults.append(Fault(line.number, at, "action.argument", f"`{word}` is not `key=value`"))
        elif key in arguments:
            faults.append(Fault(line.number, at, "action.argument_twice", f"`{key}` is given a second time"))
        arguments[key] = text
    return Action(words[0], arguments, line.number, column, value)
