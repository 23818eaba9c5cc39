"""The agent's own words, sorted under the headings that hand-overs have, and made harmless for a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ecluse.secrets.scan import scan

SECTIONS: dict[str, tuple[str, ...]] = {
    "goal": ("goal", "objective", "objectif", "but", "context", "contexte"),
    "done": ("done", "what was done", "completed", "fait", "terminé", "ce qui est fait", "réalisé"),
    "doing": ("in progress", "doing", "started", "en cours"),
    "left": ("left", "what is left", "remaining", "todo", "to do", "next", "next steps", "reste", "reste à faire",
             "à faire", "prochaines étapes", "suite"),
    "watch": ("watch", "what to watch", "attention", "points of attention", "caution", "risks", "points d'attention",
              "à surveiller", "risques"),
    "problems": ("problems", "problem", "issues", "problèmes", "problème", "difficultés"),
    "setup": ("setup", "configuration", "environment", "config", "required configuration", "environnement",
              "configuration requise"),
    "advice": ("recommendations", "advice", "notes", "recommandations", "conseils", "remarques"),
}  # fmt: skip
"""Section -> the words that open it: as a heading (``## Left``), or before a colon (``Left: the tests``)."""

_OPENERS = {word: section for section, words in SECTIONS.items() for word in words}
_LINE_CAP, _LINES_CAP = 500, 60


def read(note: str) -> dict[str, list[str]]:
    """The lines of a note by section; what stands under no heading is in ``""``. Empty lines are left out."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in note.splitlines():
        opener, rest = _opener(line)
        if opener:
            section = opener
            line = rest
        text = re.sub(r"^\s*[-*+]\s+(?:\[[ xX]\]\s+)?", "", line).strip()
        if text:
            found.setdefault(section, []).append(text)
    return found


def _opener(line: str) -> tuple[str, str]:
    """(the section that a line opens, what follows it on the line), or two empty texts."""
    heading = re.match(r"\s{0,3}#{1,6}\s+(.+?)\s*#*\s*$", line)
    if heading:
        return _OPENERS.get(_plain(heading.group(1)), ""), ""
    labelled = re.match(r"\s*(?:[-*+]\s+)?\**([^:*]{2,40}?)\**\s*:\**(?:\s+(.*)|)$", line)
    section = _OPENERS.get(_plain(labelled.group(1)), "") if labelled else ""
    return (section, (labelled.group(2) or "")) if labelled and section else ("", "")


def _plain(words: str) -> str:
    return words.strip(" *_:").lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def inline(text: str, cap: int = 200) -> str:
    """A stranger's words inside a line of Markdown: no markup, no HTML, no cell, no line of it takes effect."""
    short = " ".join(text.split())
    short = short if len(short) <= cap else f"{short[: cap - 1]}…"
    shown = short if short.isprintable() else "".join(c if c.isprintable() else "?" for c in short)
    return re.sub(r"([\\`*_\[\]<>|#!~&])", r"\\\1", shown)


def code(text: str) -> str:
    """A path or an id as a code span; one that would break out of it, as plain words."""
    return inline(text) if "`" in text or "|" in text or not text.isprintable() else f"`{text}`"


def quoted(lines: list[str]) -> list[str]:
    """A stranger's lines as a quotation; a line that looks like a secret is left out."""
    kept = []
    for line in lines[:_LINES_CAP]:
        secret = bool(scan(line.encode("utf-8", "backslashreplace")))
        kept.append("> (…)" if secret else f"> {inline(line, _LINE_CAP)}")
    if len(lines) > _LINES_CAP:
        kept.append("> (…)")
    return kept


def words_of(sections: Mapping[str, list[str]], *names: str) -> list[str]:
    """The lines of several sections, in this order."""
    return [line for name in names for line in sections.get(name, [])]
