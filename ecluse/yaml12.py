"""Reads YAML with the 1.2 core schema, keeping the line and column of every node.

PyYAML (its C parser where present) delivers the events; which plain scalars are numbers, booleans or null is decided
here, so that ``on``, ``yes``, ``1:30`` and dates stay text. Duplicate keys, several documents, unknown tags, recursive
aliases and documents that unfold beyond the caps are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid
from ecluse.patterns import expression

MAX_NODES = 50_000
"""Nodes a document may have once its aliases are unfolded."""
MAX_DEPTH = 100
MAX_CHARACTERS = 2_000_000

Value = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = expression(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = expression(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INFINITE = expression(r"([-+]?)\.(?:inf|Inf|INF)\Z")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_PREFIX = "tag:yaml.org,2002:"


class YamlProblem(Invalid):
    """Text that is not the YAML that is read here; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(
            "yaml.invalid",
            f"line {line}, column {column}: {message}",
            "correct the file at that line, then type the same command again",
            {"line": line, "column": column},
        )
        self.text = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. ``text`` is how it was written; ``value`` what it means under the core schema."""

    value: Value
    text: str
    line: int
    column: int
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Key and value pairs in the order of the file; keys are scalars, no two with the same text."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int

    def get(self, key: str) -> Node | None:
        """The value under ``key``, or ``None`` when there is no such key."""
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


def parse(text: str | bytes, *, max_nodes: int = MAX_NODES, max_depth: int = MAX_DEPTH) -> Node:
    """The one document in ``text``; an empty text is a null scalar.

    Raises :class:`YamlProblem` for anything that is not well-formed or goes beyond the caps.
    """
    import yaml

    if isinstance(text, bytes):
        text = _decode(text)
    if len(text) > MAX_CHARACTERS:
        raise YamlProblem(f"The file has more than {MAX_CHARACTERS:,} characters.", 1, 1)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(yaml.parse(text, Loader=loader), max_nodes, max_depth).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = error.problem or error.context or "The text cannot be read as YAML."
        raise YamlProblem(words, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlProblem(f"The character {error.character!r} is not allowed: {error.reason}.", line, 1) from error


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlProblem("The file is not UTF-8 text.", line, 1) from error


def plain(node: Node) -> Any:
    """``node`` as ordinary dictionaries (keys as text), lists and values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.entries}


def resolve(text: str) -> Value:
    """What a plain scalar means under the YAML 1.2 core schema."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.match(text) and len(text) < 400:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.match(text):
        return float(text)
    if text in _NAN:
        return float("nan")
    if infinite := _INFINITE.match(text):
        return float(infinite[1] + "inf")
    return text


class _Builder:
    """Turns the parser's events into nodes, counting what they unfold to."""

    def __init__(self, events: Iterator[Any], max_nodes: int, max_depth: int) -> None:
        self.events = events
        self.max_nodes = max_nodes
        self.max_depth = max_depth
        self.anchors: dict[str, tuple[Node, int, int] | None] = {}

    def document(self) -> Node:
        node: Node | None = None
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent" and node is not None:
                raise _problem("The file holds more than one document.", event)
            if kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentStartEvent", "DocumentEndEvent"):
                node = self.node(event, 1)[0]
        return node if node is not None else Scalar(None, "", 1, 1)

    def node(self, event: Any, depth: int) -> tuple[Node, int, int]:
        """The node that starts with ``event``, the number of nodes it unfolds to, and its depth."""
        if depth > self.max_depth:
            raise _problem(f"The document is nested deeper than {self.max_depth} levels.", event)
        kind = type(event).__name__
        if kind == "AliasEvent":
            known = self.anchors.get(event.anchor)
            if known is None:
                why = "refers to itself" if event.anchor in self.anchors else "has no anchor before it"
                raise _problem(f"The alias *{event.anchor} {why}.", event)
            if depth + known[2] - 1 > self.max_depth:
                raise _problem(f"The document is nested deeper than {self.max_depth} levels.", event)
            return known
        if event.anchor:
            self.anchors[event.anchor] = None
        if kind == "ScalarEvent":
            built: tuple[Node, int, int] = (self.scalar(event), 1, 1)
        elif kind == "SequenceStartEvent":
            built = self.sequence(event, depth)
        else:
            built = self.mapping(event, depth)
        if built[1] > self.max_nodes:
            raise _problem(f"The document unfolds to more than {self.max_nodes:,} nodes.", event)
        if event.anchor:
            self.anchors[event.anchor] = built
        return built

    def scalar(self, event: Any) -> Scalar:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        text, tag = event.value, event.tag
        is_plain = event.style is None or event.style == ""
        if tag in (None, "!"):
            value = resolve(text) if is_plain and tag is None else text
        else:
            value = _tagged(text, tag, event)
        return Scalar(value, text, line, column, is_plain)

    def sequence(self, event: Any, depth: int) -> tuple[Node, int, int]:
        _check_tag(event, "seq")
        items: list[Node] = []
        count, deepest = 1, 0
        for inner in self.events:
            if type(inner).__name__ == "SequenceEndEvent":
                break
            node, size, levels = self.node(inner, depth + 1)
            items.append(node)
            count, deepest = self.count(count + size, inner), max(deepest, levels)
        return Sequence(tuple(items), event.start_mark.line + 1, event.start_mark.column + 1), count, deepest + 1

    def mapping(self, event: Any, depth: int) -> tuple[Node, int, int]:
        _check_tag(event, "map")
        entries: list[tuple[Scalar, Node]] = []
        seen: set[str] = set()
        count, deepest = 1, 0
        for inner in self.events:
            if type(inner).__name__ == "MappingEndEvent":
                break
            key = self.node(inner, depth + 1)[0]
            if not isinstance(key, Scalar):
                raise _problem("A key must be a single value, not a list or a mapping.", inner)
            if key.text in seen:
                raise YamlProblem(f"'{key.text}' is already defined", key.line, key.column)
            seen.add(key.text)
            value, size, levels = self.node(next(self.events), depth + 1)
            entries.append((key, value))
            count, deepest = self.count(count + size + 1, inner), max(deepest, levels)
        return Mapping(tuple(entries), event.start_mark.line + 1, event.start_mark.column + 1), count, deepest + 1

    def count(self, nodes: int, event: Any) -> int:
        if nodes > self.max_nodes:
            raise _problem(f"The document unfolds to more than {self.max_nodes:,} nodes.", event)
        return nodes


def _problem(message: str, event: Any) -> YamlProblem:
    return YamlProblem(message, event.start_mark.line + 1, event.start_mark.column + 1)


def _check_tag(event: Any, wanted: str) -> None:
    if event.tag not in (None, "!", _PREFIX + wanted):
        raise _problem(f"Unexpected tag '{event.tag}'", event)


def _tagged(text: str, tag: str, event: Any) -> Value:
    """The value of a scalar with an explicit tag."""
    name = tag.removeprefix(_PREFIX)
    if name == "str" and tag != name:
        return text
    if tag == name or name not in ("null", "bool", "int", "float"):
        raise _problem(f"Unexpected tag '{tag}'", event)
    value = resolve(text)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
    }[name]
    if not fits:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        raise _problem(f"The value '{text}' on line {line} and column {column} is invalid for the type '{tag}'", event)
    return float(value) if name == "float" and value is not None else value
