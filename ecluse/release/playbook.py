"""A playbook: the page that people read, compiled to the steps, gates and rules that a release keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NoReturn

from ecluse.errors import Invalid
from ecluse.release import page
from ecluse.release.page import Fault, Line, Part

FORMAT = 1
SECTIONS: dict[str, str] = {
    "trigger": "trigger",
    "déclencheur": "trigger",
    "actors": "actors",
    "acteurs": "actors",
    "prerequisites": "prerequisites",
    "pré-requis": "prerequisites",
    "pre-requis": "prerequisites",
    "prérequis": "prerequisites",
    "sequence": "sequence",
    "séquence": "sequence",
    "human gates": "gates",
    "gates humains": "gates",
    "gates humains bloquants": "gates",
    "portes humaines": "gates",
    "rollback": "rollback",
    "retour arrière": "rollback",
    "communications": "communications",
    "communication": "communications",
    "outputs": "outputs",
    "sorties": "outputs",
}
"""Heading in lower case -> what the section is. Every other section is prose and is kept."""


@dataclass(frozen=True, slots=True)
class Action:
    """``uses: name key=value``: one thing the machine does, ``written`` as it stands at ``line`` and ``column``."""

    name: str
    arguments: dict[str, str]
    line: int
    column: int
    written: str = field(default="", compare=False)

    def where(self, piece: str) -> tuple[int, int]:
        """The line and the column at which ``piece`` stands in what is written; else where the name does."""
        return self.line, self.column + max(self.written.find(piece), 0)


@dataclass(frozen=True, slots=True)
class GateCall:
    """``gate: NAME``: the place in a step where people are asked."""

    name: str
    line: int
    column: int


Unit = Action | GateCall


@dataclass(frozen=True, slots=True)
class PlaybookStep:
    """``### [n] Title — by ACTOR`` with what it does, in the order of its lines.

    ``checklist`` are its lines ``- [ ] text``: what the person who answers its gate tries by hand, and ticks.
    ``output_at`` and ``condition_at`` are the line and column of these two.
    """

    number: int
    title: str
    actor: str
    prose: str
    units: tuple[Unit, ...]
    output: str
    condition: str
    line: int
    checklist: tuple[str, ...] = ()
    output_at: tuple[int, int] = field(default=(1, 1), compare=False)
    condition_at: tuple[int, int] = field(default=(1, 1), compare=False)


@dataclass(frozen=True, slots=True)
class GateRule:
    """A row of the gates' table, with the list that a person ticks in the step that asks.

    ``targets`` stand in the order of ``answers``: ``go`` (the sequence goes on), ``abort``, ``rollback`` or ``pause``.
    ``silence`` is what happens when nobody answers, ``abort`` or ``rollback``; empty is a fault that the linter names.
    ``needs`` people have to say the same. ``deadline_s`` counts from the opening; ``None`` leaves it to the policy.
    ``columns`` is where each cell of the row starts.
    """

    name: str
    question: str
    who: tuple[str, ...]
    answers: tuple[str, ...]
    silence: str
    line: int
    targets: tuple[str, ...] = ("go", "abort")
    needs: int = 1
    deadline_s: float | None = None
    step: int | None = None
    columns: dict[str, int] = field(default_factory=dict, compare=False)

    def at(self, cell: str) -> tuple[int, int]:
        """The line and the column of a cell of its row, by the column's meaning."""
        return self.line, self.columns.get(cell, 1)

    def target(self, answer: str) -> str:
        """Where ``answer`` leads; ``abort`` for a word that is not among the answers."""
        return dict(zip(self.answers, self.targets, strict=False)).get(answer, "abort")


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that a rollback does: ``previous`` or ``same`` version again, ``stop``, or an ``action`` of the library."""

    kind: str
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class RollbackRule:
    """A row of the rollback table.

    ``when`` is the action whose failure it is for, or, for a row that begins with `by hand:`, the word that a person
    gives. ``moves`` are done in their order, after a yes when ``ask`` is set.
    """

    when: str
    moves: tuple[Move, ...]
    text: str
    line: int
    ask: bool = False
    by_hand: bool = False
    columns: dict[str, int] = field(default_factory=dict, compare=False)

    def at(self, cell: str) -> tuple[int, int]:
        """The line and the column of a cell of its row, by the column's meaning."""
        return self.line, self.columns.get(cell, 1)

    @property
    def do(self) -> str:
        """Where the row ends: ``previous``, ``same`` or ``stop``."""
        return next((move.kind for move in self.moves if move.kind != "action"), "stop")


@dataclass(frozen=True, slots=True)
class InputRule:
    """An input that ``--input name=value`` gives; ``default`` is ``None`` when it has to be given.

    ``choices`` are all the values it takes; empty: any. ``strange`` are keys of it that nobody knows, each with its
    line and column: the linter names them, and a page that was stored before it did so can still be read.
    """

    name: str
    description: str
    default: str | None
    choices: tuple[str, ...] = ()
    strange: tuple[tuple[str, int, int], ...] = ()
    line: int = 1
    column: int = 1

    def chosen(self, value: str) -> str | None:
        """``value`` as the choices spell it, whatever its case; ``None`` when it is none of them."""
        if not self.choices:
            return value
        return next((choice for choice in self.choices if choice.lower() == value.strip().lower()), None)


@dataclass(frozen=True, slots=True)
class Playbook:
    """A compiled page, and its ``text``. ``digest`` is the SHA-256 of the page's bytes, so any edit is another playbook."""

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
    outputs: tuple[str, ...] = ()
    outputs_line: int = 1
    template_lines: dict[str, int] = field(default_factory=dict)
    concurrency: str = ""
    deadline_s: float | None = None
    text: str = ""

    @property
    def units(self) -> list[tuple[PlaybookStep, Unit]]:
        """Every unit with its step, in the order in which a release goes through them."""
        return [(step, unit) for step in self.steps for unit in step.units]

    def gate(self, name: str) -> GateRule | None:
        """The rule of the gate ``name``."""
        return next((rule for rule in self.gates if rule.name == name), None)

    def rollback_rule(self, action: str) -> RollbackRule | None:
        """The rule for a failure of ``action``."""
        return next((rule for rule in self.rollback if action == rule.when and not rule.by_hand), None)

    def rollback_by_hand(self, word: str) -> RollbackRule | None:
        """The row that a person asks for with ``word``."""
        return next((rule for rule in self.rollback if word == rule.when and rule.by_hand), None)

    def checklist(self, gate: str) -> tuple[str, ...]:
        """What the person who answers ``gate`` ticks: the list of the step that asks."""
        return next(
            (step.checklist for step, unit in self.units if isinstance(unit, GateCall) and unit.name == gate), ()
        )


def compile_playbook(text: str, path: str) -> Playbook:
    """Read a page. Raises :class:`Invalid` listing everything that is wrong with it, with line and column."""
    from ecluse.release import header, sequence, tables

    faults: list[Fault] = []
    front, first, lines = page.split_front_matter(text)
    head = header.read(front, first, faults)
    found = _sections(lines, faults)
    steps = sequence.read(found["sequence"], faults) if "sequence" in found else ()
    if "sequence" not in found:
        faults.append(Fault(1, 1, "playbook.no_sequence", "there is no section `## Sequence`"))
    gates = tuple(tables.gates(found.get("gates"), faults))
    rollback = tuple(tables.rollback(found.get("rollback"), faults))
    if faults:
        from ecluse.release import layout  # what was meant explains most of what is missing

        _refuse(path, [*faults, *layout.faults(text)])
    titles = page.parts(lines, 1)
    return Playbook(
        name=head.name,
        path=path,
        title=titles[0].title if titles else head.name,
        digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        environment=head.environment,
        concurrency=head.concurrency,
        deadline_s=head.deadline_s,
        inputs=head.inputs,
        steps=steps,
        gates=gates,
        rollback=rollback,
        actors=tuple(tables.actors(found.get("actors"))),
        templates=tables.templates(found.get("communications")),
        template_lines=tables.template_lines(found.get("communications")),
        outputs_line=found["outputs"].number if "outputs" in found else 1,
        outputs=tuple(tables.outputs(found.get("outputs"))),
        text=text,
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


def section_of(title: str) -> str:
    """What the section with this heading is; empty for prose. What stands in brackets after it is the page's own."""
    words = page.key_of(title)
    return SECTIONS.get(words) or SECTIONS.get(words.split(" (")[0], "")


def _sections(lines: list[Line], faults: list[Fault]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for part in page.parts(lines, 2):
        kind = section_of(part.title)
        if not kind:
            continue
        if kind in found:
            faults.append(
                Fault(part.number, 4, "playbook.section_twice", f"the section `{part.title}` is there a second time")
            )
        found[kind] = part
    return found
