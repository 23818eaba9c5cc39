"""File patterns as the picomatch library reads them, with its ``dot`` option: for actions that filter changed files.

``*`` and ``?`` stay inside a folder, ``**`` as a whole part crosses folders, ``[...]`` is a set, ``{a,b}`` and ``{1..3}``
are choices, ``@(a|b)``, ``?(a)``, ``*(a)``, ``+(a)`` and ``!(a)`` repeat or exclude, and ``!`` in front turns all round.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)\Z|([a-zA-Z])\.\.([a-zA-Z])\Z")
_MOST = 200


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """What tells whether a path fits ``pattern``."""
    turned = False
    while pattern.startswith("!") and not pattern.startswith("!("):
        turned, pattern = not turned, pattern[1:]
    pattern = pattern.removeprefix("./")
    try:
        rule = re.compile(_sequence(pattern, 0, "")[0], re.DOTALL)
    except re.error:
        rule = re.compile(re.escape(pattern))
    return lambda path: (rule.fullmatch(path) is not None) != turned


def _sequence(pattern: str, at: int, stop: str) -> tuple[str, int]:
    """The expression for ``pattern`` from ``at`` up to one of the characters ``stop``, and where that is."""
    out = ""
    while at < len(pattern) and pattern[at] not in stop:
        character = pattern[at]
        begins = at == 0 or pattern[at - 1] in "/({,|"
        if character == "\\" and at + 1 < len(pattern):
            out, at = out + re.escape(pattern[at + 1]), at + 2
        elif character in "@?*+!" and pattern[at + 1 : at + 2] == "(":
            inner, at = _choice(pattern, at + 2, "|", ")")
            if character == "!":  # what follows belongs to what may not be
                rest, at = _sequence(pattern, at, stop)
                out += f"(?!(?:{inner}){rest}\\Z)[^/]*{rest}"
            else:
                out += f"(?:{inner})" + {"@": ""}.get(character, character)
        elif begins and pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif begins and pattern[at:] == "**" and out.endswith("/"):
            out, at = out[:-1] + "(?:/.*)?", at + 2
        elif begins and pattern.startswith("**", at) and pattern[at + 2 : at + 3] in ("", *stop):
            out, at = out + ".*", at + 2
        elif character == "*":
            while pattern[at : at + 1] == "*":
                at += 1
            out += "[^/]+" if begins and pattern[at : at + 1] in ("", "/") else "[^/]*"
        elif character == "?":
            out, at = out + "[^/]", at + 1
        elif character == "[" and (end := pattern.find("]", at + 2)) > 0:
            out, at = out + _set(pattern[at + 1 : end]), end + 1
        elif character == "{" and pattern.find("}", at) > 0:
            inner, at = _braces(pattern, at)
            out += inner
        else:
            out, at = out + re.escape(character), at + 1
    return out, at


def _choice(pattern: str, at: int, separator: str, close: str) -> tuple[str, int]:
    parts = []
    while True:
        part, at = _sequence(pattern, at, separator + close)
        parts.append(part)
        if at >= len(pattern) or pattern[at] == close:
            return "|".join(parts), at + 1
        at += 1


def _braces(pattern: str, at: int) -> tuple[str, int]:
    end = pattern.find("}", at)
    inside = pattern[at + 1 : end]
    if found := _RANGE.match(inside):
        first, last = (int(found[1]), int(found[2])) if found[1] else (ord(found[3]), ord(found[4]))
        step = 1 if last >= first else -1
        steps = range(first, last + step, step)[:_MOST]
        return f"(?:{'|'.join(str(one) if found[1] else chr(one) for one in steps)})", end + 1
    inner, after = _choice(pattern, at + 1, ",", "}")
    return (f"(?:{inner})" if "," in inside else f"\\{{{inner}\\}}"), after


def _set(inside: str) -> str:
    negated = inside[0] in "!^"
    body = (inside[1:] if negated else inside).replace("\\", "\\\\").replace("[", "\\[")
    try:
        return re.compile(f"[{'^/' if negated else ''}{body}]").pattern
    except re.error:
        return re.escape(f"[{inside}]")
