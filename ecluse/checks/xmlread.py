"""Reads XML that other people's programs wrote: elements as they come, and no trick of XML that costs or reads more.

No entity is ever declared, expanded or fetched. A document type with rules inside the file is refused; one that only
names a file elsewhere (as Cobertura's does) is passed over, and that file is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers import expat

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
MAX_ELEMENTS = 2_000_000
MAX_ATTRIBUTES = 64


class XmlRefused(Exception):
    """Why a document is not read, as the end of a sentence."""


Start = Callable[[str, dict[str, str]], None]
End = Callable[[str, str], None]


class _Walk:
    """Counts what goes by and hands on elements; ``end`` gets the text that stood directly in the element."""

    def __init__(self, start: Start, end: End) -> None:
        self.start = start
        self.end = end
        self.elements = 0
        self.texts: list[list[str]] = []

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self.texts.append([])
        if len(self.texts) > MAX_DEPTH:
            raise XmlRefused(f"its elements are nested deeper than {MAX_DEPTH}")
        if self.elements > MAX_ELEMENTS:
            raise XmlRefused(f"it has more than {MAX_ELEMENTS:,} elements")
        if len(attributes) > MAX_ATTRIBUTES:
            raise XmlRefused(f"an element has more than {MAX_ATTRIBUTES} attributes")
        self.start(_local(name), attributes)

    def closed(self, name: str) -> None:
        self.end(_local(name), "".join(self.texts.pop()))

    def text(self, data: str) -> None:
        if self.texts:
            self.texts[-1].append(data)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def walk(data: bytes, start: Start, end: End) -> None:
    """Give every element of ``data`` to ``start`` (name, attributes) and ``end`` (name, its own text), in order.

    Raises :class:`XmlRefused` for what is not well-formed, too large or too deep, or declares anything.
    """
    if len(data) > MAX_BYTES:
        raise XmlRefused(f"it is larger than {MAX_BYTES >> 20} MiB")
    steps = _Walk(start, end)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = steps.opened
    parser.EndElementHandler = steps.closed
    parser.CharacterDataHandler = steps.text
    parser.StartDoctypeDeclHandler = _doctype
    parser.EntityDeclHandler = _entity
    parser.UnparsedEntityDeclHandler = _entity
    parser.ExternalEntityRefHandler = _entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlRefused(f"it is not well-formed: {error}") from error
    except (LookupError, ValueError) as error:
        raise XmlRefused(f"its encoding is not known: {error}") from error


def _doctype(name: str, system: str | None, public: str | None, has_internal_subset: bool) -> None:
    if has_internal_subset:
        raise XmlRefused("it carries a document type with declarations of its own")


def _entity(*declared: object) -> bool:
    raise XmlRefused("it declares or names entities")
