"""A playbook's page cut into its parts: front matter, sections, subsections, tables and lists, each with its line.

This is the small, strict part of Markdown that a playbook needs. What it does not know is prose and stays as written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(={2,}|-{2,})\s*$")
_PARAGRAPH = re.compile(r"^ {0,3}(?![-*+>#|]|\d+[.)])\S")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
_ITEM = re.compile(r"^\s{0,3}[-*+]\s+(.*)$")
_RULE = re.compile(r"^(?=.*-)[\s|:-]+$")
_COMMENT = re.compile(r"<!--.*?-->")
_LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\([^()\s]*\)")
_ENDS = re.compile(r"\r\n|\r|\n")


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
    """One line of a page. ``quoted`` is inside a code fence, where nothing has a meaning.

    ``level`` is that of a heading, else 0, and ``title`` its words.
    """

    number: int
    text: str
    quoted: bool = False
    level: int = 0
    title: str = ""


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


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the line of its header, the header's cells with the column each starts at, and its rows as cells.

    ``ruled`` is whether a line of dashes stands below the header, without which no reader sees a table.
    """

    number: int
    header: tuple[tuple[str, int], ...]
    rows: tuple[tuple[int, tuple[tuple[str, int], ...]], ...]
    ruled: bool


def lines_of(text: str) -> list[str]:
    """The lines of a page; their ends may be those of any system. Other separators of Unicode end no line."""
    found = _ENDS.split(text.lstrip("\ufeff"))
    return found if found[-1] else found[:-1]


def split_front_matter(text: str) -> tuple[str, int, list[Line]]:
    """The front matter's text, the number of its first line (0: there is none), and the lines after it."""
    lines = [unicodedata.normalize("NFC", line) for line in lines_of(text)]
    if not lines or lines[0].strip() != "---":
        return "", 0, _marked(lines, 1)
    for index, line in enumerate(lines[1:], 1):
        if line.strip() == "---":
            return "\n".join(lines[1:index]), 2, _marked(lines[index + 1 :], index + 2)
    return "", 0, _marked(lines, 1)


def parts(lines: list[Line] | tuple[Line, ...], level: int) -> list[Part]:
    """The parts below headings of ``level``. A higher heading ends a part; lower ones belong to it."""
    found: list[Part] = []
    title, number = "", 0
    body: list[Line] = []
    for line in lines:
        if line.level and line.level <= level:
            if number:
                found.append(Part(title, level, number, tuple(body)))
            title, number, body = (line.title, line.number, []) if line.level == level else ("", 0, [])
        elif number:
            body.append(line)
    if number:
        found.append(Part(title, level, number, tuple(body)))
    return found


def tables(lines: tuple[Line, ...]) -> list[Table]:
    """Every table among ``lines``. Bars at the ends of its lines may be missing where dashes stand below the header."""
    found: list[Table] = []
    at = 0
    while at < len(lines):
        ruled = at + 1 < len(lines) and _is_rule(lines[at + 1]) and _is_row(lines[at])
        if not ruled and not (_is_row(lines[at]) and lines[at].text.strip().startswith("|")):
            at += 1
            continue
        end = at + 1
        while end < len(lines) and _is_row(lines[end]) and (ruled or lines[end].text.strip().startswith("|")):
            end += 1
        rows = tuple(
            (line.number, tuple(_cells(line.text))) for line in lines[at + 1 : end] if not _RULE.match(line.text)
        )
        found.append(Table(lines[at].number, tuple(_cells(lines[at].text)), rows, ruled))
        at = end
    return found


def _is_row(line: Line) -> bool:
    return not line.quoted and not line.level and "|" in line.text


def _is_rule(line: Line) -> bool:
    return _is_row(line) and _RULE.match(line.text) is not None


def table(lines: tuple[Line, ...], meaning: Callable[[str], str], key: str) -> list[Row]:
    """The rows of the first table whose header has the column ``key``, under their meanings; else of the first table.

    ``meaning`` says what a word of the header means; a word that means nothing is a column of prose.
    """
    there = tables(lines)
    if not there:
        return []
    wanted = next((one for one in there if key in [meaning(word) for word, _ in one.header]), there[0])
    header = [meaning(word) for word, _ in wanted.header]
    rows = []
    for number, cells in wanted.rows:
        named = [(name, cell) for name, cell in zip(header, cells, strict=False) if name]
        rows.append(Row(number, {n: text for n, (text, _) in named}, {n: at for n, (_, at) in named}))
    return rows


def items(lines: tuple[Line, ...]) -> list[tuple[int, str]]:
    """The items of lists among ``lines``, each with its line's number."""
    found = []
    for line in lines:
        item = None if line.quoted else _ITEM.match(line.text)
        if item:
            found.append((line.number, item[1].strip()))
    return found


def place(text: str, number: int, piece: str, *, last: bool = False, far: bool = False) -> tuple[int, int]:
    """The line and column of ``piece`` in line ``number`` of a page, whatever its case; column 1 when it is not there.

    ``last`` takes the last of several; ``far`` goes on to the lines below.
    """
    lines = [unicodedata.normalize("NFC", line).lower() for line in lines_of(text)]
    for at in range(number - 1, len(lines) if far else min(number, len(lines))):
        column = lines[at].rfind(piece.lower()) if last else lines[at].find(piece.lower())
        if column >= 0:
            return at + 1, column + 1
    return number, 1


def bare(text: str) -> str:
    """``text`` without the marks for bold, italic, code and links around it."""
    return _LINK.sub(r"\1", text).strip().strip("*`_").strip()


def key_of(text: str) -> str:
    """A heading or a word of a table's header as it is looked up: in lower case, without marks, one apostrophe for all."""
    return " ".join(bare(text).rstrip(":?").lower().replace("\u2019", "'").split())


def _marked(texts: list[str], first: int) -> list[Line]:
    """The lines with what each is: inside a fence, a heading, or neither. A heading's underline counts as quoted."""
    found: list[Line] = []
    fence = ""
    for number, raw in enumerate(texts, first):
        within = _fence(fence, raw)
        if fence or within:
            fence = within
            found.append(Line(number, raw, True))
        else:
            found.append(_line(number, _plain(raw)))
            _underlined(found)
    return found


def _fence(fence: str, text: str) -> str:
    """The fence that is open after this line, ``fence`` being the one before it; empty: none."""
    mark = _FENCE.match(text)
    if fence:
        return "" if mark and mark[1].startswith(fence) and not mark[2].strip() else fence
    return mark[1] if mark and "`" not in mark[2] else ""


def open_fence(lines: list[Line]) -> Line | None:
    """The line that opens a code fence which nothing closes; the rest of the page is code then."""
    fence, begun = "", None
    for line in lines:
        begun = line if line.quoted and not fence else begun
        fence = _fence(fence, line.text) if line.quoted else ""
    return begun if fence else None


def _plain(raw: str) -> str:
    """A line with comments of HTML as blanks and every kind of space as one, so that columns stay as they are."""
    text = _COMMENT.sub(lambda said: " " * len(said[0]), raw) if "<!--" in raw else raw
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text) if not text.isascii() else text


def _line(number: int, text: str) -> Line:
    heading = _HEADING.match(text)
    return Line(number, text, False, len(heading[1]), heading[2]) if heading else Line(number, text)


def _underlined(found: list[Line]) -> None:
    """Make the last two lines a heading when the last one underlines a paragraph of one line."""
    mark = _UNDERLINE.match(found[-1].text)
    if mark is None or len(found) < 2:
        return
    title, before = found[-2], found[-3] if len(found) > 2 else None
    starts = before is None or before.quoted or before.level or not before.text.strip()
    if title.quoted or title.level or not starts or not _PARAGRAPH.match(title.text) or "|" in title.text:
        return
    found[-2] = Line(title.number, title.text, False, 1 if mark[1][0] == "=" else 2, title.text.strip())
    found[-1] = Line(found[-1].number, found[-1].text, True)


def _cells(text: str) -> Iterator[tuple[str, int]]:
    """The cells of a table's line with the column each starts at. ``\\|`` is a bar inside a cell."""
    stripped = text.rstrip()
    start = stripped.index("|") + 1 if stripped.lstrip().startswith("|") else 0
    end = len(stripped) - 1 if stripped.endswith("|") and not stripped.endswith("\\|") else len(stripped)
    for piece in re.split(r"(?<!\\)\|", stripped[start:end]):
        lead = len(piece) - len(piece.lstrip())
        yield piece.strip().replace("\\|", "|"), start + (lead if piece.strip() else min(lead, 1)) + 1
        start += len(piece) + 1
