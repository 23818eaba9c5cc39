"""The nearest of the words that are known, for whoever typed one that is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`` (did you mean `X`?)`` for the nearest of ``known``, whatever its case; empty when none is near."""
    low = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), low, 1, cutoff)
    return f" (did you mean `{low[near[0]]}`?)" if near else ""


def named(word: str, known: Iterable[str]) -> str:
    """The nearest of ``known``, else all of them: `` (it has: a, b)``."""
    there = list(known)
    return suggestion(word, there) or f" (there are: {', '.join(there) or 'none'})"
