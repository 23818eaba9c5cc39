"""What a reader takes for a section, a step or a table of the page, and the machine does not: the linter names it.

None of this keeps a stored page from being read: a run that has begun keeps its page as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecluse.release import page, tables
from ecluse.release.near import suggestion
from ecluse.release.page import Fault, Line, Part, Table
from ecluse.release.playbook import SECTIONS, section_of

_STEP = re.compile(r"^\s{0,3}(?:#{1,6}\s*[*_]*|[*_]{1,3}|(?=.*\s(?:—|–|-{1,2})\s(?:by|par)\s))\[(\d+)\][*_]*\s+\S")
_GLUED = re.compile(r"^ {0,3}(#{1,2})(?=[^\s#])(.*)$")
_PROSE = ("note", "notes", "comment", "comments", "why", "commentaire", "commentaires", "remarque", "pourquoi", "#", "")
"""Words of a table's header that are a column of prose."""
_WANTED = {"gates": ("gate", "Gate"), "rollback": ("when", "When")}
_OF_TABLE = {
    "gates": ("gate", "question", "who", "needs", "answers", "silence"),
    "rollback": ("when", "do", "ask"),
}
"""Section -> the meanings of columns that its table may have."""
_READ = ("sequence", "gates", "rollback", "communications", "outputs")
"""Sections that the machine reads, so that one at a wrong level or of a wrong name is lost."""


def faults(text: str) -> list[Fault]:
    """Everything of this kind in the page ``text``, in no order."""
    _, first, lines = page.split_front_matter(text)
    found = []
    begun = page.open_fence(lines) if first else None
    if begun is not None:
        said = "this fence is never closed, so all that follows is code"
        found.append(Fault(begun.number, 1, "page.fence", said))
    sections = page.parts(lines, 2)
    there = {section_of(part.title) for part in sections} - {""}
    found += [*_headings(lines, there), *_steps([line for line in lines if line.level])]
    for part in sections:
        kind = section_of(part.title)
        if kind == "sequence":
            found += _steps([line for line in part.lines if not line.level])
        if kind in _WANTED:
            found += _tables(part, kind)
    return found


def _headings(lines: list[Line], there: set[str]) -> Iterator[Fault]:
    """Headings that are nearly a section, or one at another level, where the section itself is missing."""
    for line in lines:
        glued = None if line.quoted or line.level else _GLUED.match(line.text)
        title = line.title or (glued[2] if glued else "")
        level = line.level or (len(glued[1]) if glued else 0)
        kind = section_of(title) if title else ""
        if kind in there or not title:
            continue
        if kind:
            if glued or (kind in _READ and level != 2):
                text = (
                    f"the section `{page.bare(title)}` is a heading of the second level: write `## {page.bare(title)}`"
                )
                yield Fault(line.number, 1, "playbook.section_level", text)
        elif level == 2:
            words = page.key_of(title).split(" (")[0]
            said = suggestion(words, [word for word in SECTIONS if SECTIONS[word] not in there], 0.8)
            if said:
                text = f"the section `{page.bare(title)}` is prose to the machine{said}"
                yield Fault(line.number, max(line.text.find(title) + 1, 1), "playbook.section_near", text)


def _steps(lines: list[Line]) -> Iterator[Fault]:
    """Lines that a reader takes for a step's heading."""
    for line in lines:
        said = None if line.quoted or line.level == 3 else _STEP.match(line.text)
        if said:
            text = f"a step is a heading of the third level: write `### [{said[1]}] Title — by ACTOR`"
            yield Fault(line.number, 1, "step.level", text)


def _tables(part: Part, kind: str) -> Iterator[Fault]:
    """Columns that nobody reads, rows that do not fit their header, and tables beside the one that is read."""
    key, word = _WANTED[kind]
    there = page.tables(part.lines)
    read = next((one for one in there if key in _meanings(one)), None)
    if read is None:
        if there:
            said = suggestion(page.key_of(there[0].header[0][0]), [w for w, m in tables.COLUMNS.items() if m == key])
            text = f"the table of `{part.title}` has no column `{word}`{said}"
            yield Fault(there[0].number, there[0].header[0][1], "table.column", text)
        return
    yield from _columns(part, kind, read)
    if not read.ruled:
        text = "no reader sees a table here: a line such as `|---|---|` belongs below its header"
        yield Fault(read.number, 1, "table.rule", text)
    for number, cells in read.rows:
        if len(cells) != len(read.header):
            where = cells[min(len(cells), len(read.header) + 1) - 1][1]
            text = f"this row has {len(cells)} cells and the header {len(read.header)} (a bar inside a cell is `\\|`)"
            yield Fault(number, where, "table.cells", text)
    for other in there[there.index(read) + 1 :]:
        if not other.ruled or key in _meanings(other):
            text = "these rows are not read: they belong to the table above, without an empty line between"
            yield Fault(other.number, 1, "table.second", text)


def _columns(part: Part, kind: str, read: Table) -> Iterator[Fault]:
    known = [word for word, meaning in tables.COLUMNS.items() if meaning in _OF_TABLE[kind]]
    seen: set[str] = set()
    for (word, column), meaning in zip(read.header, _meanings(read), strict=True):
        if meaning in seen and meaning:
            text = f"a second column that says the same as `{word}`: one of the two is not read"
            yield Fault(read.number, column, "table.column_twice", text)
        elif meaning not in _OF_TABLE[kind] and page.key_of(word) not in _PROSE:
            said = suggestion(page.key_of(word), known) or f" (known: {', '.join(known)}; `note` is prose)"
            yield Fault(read.number, column, "table.column", f"nothing reads the column `{page.bare(word)}`{said}")
        seen.add(meaning)


def _meanings(one: Table) -> list[str]:
    return [tables.COLUMNS.get(page.key_of(word), "") for word, _ in one.header]
