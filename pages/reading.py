"""The pages of the documentation, read with the Markdown of the forges (CommonMark and tables).

A page may say in comments, which no reader sees, how its commands are run by a test:

* ``<!-- setting: NAME -->`` once in a page: where its commands are typed (:mod:`pages.settings`);
* above a block:

  * ``<!-- in: FOLDER -->``: its commands are typed in that folder;
  * ``<!-- exit: N -->``: its last command ends with this status;
  * ``<!-- needs: PROGRAM -->``: it is left out where that is absent;
  * ``<!-- stop after: TEXT -->``: its last command goes on until a signal, which is sent when it has said TEXT;
  * ``<!-- not run: REASON -->``: it is not run at all.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
JOURNAL = ("passation.md", "passation")
"""What landings write about hand-overs: a journal, and no page of the documentation."""
COMMANDS = ("sh", "console")
"""Kinds of blocks that hold commands: alone, or behind ``$`` with what they say."""

_WORDS = ("setting", "in", "exit", "stop after", "needs", "not run")
_COMMENT = re.compile(r"<!--\s*([a-z ]+):\s*(.*?)\s*-->", flags=re.S)


class Faulty(Exception):
    """A page is not what it should be: a dead link, an unknown word in a comment."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its ``kind`` (info string), text, first line, and what the comments above it say."""

    page: Path
    line: int
    kind: str
    text: str
    words: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README.md and every page below docs/."""
    written = (page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).parts[0] not in JOURNAL)
    return [ROOT / "README.md", *sorted(written)]


@functools.cache
def parser() -> MarkdownIt:
    """CommonMark with tables; HTML only as comments, which are dropped."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@functools.cache
def tokens(page: Path) -> list[Token]:
    """What the parser makes of a page."""
    return parser().parse(page.read_text(encoding="utf-8"))


def setting(page: Path) -> str:
    """The setting that the page names; empty without one."""
    return next((words["setting"] for words in map(_said, tokens(page)) if "setting" in words), "")


def blocks(page: Path) -> list[Block]:
    """Every fenced or indented block of a page, in order."""
    found, above = [], dict[str, str]()
    for token in tokens(page):
        if token.type == "html_block":
            above |= _said(token)
        elif token.type in ("fence", "code_block"):
            above.pop("setting", None)
            line = (token.map or [0])[0] + 1
            found.append(Block(page, line, token.info.strip(), token.content, above))
            above = {}
        elif token.type != "inline":
            above = {}
    return found


def _said(token: Token) -> dict[str, str]:
    if token.type != "html_block":
        return {}
    said = dict(_COMMENT.findall(token.content))
    for word in said:
        if word not in _WORDS:
            raise Faulty(f"a comment says {word!r}; known are: {', '.join(_WORDS)}")
    return said


def inline_code(page: Path) -> Iterator[tuple[int, str]]:
    """Every piece of code in running text and tables, with its line."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield (token.map or [0])[0] + 1, child.content


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Every link and picture of a page, with its line."""
    line = 0
    for token in tokens(page):
        line = token.map[0] + 1 if token.map else line
        for child in token.children or ():
            target = child.attrs.get("href") or child.attrs.get("src")
            if target:
                yield line, str(target)


def headings(page: Path) -> list[tuple[int, str, str]]:
    """Level, text and anchor of every heading; anchors as the forges make them."""
    found, used = [], dict[str, int]()
    listed = tokens(page)
    for place, token in enumerate(listed):
        if token.type == "heading_open":
            text = plain(listed[place + 1])
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = used.get(anchor, 0)
            used[anchor] = count + 1
            found.append((int(token.tag[1]), text, f"{anchor}-{count}" if count else anchor))
    return found


def plain(token: Token) -> str:
    """The words of an inline token, without markup."""
    return "".join(child.content if child.type != "softbreak" else " " for child in token.children or ())


def title(page: Path) -> str:
    """The page's first heading."""
    return next((text for _, text, _ in headings(page)), page.stem)


def dead_links(page: Path) -> list[str]:
    """Links of a page that lead nowhere: files and anchors of this repository. Addresses elsewhere are not asked."""
    dead = []
    for line, target in links(page):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists():
            dead.append(f"{page.relative_to(ROOT)}:{line}: {target}: no such file")
        elif anchor and anchor not in {known for _, _, known in headings(goal)}:
            dead.append(f"{page.relative_to(ROOT)}:{line}: {target}: no such heading")
    return dead


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that it is shown to say (``console`` only).

    A command goes on over lines that end with a backslash, to the end of a loop, and to that of a here-document.
    """
    found: list[tuple[str, list[str]]] = []
    lines = iter(block.text.splitlines())
    for line in lines:
        if block.kind == "console" and not line.startswith("$ "):
            if not found:
                raise Faulty(f"{block}: a console block begins with a command behind '$ '")
            found[-1][1].append(line)
            continue
        command = line.removeprefix("$ ")
        if not command.strip() or command.lstrip().startswith("#"):
            continue
        while command.endswith("\\"):
            command += "\n" + next(lines)
        while re.match(r"(for|while|if)\b", command) and not re.search(r"^(done|fi)\b", command, flags=re.M):
            command += "\n" + next(lines)
        ends = re.search(r"<<-?\s*'?(\w+)'?", command)
        while ends and command.splitlines()[-1] != ends[1]:
            command += "\n" + next(lines)
        found.append((command, []))
    return found
