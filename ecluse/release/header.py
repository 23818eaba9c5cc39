"""A playbook's front matter: what it is called, its inputs, the environment it means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecluse import yaml12
from ecluse.release import durations
from ecluse.release.near import named
from ecluse.release.page import Fault
from ecluse.release.playbook import FORMAT, InputRule

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_KEYS = ("playbook", "format", "inputs", "environment", "description", "concurrency", "deadline")
INPUT_KEYS = ("description", "default", "required", "choices")


@dataclass(frozen=True, slots=True)
class Header:
    """What the front matter says.

    Of all runs with the same ``concurrency`` only one is unfinished at a time; ``deadline_s`` is how long a run may
    take, waiting for people included, before it is stopped. ``None``: for ever.
    """

    name: str
    environment: str
    inputs: tuple[InputRule, ...]
    concurrency: str = ""
    deadline_s: float | None = None


def read(front: str, first: int, faults: list[Fault]) -> Header:
    """Read the front matter that starts at line ``first``; what is wrong is added to ``faults``."""
    if not first:
        faults.append(
            Fault(1, 1, "playbook.no_front_matter", "the page must begin with front matter between two lines `---`")
        )
        return Header("", "", ())
    try:
        root = yaml12.parse(front)
    except yaml12.YamlProblem as problem:
        faults.append(Fault(problem.line + first - 1, problem.column, "playbook.front_matter", problem.text))
        return Header("", "", ())
    if not isinstance(root, yaml12.Mapping):
        faults.append(Fault(first, 1, "playbook.front_matter", "the front matter must be `key: value` lines"))
        return Header("", "", ())
    _check_keys(root, first, faults)
    name = _text(root, "playbook")
    if not _NAME.match(name):
        faults.append(
            Fault(*_where(root, "playbook", first), "playbook.name", "`playbook:` must name it, such as `release`")
        )
    version = root.get("format")
    if not isinstance(version, yaml12.Scalar) or version.value != FORMAT:
        faults.append(
            Fault(*_where(root, "format", first), "playbook.format", f"`format: {FORMAT}` is the one read here")
        )
    deadline = durations.seconds(_text(root, "deadline"))
    if _text(root, "deadline") and not deadline:
        at = _where(root, "deadline", first)
        faults.append(Fault(*at, "playbook.deadline", "`deadline:` is a length of time, such as `3 h` or `2 days`"))
    inputs = tuple(_inputs(root.get("inputs"), first, faults))
    return Header(name, _text(root, "environment"), inputs, _text(root, "concurrency"), deadline)


def _check_keys(root: yaml12.Mapping, first: int, faults: list[Fault]) -> None:
    for key, _ in root.entries:
        at = (key.line + first - 1, key.column)
        if key.text not in _KEYS:
            text = f"`{key.text}` is not a key of the front matter{named(key.text, _KEYS)}"
            faults.append(Fault(*at, "playbook.key", text))


def _inputs(node: yaml12.Node | None, first: int, faults: list[Fault]) -> list[InputRule]:
    if node is None or (isinstance(node, yaml12.Scalar) and node.value is None):
        return []
    if not isinstance(node, yaml12.Mapping):
        faults.append(Fault(node.line + first - 1, node.column, "playbook.inputs", "`inputs:` must be names"))
        return []
    found = []
    for key, value in node.entries:
        place = (key.line + first - 1, key.column)
        if isinstance(value, yaml12.Mapping):
            found.append(_input(key.text, place, value, first, faults))
        elif isinstance(value, yaml12.Scalar):
            default = "" if value.value is None else value.text
            found.append(InputRule(key.text, "", default, line=place[0], column=place[1]))
        else:
            at = (value.line + first - 1, value.column)
            faults.append(Fault(*at, "playbook.input", f"the input `{key.text}` must be a default value or a mapping"))
    return found


def _input(name: str, place: tuple[int, int], node: yaml12.Mapping, first: int, faults: list[Fault]) -> InputRule:
    """One input that is a mapping; ``place`` is where its name stands."""
    choices = node.get("choices")
    items = choices.items if isinstance(choices, yaml12.Sequence) else ()
    words = tuple(item.text.strip() for item in items if isinstance(item, yaml12.Scalar) and item.text.strip())
    if choices is not None and (not words or len(words) != len(items)):
        at = (choices.line + first - 1, choices.column)
        faults.append(Fault(*at, "playbook.choices", f"`choices` of the input `{name}` must be a list of words"))
    return InputRule(
        name,
        _text(node, "description"),
        None if _required(node) else _text(node, "default"),
        words,
        tuple((key.text, key.line + first - 1, key.column) for key, _ in node.entries if key.text not in INPUT_KEYS),
        *place,
    )


def _required(node: yaml12.Mapping) -> bool:
    said = node.get("required")
    return isinstance(said, yaml12.Scalar) and said.value is True


def _text(node: yaml12.Mapping, key: str) -> str:
    value = node.get(key)
    return value.text if isinstance(value, yaml12.Scalar) and value.value is not None else ""


def _where(root: yaml12.Mapping, key: str, first: int) -> tuple[int, int]:
    node = root.get(key)
    return (node.line + first - 1, node.column) if node is not None else (first, 1)
