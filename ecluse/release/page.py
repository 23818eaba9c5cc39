"""A playbook's page cut into its parts: front matter, sections, subsections, tables and lists, each with its line.

This is the small, strict part of Markdown that a playbook needs. What it does not know is prose and stays as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_ITEM = re.compile(r"^\s{0,3}[-*]\s+(.*)$")
_RULE = re.compile(r"^[\s|:-]+$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a page. Lines and columns count from 1."""

    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page. ``quoted`` is inside a code fence, where nothing has a meaning."""

    number: int
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and the lines below it, up to the next heading of the same or a higher level."""

    title: str
    level: int
    number: int
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines as written, without blank ones at the ends."""
        return "\n".join(line.text for line in self.lines).strip("\n")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the cells by the header's words in lower case, and where each cell starts."""

    line: int
    cells: dict[str, str]
    columns: dict[str, int]


def split_front_matter(text: str) -> tuple[str, int, list[Line]]:
    """The front matter's text, the number of its first line (0: there is none), and the lines after it."""
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return "", 0, list(_marked(lines, 1))
    for index, line in enumerate(lines[1:], 1):
        if line.strip() == "---":
            return "\n".join(lines[1:index]), 2, list(_marked(lines[index + 1 :], index + 2))
    return "", 0, list(_marked(lines, 1))


def parts(lines: list[Line] | tuple[Line, ...], level: int) -> list[Part]:
    """The parts below headings of ``level``. A higher heading ends a part; lower ones belong to it."""
    found: list[Part] = []
    title, number = "", 0
    body: list[Line] = []
    for line in lines:
        heading = None if line.quoted else _HEADING.match(line.text)
        if heading and len(heading[1]) <= level:
            if number:
                found.append(Part(title, level, number, tuple(body)))
            title, number, body = (heading[2], line.number, []) if len(heading[1]) == level else ("", 0, [])
        elif number:
            body.append(line)
    if number:
        found.append(Part(title, level, number, tuple(body)))
    return found


def table(lines: tuple[Line, ...]) -> list[Row]:
    """The rows of the first table among ``lines``."""
    header: list[str] = []
    rows: list[Row] = []
    for line in lines:
        if line.quoted or not line.text.strip().startswith("|"):
            if header:
                break
            continue
        cells = list(_cells(line.text))
        if not header:
            header = [cell.lower() for cell, _ in cells]
        elif not _RULE.match(line.text):
            named = list(zip(header, cells, strict=False))
            rows.append(Row(line.number, {n: c for n, (c, _) in named}, {n: at for n, (_, at) in named}))
    return rows


def items(lines: tuple[Line, ...]) -> list[tuple[int, str]]:
    """The items of lists among ``lines``, each with its line's number."""
    found = []
    for line in lines:
        item = None if line.quoted else _ITEM.match(line.text)
        if item:
            found.append((line.number, item[1].strip()))
    return found


def bare(text: str) -> str:
    """``text`` without the marks for bold, italic and code around it."""
    return text.strip().strip("*`_").strip()


def _marked(lines: list[str], first: int) -> Iterator[Line]:
    fence = ""
    for number, text in enumerate(lines, first):
        mark = _FENCE.match(text)
        if mark and (not fence or mark[1] == fence):
            fence = "" if fence else mark[1]
            yield Line(number, text, True)
        else:
            yield Line(number, text, bool(fence))


def _cells(text: str) -> Iterator[tuple[str, int]]:
    """The cells of a table's line with the column each starts at. ``\\|`` is a bar inside a cell."""
    stripped = text.rstrip()
    start = stripped.index("|") + 1
    end = len(stripped) - 1 if stripped.endswith("|") and not stripped.endswith("\\|") else len(stripped)
    for piece in re.split(r"(?<!\\)\|", stripped[start:end]):
        lead = len(piece) - len(piece.lstrip())
        yield piece.strip().replace("\\|", "|"), start + lead + 1
        start += len(piece) + 1
