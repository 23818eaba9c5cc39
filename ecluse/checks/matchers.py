"""Problem matchers: patterns that find warnings and errors of tools in what steps print, as on GitHub.

``::add-matcher::FILE`` adds the matchers of a JSON file for the rest of the job, ``::remove-matcher owner=NAME::`` takes
one away. A matcher has one pattern or several for lines that follow one another; the last may ``loop``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ecluse.errors import Invalid
from ecluse.files import read_capped

MAX_FILE_BYTES = 1 << 20
MAX_LINE = 4_096
"""Characters of a line that are looked at: a pattern that goes wrong on a huge line must not hold up the job."""

_COLORS = re.compile(r"\x1b\[[0-9;]*[mK]")
_FIELDS = ("file", "line", "column", "severity", "code", "message", "fromPath")
SEVERITIES = ("error", "warning", "notice")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line's expression, and the numbers of the groups that hold each field."""

    expression: re.Pattern[str]
    groups: dict[str, int]
    loop: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """What a matcher found. ``line`` and ``column`` are 0 when they are not told."""

    severity: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    code: str = ""


class Matcher:
    """One matcher while lines go by; it remembers what the lines of unfinished matches said.

    A line may end one match, go on with another and begin a third one: each stage looks at every line.
    """

    def __init__(self, owner: str, severity: str, patterns: tuple[Pattern, ...]) -> None:
        self.owner = owner
        self.severity = severity
        self.patterns = patterns
        self._said: list[dict[str, str] | None] = []
        self.reset()

    def fresh(self) -> Matcher:
        """The same matcher, in the middle of nothing."""
        return Matcher(self.owner, self.severity, self.patterns)

    def reset(self) -> None:
        self._said = [None] * (len(self.patterns) - 1)

    def feed(self, line: str) -> Match | None:
        """Look at one line; a match when it completes one."""
        last = len(self.patterns) - 1
        for place in range(last, -1, -1):
            before = self._said[place - 1] if place else {}
            if before is None:
                continue
            found = self._fields(self.patterns[place], line)
            if place == last and found is not None:
                self.reset()
                if self.patterns[place].loop:  # it goes on for as long as it fits
                    self._said[place - 1] = before
                return self._match({**found, **before})
            if place < last:
                self._said[place] = None if found is None else {**found, **before}
            elif place:
                self._said[place - 1] = None
        return None

    def _fields(self, pattern: Pattern, line: str) -> dict[str, str] | None:
        found = pattern.expression.search(line)
        return None if found is None else {name: found[group] or "" for name, group in pattern.groups.items()}

    def _match(self, said: dict[str, str]) -> Match:
        file = said.get("file", "").strip()
        if file and said.get("fromPath"):
            file = str(PurePosixPath(said["fromPath"].strip()).parent / file)
        return Match(
            severity=said.get("severity", "").lower() or self.severity,
            message=said.get("message", "").strip(),
            file=file,
            line=_number(said.get("line", "")),
            column=_number(said.get("column", "")),
            code=said.get("code", ""),
        )


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0


def find(matchers: Iterable[Matcher], line: str) -> Match | None:
    """The first match of a line; the others begin anew then, so that one problem is told once."""
    matchers = list(matchers)
    text = _COLORS.sub("", line)[:MAX_LINE]
    for matcher in matchers:
        match = matcher.feed(text)
        if match is not None:
            for other in matchers:
                if other is not matcher:
                    other.reset()
            return match if match.severity in SEVERITIES else None
    return None


def load(path: Path) -> list[Matcher]:
    """The matchers of a JSON file. Raises :class:`Invalid` when it is missing or wrong."""
    try:
        document = json.loads(read_capped(path, MAX_FILE_BYTES))
    except ValueError as error:
        raise _wrong(path, f"it is not JSON: {error}") from error
    entries = document.get("problemMatcher") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise _wrong(path, "it has no list problemMatcher")
    found = [_matcher(path, entry) for entry in entries]
    if len({matcher.owner.lower() for matcher in found}) < len(found):
        raise _wrong(path, "two matchers have the same owner")
    return found


def _matcher(path: Path, entry: Any) -> Matcher:
    owner = entry.get("owner") if isinstance(entry, dict) else None
    if not isinstance(owner, str) or not owner:
        raise _wrong(path, "a matcher has no owner")
    severity = str(entry.get("severity") or "error").lower()
    if severity not in SEVERITIES:
        raise _wrong(path, f"the severity '{severity}' of the matcher '{owner}' is none of {', '.join(SEVERITIES)}")
    raw = entry.get("pattern")
    raw = [raw] if isinstance(raw, dict) else raw
    if not isinstance(raw, list) or not raw:
        raise _wrong(path, f"the matcher '{owner}' has no pattern")
    patterns = tuple(_pattern(path, owner, item) for item in raw)
    if any(pattern.loop for pattern in patterns[:-1]):
        raise _wrong(path, f"only the last pattern of the matcher '{owner}' may loop")
    if patterns[-1].loop and (len(patterns) == 1 or "message" not in patterns[-1].groups):
        raise _wrong(path, f"the looping pattern of the matcher '{owner}' must come last of several and name a message")
    named = [name for pattern in patterns for name in pattern.groups]
    if twice := next((name for name in named if named.count(name) > 1), ""):
        raise _wrong(path, f"two patterns of the matcher '{owner}' name the {twice}")
    if "message" not in named:
        raise _wrong(path, f"no pattern of the matcher '{owner}' names a message")
    return Matcher(owner, severity, patterns)


def _pattern(path: Path, owner: str, raw: Any) -> Pattern:
    expression = raw.get("regexp") if isinstance(raw, dict) else None
    if not isinstance(expression, str) or not expression:
        raise _wrong(path, f"a pattern of the matcher '{owner}' has no regexp")
    try:
        named = expression.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")
        compiled = re.compile(named, re.ASCII)  # as in ECMAScript, whose expressions these are
    except re.error as error:
        raise _wrong(path, f"the regexp {expression!r} of the matcher '{owner}' cannot be read: {error}") from error
    groups = {}
    for name in _FIELDS:
        value = raw.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= compiled.groups:
            raise _wrong(path, f"'{name}' of the matcher '{owner}' is {value!r}, and its regexp has no such group")
        groups[name] = value
    return Pattern(compiled, groups, bool(raw.get("loop")))


def _wrong(path: Path, why: str) -> Invalid:
    return Invalid(
        "checks.matcher", f"The problem matchers of {path.name} cannot be used: {why}.", "correct the JSON file"
    )
