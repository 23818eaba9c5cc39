"""A playbook: the page that people read, compiled to the steps, gates and rules that a release keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NoReturn

from ecluse.errors import Invalid
from ecluse.release import page
from ecluse.release.page import Fault, Line, Part, Row

FORMAT = 1
SECTIONS: dict[str, str] = {
    "trigger": "trigger",
    "déclencheur": "trigger",
    "actors": "actors",
    "acteurs": "actors",
    "prerequisites": "prerequisites",
    "pré-requis": "prerequisites",
    "pre-requis": "prerequisites",
    "sequence": "sequence",
    "séquence": "sequence",
    "human gates": "gates",
    "gates humains": "gates",
    "rollback": "rollback",
    "communications": "communications",
    "outputs": "outputs",
    "sorties": "outputs",
}
"""Heading in lower case -> what the section is. Every other section is prose and is kept."""

COLUMNS: dict[str, str] = {
    "gate": "gate",
    "question": "question",
    "who": "who",
    "qui": "who",
    "needs": "needs",
    "besoin": "needs",
    "answers": "answers",
    "réponses": "answers",
    "if nobody answers": "silence",
    "sans réponse": "silence",
    "when": "when",
    "quand": "when",
    "do": "do",
    "action": "do",
    "ask first": "ask",
    "demander": "ask",
}
"""Table header in lower case -> the column's meaning."""


@dataclass(frozen=True, slots=True)
class Action:
    """``uses: name key=value``: one thing the machine does. ``line`` and ``column`` are where the name stands."""

    name: str
    arguments: dict[str, str]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class GateCall:
    """``gate: NAME``: the place in a step where people are asked."""

    name: str
    line: int
    column: int


Unit = Action | GateCall


@dataclass(frozen=True, slots=True)
class PlaybookStep:
    """``### [n] Title — by ACTOR`` with what it does, in the order of its lines."""

    number: int
    title: str
    actor: str
    prose: str
    units: tuple[Unit, ...]
    output: str
    condition: str
    line: int


@dataclass(frozen=True, slots=True)
class GateRule:
    """A row of the gates' table. The first of ``answers`` goes on, every other one stops the release."""

    name: str
    question: str
    who: tuple[str, ...]
    answers: tuple[str, ...]
    silence: str
    line: int


@dataclass(frozen=True, slots=True)
class RollbackRule:
    """A row of the rollback table: which action's failure (``when``), and ``previous`` or ``stop``."""

    when: str
    do: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class InputRule:
    """An input that ``--input name=value`` gives; ``default`` is ``None`` when it has to be given."""

    name: str
    description: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Playbook:
    """A compiled page. ``digest`` is the SHA-256 of the page's bytes, so any edit is another playbook."""

    name: str
    path: str
    title: str
    digest: str
    environment: str
    inputs: tuple[InputRule, ...]
    steps: tuple[PlaybookStep, ...]
    gates: tuple[GateRule, ...]
    rollback: tuple[RollbackRule, ...]
    actors: tuple[str, ...]
    templates: dict[str, str]
    sections: dict[str, str] = field(default_factory=dict)

    @property
    def units(self) -> list[tuple[PlaybookStep, Unit]]:
        """Every unit with its step, in the order in which a release goes through them."""
        return [(step, unit) for step in self.steps for unit in step.units]

    def gate(self, name: str) -> GateRule | None:
        """The rule of the gate ``name``."""
        return next((rule for rule in self.gates if rule.name == name), None)

    def rollback_rule(self, action: str) -> RollbackRule | None:
        """The rule for a failure of ``action``."""
        return next((rule for rule in self.rollback if action == rule.when), None)


def compile_playbook(text: str, path: str) -> Playbook:
    """Read a page. Raises :class:`Invalid` listing everything that is wrong with it, with line and column."""
    from ecluse.release import header, sequence

    faults: list[Fault] = []
    front, first, lines = page.split_front_matter(text)
    head = header.read(front, first, faults)
    found = _sections(lines, faults)
    steps = sequence.read(found["sequence"], faults) if "sequence" in found else ()
    if "sequence" not in found:
        faults.append(Fault(1, 1, "playbook.no_sequence", "there is no section `## Sequence`"))
    gates = tuple(_gates(found.get("gates"), faults))
    rollback = tuple(_rollback(found.get("rollback"), faults))
    if faults:
        _refuse(path, faults)
    titles = page.parts(lines, 1)
    return Playbook(
        name=head.name,
        path=path,
        title=titles[0].title if titles else head.name,
        digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        environment=head.environment,
        inputs=head.inputs,
        steps=steps,
        gates=gates,
        rollback=rollback,
        actors=tuple(_actors(found.get("actors"))),
        templates=_templates(found.get("communications")),
        sections={part.title: part.text for part in page.parts(lines, 2)},
    )


def _refuse(path: str, faults: list[Fault]) -> NoReturn:
    """Raise :class:`Invalid` for a page with these faults."""
    ordered = sorted(set(faults), key=lambda fault: (fault.line, fault.column, fault.code))
    listed = "\n".join(f"  {path}:{fault}" for fault in ordered)
    count = "one fault" if len(ordered) == 1 else f"{len(ordered)} faults"
    raise Invalid(
        "playbook.invalid",
        f"{path} has {count}:\n{listed}",
        f"edit {path}, then type: ecluse playbook lint {path}",
        {
            "path": path,
            "faults": [{"line": f.line, "column": f.column, "code": f.code, "message": f.message} for f in ordered],
        },
    )


refuse = _refuse


def _sections(lines: list[Line], faults: list[Fault]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for part in page.parts(lines, 2):
        words = part.title.lower()
        kind = SECTIONS.get(words) or SECTIONS.get(words.split(" (")[0])
        if kind is None:
            continue
        if kind in found:
            faults.append(
                Fault(part.number, 1, "playbook.section_twice", f"the section `{part.title}` is there a second time")
            )
        found[kind] = part
    return found


def _rows(part: Part | None) -> list[Row]:
    """The table of a section with its columns under their meanings."""
    if part is None:
        return []
    found = []
    for row in page.table(part.lines):
        cells = {COLUMNS[name]: text for name, text in row.cells.items() if name in COLUMNS}
        columns = {COLUMNS[name]: at for name, at in row.columns.items() if name in COLUMNS}
        found.append(Row(row.line, cells, columns))
    return found


def _gates(part: Part | None, faults: list[Fault]) -> list[GateRule]:
    found: list[GateRule] = []
    for row in _rows(part):
        name = page.bare(row.cells.get("gate", ""))
        at = row.columns.get("gate", 1)
        if not name:
            faults.append(Fault(row.line, at, "gate.unnamed", "a row of the gates' table names no gate"))
            continue
        if any(rule.name == name for rule in found):
            faults.append(Fault(row.line, at, "gate.twice", f"the gate `{name}` is in the table a second time"))
        needs = page.bare(row.cells.get("needs", "")) or "1"
        if needs not in ("1", "one", "un", "une"):
            faults.append(
                Fault(
                    row.line,
                    row.columns["needs"],
                    "gate.needs",
                    f"the gate `{name}` needs {needs}: more than one approval is not supported yet, write 1",
                )
            )
        silence = page.bare(row.cells.get("silence", "")).lower() or "abort"
        if silence not in ("abort", "rollback"):
            faults.append(
                Fault(
                    row.line,
                    row.columns["silence"],
                    "gate.silence",
                    f"if nobody answers, the gate `{name}` can `abort` or `rollback`, not `{silence}`",
                )
            )
        answers = tuple(page.bare(word) for word in (row.cells.get("answers") or "approve / reject").split("/"))
        if len(answers) < 2 or not all(answers):
            faults.append(
                Fault(
                    row.line,
                    row.columns.get("answers", 1),
                    "gate.answers",
                    f"the gate `{name}` needs two answers or more, such as `approve / reject`",
                )
            )
        who = tuple(page.bare(word) for word in (row.cells.get("who") or "human").split(","))
        question = row.cells.get("question", "").strip() or f"May the step `{name}` go on?"
        found.append(GateRule(name, question, who, answers, silence, row.line))
    return found


def _rollback(part: Part | None, faults: list[Fault]) -> list[RollbackRule]:
    found = []
    for row in _rows(part):
        when = page.bare(row.cells.get("when", "")).removesuffix(" fails").strip("`")
        do = page.bare(row.cells.get("do", "")).lower()
        asked = page.bare(row.cells.get("ask", "")).lower() or "no"
        kind = "previous" if "previous" in do or "précédente" in do else "stop" if do.startswith("stop") else ""
        if not kind:
            text = f"`{do}` is not supported yet: write `previous version` or `stop`"
            faults.append(Fault(row.line, row.columns.get("do", 1), "rollback.do", text))
        if asked not in ("no", "non"):
            text = "asking before a rollback is not supported yet: write `no`"
            faults.append(Fault(row.line, row.columns["ask"], "rollback.ask", text))
        found.append(RollbackRule(when, kind, row.cells.get("do", ""), row.line))
    return found


def _actors(part: Part | None) -> list[str]:
    """The names at the beginning of the list's items: ``- **system**: ...``."""
    if part is None:
        return []
    found = []
    for _, text in page.items(part.lines):
        for mark in (" — ", " – ", ": ", " ("):
            text = text.split(mark)[0]
        found.append(page.bare(text.rstrip(":").strip()).rstrip(":").lower())
    return found


def _templates(part: Part | None) -> dict[str, str]:
    if part is None:
        return {}
    found = {}
    for piece in page.parts(part.lines, 3):
        text = "\n".join(line.text.removeprefix(">").strip() for line in piece.lines)
        found[page.bare(piece.title)] = text.strip()
    return found
