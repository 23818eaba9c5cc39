"""``if:`` of a step: ``[not] WORD`` or ``WORD == VALUE`` or ``WORD != VALUE``, and ``{word}`` in templates."""

from __future__ import annotations

import re
from typing import Any

from ecluse.model import Release

WORDS = (
    "version",
    "previous",
    "environment",
    "commit",
    "short",
    "why",
    "url",
    "playbook",
    "release",
    "section",
    "reason",
)
"""Words that a condition and a template may use, besides ``inputs.NAME`` and ``outputs.NAME``."""
_CONDITION = re.compile(r"(not\s+)?([a-z][\w.-]*)(?:\s*(==|!=)\s*(\S+))?\Z")
_PLACE = re.compile(r"\{([a-z][\w.-]*)\}")


def is_valid(condition: str) -> bool:
    """Whether ``condition`` has one of the three forms and a word that is known."""
    said = _CONDITION.match(condition.strip())
    return said is not None and is_word(said[2]) and not (said[1] and said[3])


def word_of(condition: str) -> str:
    """The word that a condition looks at; empty when it has none of the three forms."""
    said = _CONDITION.match(condition.strip())
    return said[2] if said else ""


def compared(condition: str) -> tuple[str, str] | None:
    """The word and the value of ``WORD == VALUE`` and ``WORD != VALUE``; ``None`` for every other form."""
    said = _CONDITION.match(condition.strip())
    return (said[2], said[4].strip("'\"")) if said and said[3] else None


def is_word(word: str) -> bool:
    return word in WORDS or word.startswith(("inputs.", "outputs."))


def holds(condition: str, words: dict[str, str]) -> bool:
    """Whether a valid ``condition`` is true with these words; a word that is not there is empty, and false."""
    if not condition:
        return True
    said = _CONDITION.match(condition.strip())
    if said is None:
        return False
    value = words.get(said[2], "")
    if said[3]:
        return (value == said[4].strip("'\"")) == (said[3] == "==")
    truth = value.lower() not in ("", "false", "no", "0")
    return truth != bool(said[1])


def places(template: str) -> list[str]:
    """The words that a template asks for."""
    return [found[1] for found in _PLACE.finditer(template)]


def fill(template: str, words: dict[str, str]) -> str:
    """``template`` with each ``{word}`` replaced; an unknown one stays as it is written."""
    return _PLACE.sub(lambda found: words.get(found[1], found[0]), template)


def words_of(release: Release) -> dict[str, str]:
    """The words of a release as they stand now."""
    plan: dict[str, Any] = release.outputs.get("plan", {})
    named: dict[str, str] = release.outputs.get("named", {})
    target: dict[str, Any] = plan.get("target") or {}
    return {
        "version": release.version,
        "previous": release.previous,
        "environment": release.environment,
        "commit": release.commit,
        "short": release.commit[:12],
        "why": str(plan.get("why", "")),
        "url": str(target.get("url", "")),
        "playbook": release.playbook,
        "release": release.id,
        "section": str(release.outputs.get("section", "")),
        "reason": release.reason,
        **{f"inputs.{name}": value for name, value in release.inputs.items()},
        **{f"outputs.{name}": value for name, value in named.items()},
    }
