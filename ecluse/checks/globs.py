"""File patterns as GitHub writes them: for trigger filters, and for ``hashFiles`` and artifact paths."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def filter_pattern(pattern: str) -> re.Pattern[str]:
    """A branch, tag or path filter as an expression for the whole name.

    ``*`` is anything but a slash, ``**`` anything, ``?`` the character before it or nothing, ``+`` that character once
    or more, ``[...]`` one of a set, and a backslash takes the next character literally.
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            out.append("(?:.*/)?")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if character == "\\" and at + 1 < len(pattern):
            out.append(re.escape(pattern[at + 1]))
            at += 2
            continue
        if character == "[":
            end = pattern.find("]", at + 2)
            if end > 0:
                out.append(_set(pattern[at + 1 : end]))
                at = end + 1
                continue
        if character in "?+" and out:
            out.append(character)
        else:
            out.append("[^/]*" if character == "*" else re.escape(character))
        at += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def matches(patterns: tuple[str, ...] | list[str], name: str) -> bool:
    """Whether ``name`` is selected: the last pattern that matches decides, ``!`` in front of it deselects."""
    selected = False
    for pattern in patterns:
        wanted = not pattern.startswith("!")
        if filter_pattern(pattern if wanted else pattern[1:]).fullmatch(name):
            selected = wanted
    return selected


@lru_cache(maxsize=1024)
def path_pattern(pattern: str) -> re.Pattern[str]:
    """A file pattern of ``hashFiles`` or an artifact as an expression; a folder it names brings all inside it."""
    segments = [segment for segment in pattern.split("/") if segment not in ("", ".")]
    out = ""
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == "**":
            out += ".*" if last else "(?:.*/)?"
        else:
            out += _segment(segment) + ("" if last else "/")
    return re.compile(out + "(?:/.*)?", re.DOTALL)


def _segment(segment: str) -> str:
    out, at = "", 0
    while at < len(segment):
        character = segment[at]
        end = segment.find("]", at + 2) if character == "[" else -1
        if end > 0:
            out += _set(segment[at + 1 : end])
            at = end
        elif character == "*":
            out += "" if out.endswith("[^/]*") else "[^/]*"
        else:
            out += "[^/]" if character == "?" else re.escape(character)
        at += 1
    return out


def _set(inside: str) -> str:
    """A bracket's content as a character set; one that is empty or backwards stands for itself."""
    negated = inside[0] in "!^"
    body = (inside[1:] if negated else inside).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    try:
        return re.compile(f"[{'^' if negated else ''}{body}]").pattern
    except re.error:
        return re.escape(f"[{inside}]")
