"""Version wishes of setup actions (``3.12``, ``3.x``, ``>=3.9 <3.13``, ``lts/*``) against versions that are here."""

from __future__ import annotations

import re

from ecluse.errors import Unsupported

Version = tuple[int, ...]

_PART = re.compile(r"(>=|<=|==|!=|>|<|=|\^|~=|~)?\s*v?(\d+|[xX*])((?:\.(?:\d+|[xX*]))*)(?:-dev)?\Z")


def matches(wish: str, version: Version) -> bool:
    """Whether ``version`` (three numbers) fulfils ``wish``. Raises :class:`Unsupported` for a form not known here."""
    return any(all(_fits(part, version) for part in _parts(choice)) for choice in wish.split("||"))


def _parts(choice: str) -> list[str]:
    joined = re.sub(r"(>=|<=|==|!=|>|<|=|\^|~=|~)\s+", r"\1", choice.replace(",", " "))
    if hyphen := re.fullmatch(r"\s*(\S+)\s+-\s+(\S+)\s*", joined):
        return [f">={hyphen[1]}", f"<={hyphen[2]}"]
    return joined.split() or ["x"]


def _fits(part: str, version: Version) -> bool:
    found = _PART.match(part)
    if not found:
        raise Unsupported(
            "checks.version_form",
            f"The version '{part}' has a form that is not understood here.",
            "Write it as 3.12, 3.x or '>=3.9 <3.13'.",
        )
    operator = found[1] or ""
    numbers = (found[2] + found[3]).split(".")
    wanted = tuple(int(text) for text in numbers[: _known(numbers)])
    size = len(wanted)
    padded = wanted + (0,) * (3 - size)
    match operator:
        case "" | "=" | "==":
            return version[:size] == wanted
        case "!=":
            return version[:size] != wanted
        case ">=":
            return version >= padded
        case "<":
            return version < padded
        case ">":
            return version[:size] > wanted
        case "<=":
            return version[:size] <= wanted
        case "^":
            return version >= padded and version[0] == padded[0] and (padded[0] > 0 or version[1] == padded[1])
        case _:
            kept = max(1, size - 1) if operator == "~=" else min(2, size)
            return version >= padded and version[:kept] == wanted[:kept]


def _known(numbers: list[str]) -> int:
    return next((place for place, text in enumerate(numbers) if not text.isdecimal()), len(numbers))


def parse(text: str) -> Version | None:
    """The three numbers of a version as programs print it, or ``None``."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def show(version: Version) -> str:
    return ".".join(map(str, version))
