"""Reference pages made of JSON Schemas: of the compiled playbook and of the report of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pages.reading import ROOT

SCHEMAS = {
    "playbook-reference.md": (
        "ecluse/release/playbook.schema.json",
        "# The compiled form of a playbook",
        """What `ecluse playbook show NAME --json` prints, field by field; `ecluse playbook schema` prints the schema. How a
playbook is written is in [playbooks](playbooks.md), what its steps do in [steps](steps.md).""",
    ),
    "report-reference.md": (
        "ecluse/checks/report.schema.json",
        "# The fields of a run's report",
        """What `ecluse run` writes to `reports/report.json`, field by field. What the fields are for is in
[the report of a run](report.md).""",
    ),
}
"""Page -> the schema it is made of, its heading and what it begins with."""


def made() -> dict[str, str]:
    """Path below docs/ -> text."""
    return {page: "\n".join(_page(*words)).rstrip() + "\n" for page, words in SCHEMAS.items()}


def _page(path: str, heading: str, first: str) -> Iterator[str]:
    schema = json.loads((ROOT / path).read_text(encoding="utf-8"))
    yield heading
    yield ""
    yield f"{first} This page is made from the JSON Schema `{path}`; a test compares them."
    yield ""
    yield from _object("The document", schema)
    for name, below in schema["$defs"].items():
        yield from _object(_name(name), below)


def _object(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    for text in _text(schema.get("description", "")).split("\n\n"):
        if text:
            yield " ".join(text.split())
            yield ""
    if "enum" in schema:
        yield f"One of {_values(schema['enum'])}."
        yield ""
        return
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field, below in schema.get("properties", {}).items():
        yield f"| `{field}` | {_cell(_type(below))} | {_cell(_text(below.get('description', '')))} |"
    yield ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = _name(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{name.lower().replace(' ', '-')})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return _values(schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"table of {_type(schema['additionalProperties'])}"
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join([{"object": "table", "null": "null"}.get(kind, kind), *bounds])


def _name(name: str) -> str:
    """``StepForm`` -> ``Step``, ``CaseCounts`` -> ``Case counts``."""
    words = re.findall(r"[A-Z][a-z]*", name.removesuffix("Form"))
    return " ".join([words[0], *(word.lower() for word in words[1:])])


def _values(values: list[Any]) -> str:
    return ", ".join(f"`{one}`" if one else "empty" for one in values)


def _text(text: str) -> str:
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
