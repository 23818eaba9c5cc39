"""The JSON form of a playbook, for programs: what a page compiles to, with the JSON Schema that is shipped beside it.

Only doors use this; a release keeps the page itself. The models are pydantic's, so it is imported where it is needed.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ecluse.release.playbook import Action, GateCall, GateRule, Playbook, PlaybookStep, RollbackRule, Unit

SCHEMA_FILE = "playbook.schema.json"

_LINE, _COLUMN = "in the page, from 1", "in that line, from 1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class UsesForm(_Part):
    """``uses:``: one action of the step library with its arguments."""

    uses: str = Field(description="name of the action")
    arguments: dict[str, str] = Field(description="its keys and values, as written")
    line: int = Field(description=_LINE)
    column: int = Field(description=_COLUMN)


class AskForm(_Part):
    """``gate:``: the place where people are asked."""

    gate: str = Field(description="name of the gate")
    line: int = Field(description=_LINE)
    column: int = Field(description=_COLUMN)


class StepForm(_Part):
    """One step of the sequence; ``does`` is in the order in which it happens."""

    number: int = Field(description="as in its heading, from 1")
    title: str = Field(description="as in its heading")
    actor: str = Field(description="who does it, one of `actors`")
    prose: str = Field(description="what it says to people")
    condition: str = Field(alias="if", description="when empty, the step is always done")
    output: str = Field(description="name under which its result is known to later steps")
    checklist: list[str] = Field(description="what the person ticks before the gate is answered")
    does: list[UsesForm | AskForm] = Field(description="actions and gates, in their order")
    line: int = Field(description=_LINE)


class AnswerForm(_Part):
    """One answer of a gate and where it leads."""

    answer: str = Field(description="the word that a person gives")
    target: Literal["go", "abort", "rollback", "pause"] = Field(description="where it leads")


class GateForm(_Part):
    """One row of the table Human gates."""

    name: str = Field(description="as steps call it")
    question: str = Field(description="what people are asked")
    who: list[str] = Field(description="roles and names of those who may answer")
    needs: int = Field(ge=1, description="how many people have to say the same")
    answers: list[AnswerForm] = Field(description="the first of them goes on")
    silence: Literal["abort", "rollback", ""] = Field(description="what it means when nobody answers")
    deadline_s: float | None = Field(description="seconds until silence counts; null leaves it to the policy")
    checklist: list[str] = Field(description="what is ticked, of the steps that ask this gate")
    line: int = Field(description=_LINE)


class MoveForm(_Part):
    """One thing that a rollback does, in order."""

    kind: Literal["previous", "same", "stop", "action"] = Field(
        description="bring back the previous version, deploy the same once more, stop the service, or do `uses`"
    )
    uses: str = Field(default="", description="name of the action, for `action`")
    arguments: dict[str, str] = Field(default={}, description="its keys and values")


class RollbackForm(_Part):
    """One row of the rollback table."""

    when: str = Field(description="the action whose failure it is for, or the word that a person gives")
    by_hand: bool = Field(description="whether a person asks for it")
    moves: list[MoveForm] = Field(description="what is done, in order")
    ask: bool = Field(description="whether people are asked first")
    text: str = Field(description="the cell Do as written")
    line: int = Field(description=_LINE)


class InputForm(_Part):
    """One input of the front matter; without a default it has to be given."""

    name: str = Field(description="as in `--input NAME=VALUE` and `{inputs.NAME}`")
    description: str = Field(description="for those who give it")
    default: str | None = Field(description="null when it has to be given")
    choices: list[str] = Field(default=[], description="all values that it takes; empty: any")


class PlaybookForm(_Part):
    """A playbook, compiled: format 1."""

    playbook: str = Field(description="its name")
    format: Literal[1] = Field(description="of the page")
    path: str = Field(description="where it stands in the tree")
    title: str = Field(description="its first heading")
    digest: str = Field(description="SHA-256 of the page in UTF-8")
    environment: str = Field(description="where it goes live; empty: nowhere, or as its start says")
    concurrency: str = Field(
        description="a word for which only one run may be unfinished; empty: each environment's own"
    )
    deadline_s: float | None = Field(description="seconds until it is live or ended; null leaves it to the policy")
    inputs: list[InputForm] = Field(description="what may be given at its start")
    actors: list[str] = Field(description="names of the list Actors")
    steps: list[StepForm] = Field(description="the sequence")
    gates: list[GateForm] = Field(description="the table Human gates")
    rollback: list[RollbackForm] = Field(description="the rollback table, in its order")
    communications: dict[str, str] = Field(description="messages by their names")
    outputs: list[str] = Field(description="outputs that the page promises")
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
        inputs=[
            InputForm(name=r.name, description=r.description, default=r.default, choices=list(r.choices))
            for r in playbook.inputs
        ],
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
