"""Commands that steps print: ``::name key=value::data`` and the older ``##[name key=value;]data``."""

from __future__ import annotations

from dataclasses import dataclass, field

KNOWN = frozenset(
    {
        "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
        "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning",
    }
)  # fmt: skip
_DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
_OLD = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    data: str = ""
    properties: dict[str, str] = field(default_factory=dict)


def parse(line: str) -> Command | None:
    """The command in a line of output, or ``None`` when it is an ordinary line."""
    if "::" in line and (command := parse_new(line)):
        return command
    return parse_old(line) if "##[" in line else None


def parse_new(line: str) -> Command | None:
    """A line of the form ``::name key=value,key=value::data``, with blanks in front at most."""
    text = line.lstrip()
    end = text.find("::", 2)
    if not text.startswith("::") or end < 0:
        return None
    name, _, properties = text[2:end].partition(" ")
    return Command(name, _plain(text[end + 2 :], _DATA), _pairs(properties.strip(), ",", _PROPERTY)) if name else None


def parse_old(line: str) -> Command | None:
    """A line with ``##[name key=value;key=value;]data`` somewhere in it."""
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, properties = line[start + 3 : end].partition(" ")
    return Command(name, _plain(line[end + 1 :], _OLD), _pairs(properties.strip(), ";", _OLD)) if name else None


def _pairs(text: str, separator: str, escapes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    found = {}
    for pair in text.split(separator):
        key, _, value = pair.partition("=")
        if key.strip() and value:
            found[key.strip()] = _plain(value, escapes)
    return found


def _plain(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    if "%" in text:
        for escaped, character in escapes:
            text = text.replace(escaped, character)
    return text
