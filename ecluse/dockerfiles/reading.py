"""A Dockerfile as stages and instructions, with the lines they begin on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_ESCAPE = re.compile(r"^#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_FLAG = re.compile(r"^--([a-z-]+)(?:=(\S*))?\s+")
_IGNORE = re.compile(r"^#\s*hadolint\s+(global\s+)?ignore\s*=\s*([A-Za-z0-9, ]+?)\s*$")
_TAKES_HEREDOC = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: ``word`` in capitals, ``rest`` with continued lines joined and without flags, the first line."""

    word: str
    rest: str
    line: int
    flags: tuple[tuple[str, str], ...] = ()
    body: str = ""
    """What a here-document holds."""
    ignored: frozenset[str] = frozenset()
    """Rules that the comment before it takes out for it."""

    def flag(self, name: str) -> str:
        """The value of ``--name``; empty when it is not given."""
        return next((value for key, value in self.flags if key == name), "")

    def as_list(self) -> list[str] | None:
        """The words of the JSON form; ``None`` when it is in the form of a shell."""
        try:
            found = json.loads(self.rest)
        except ValueError:
            return None
        return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None

    @property
    def script(self) -> str:
        """What a shell gets of a RUN: its words, or what its here-document holds."""
        words = self.as_list()
        return " ".join(words) if words is not None else f"{self.rest}\n{self.body}"


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next; ``image`` is what it is built on, ``name`` what others call it (lower case)."""

    image: str
    name: str
    line: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """All of it; ``head`` is what stands before the first FROM, ``ignored`` the rules taken out for the whole file."""

    head: tuple[Instruction, ...] = ()
    stages: tuple[Stage, ...] = ()
    ignored: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Open:
    image: str
    name: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)

    def closed(self) -> Stage:
        return Stage(self.image, self.name, self.line, tuple(self.instructions))


def read(text: str) -> Dockerfile:
    """Take ``text`` apart. Any text is one; what is no instruction becomes one with that word, for a rule to name."""
    head: list[Instruction] = []
    stages: list[_Open] = []
    everywhere: set[str] = set()
    for one in _instructions(text, everywhere):
        if one.word == "FROM":
            words = one.rest.split()
            name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else ""
            stages.append(_Open(words[0] if words else "", name, one.line, [one]))
        elif stages:
            stages[-1].instructions.append(one)
        else:
            head.append(one)
    return Dockerfile(tuple(head), tuple(stage.closed() for stage in stages), frozenset(everywhere))


def _instructions(text: str, everywhere: set[str]) -> Iterator[Instruction]:
    lines = text.splitlines()
    escape = next((found.group(1) for line in lines[:3] if (found := _ESCAPE.match(line))), "\\")
    ignored: set[str] = set()
    at = 0
    while at < len(lines):
        stripped = lines[at].strip()
        if not stripped or stripped.startswith("#"):
            found = _IGNORE.match(stripped)
            if found:
                names = {name.strip().upper() for name in found.group(2).split(",")}
                (everywhere if found.group(1) else ignored).update(names)
            at += 1
            continue
        first = at
        logical, at = _joined(lines, at, escape)
        word, _, rest = logical.partition(" ")
        body, at = _heredocs(rest, lines, at) if word.upper() in _TAKES_HEREDOC else ("", at)
        flags, rest = _flags(rest.strip())
        yield Instruction(word.upper(), rest, first + 1, flags, body, frozenset(ignored))
        ignored = set()


def _joined(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """One logical line and the number of the line after it; comments and empty lines inside it are left out."""
    parts: list[str] = []
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if parts and (not line or line.startswith("#")):
            continue
        if not line.endswith(escape):
            parts.append(line)
            break
        parts.append(line[: -len(escape)].rstrip())
    return re.sub(r"^(\S+)\s+", r"\1 ", " ".join(parts)), at


def _heredocs(rest: str, lines: list[str], at: int) -> tuple[str, int]:
    """What the here-documents of an instruction hold, and the number of the line after them."""
    held = []
    for _, end in _HEREDOC.findall(rest):
        while at < len(lines):
            line = lines[at]
            at += 1
            if line.strip() == end:
                break
            held.append(line)
    return "\n".join(held), at


def _flags(rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    while found := _FLAG.match(rest):
        flags.append((found.group(1), found.group(2) or ""))
        rest = rest[found.end() :]
    return tuple(flags), rest
