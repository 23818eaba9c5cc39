"""The JSON form of a playbook, for programs: what a page compiles to, with the JSON Schema that is shipped beside it.

Only doors use this; a release keeps the page itself. The models are pydantic's, so it is imported where it is needed.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ecluse.release.playbook import Action, GateCall, GateRule, Playbook, PlaybookStep, RollbackRule, Unit

SCHEMA_FILE = "playbook.schema.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class UsesForm(_Part):
    """``uses:``: one action of the step library with its arguments."""

    uses: str
    arguments: dict[str, str]
    line: int
    column: int


class AskForm(_Part):
    """``gate:``: the place where people are asked."""

    gate: str
    line: int
    column: int


class StepForm(_Part):
    """One step of the sequence; ``does`` is in the order in which it happens."""

    number: int
    title: str
    actor: str
    prose: str
    condition: str = Field(alias="if", description="when empty, the step is always done")
    output: str
    checklist: list[str]
    does: list[UsesForm | AskForm]
    line: int


class AnswerForm(_Part):
    """One answer of a gate and where it leads."""

    answer: str
    target: Literal["go", "abort", "rollback", "pause"]


class GateForm(_Part):
    """One row of the table Human gates."""

    name: str
    question: str
    who: list[str]
    needs: int = Field(ge=1, description="how many people have to say the same")
    answers: list[AnswerForm]
    silence: Literal["abort", "rollback", ""]
    deadline_s: float | None = Field(description="seconds until silence counts; null leaves it to the policy")
    checklist: list[str]
    line: int


class MoveForm(_Part):
    """One thing that a rollback does, in order."""

    kind: Literal["previous", "same", "stop", "action"]
    uses: str = ""
    arguments: dict[str, str] = {}


class RollbackForm(_Part):
    """One row of the rollback table."""

    when: str
    by_hand: bool
    moves: list[MoveForm]
    ask: bool
    text: str
    line: int


class InputForm(_Part):
    """One input of the front matter; without a default it has to be given."""

    name: str
    description: str
    default: str | None


class PlaybookForm(_Part):
    """A playbook, compiled: format 1."""

    playbook: str
    format: Literal[1]
    path: str
    title: str
    digest: str = Field(description="SHA-256 of the page in UTF-8")
    environment: str
    concurrency: str
    deadline_s: float | None
    inputs: list[InputForm]
    actors: list[str]
    steps: list[StepForm]
    gates: list[GateForm]
    rollback: list[RollbackForm]
    communications: dict[str, str]
    outputs: list[str]
    sections: dict[str, str] = Field(description="every section as it was written, prose ones too")


def document(playbook: Playbook) -> dict[str, Any]:
    """The JSON form of ``playbook``."""
    form = PlaybookForm(
        playbook=playbook.name,
        format=1,
        path=playbook.path,
        title=playbook.title,
        digest=playbook.digest,
        environment=playbook.environment,
        concurrency=playbook.concurrency,
        deadline_s=playbook.deadline_s,
        inputs=[InputForm(name=r.name, description=r.description, default=r.default) for r in playbook.inputs],
        actors=list(playbook.actors),
        steps=[_step(step) for step in playbook.steps],
        gates=[_gate(playbook, rule) for rule in playbook.gates],
        rollback=[_row(rule) for rule in playbook.rollback],
        communications=playbook.templates,
        outputs=list(playbook.outputs),
        sections=playbook.sections,
    )
    return form.model_dump(by_alias=True)


def schema() -> dict[str, Any]:
    """The JSON Schema of the form, as shipped in ``playbook.schema.json`` beside this module; a test compares."""
    made = PlaybookForm.model_json_schema(by_alias=True)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Playbook of Écluse, format 1"}
    return head | {key: value for key, value in made.items() if key != "title"}


def _step(step: PlaybookStep) -> StepForm:
    said = {
        "number": step.number,
        "title": step.title,
        "actor": step.actor,
        "prose": step.prose,
        "if": step.condition,
        "output": step.output,
        "checklist": list(step.checklist),
        "does": [_unit(unit) for unit in step.units],
        "line": step.line,
    }
    return StepForm.model_validate(said)


def _unit(unit: Unit) -> UsesForm | AskForm:
    if isinstance(unit, GateCall):
        return AskForm(gate=unit.name, line=unit.line, column=unit.column)
    return UsesForm(uses=unit.name, arguments=unit.arguments, line=unit.line, column=unit.column)


def _gate(playbook: Playbook, rule: GateRule) -> GateForm:
    return GateForm.model_validate(
        {
            "name": rule.name,
            "question": rule.question,
            "who": list(rule.who),
            "needs": rule.needs,
            "answers": [{"answer": a, "target": t} for a, t in zip(rule.answers, rule.targets, strict=True)],
            "silence": rule.silence,
            "deadline_s": rule.deadline_s,
            "checklist": list(playbook.checklist(rule.name)),
            "line": rule.line,
        }
    )


def _row(rule: RollbackRule) -> RollbackForm:
    return RollbackForm.model_validate(
        {
            "when": rule.when,
            "by_hand": rule.by_hand,
            "moves": [_move(move.kind, move.action) for move in rule.moves],
            "ask": rule.ask,
            "text": rule.text,
            "line": rule.line,
        }
    )


def _move(kind: str, action: Action | None) -> dict[str, Any]:
    return {"kind": kind} if action is None else {"kind": kind, "uses": action.name, "arguments": action.arguments}
