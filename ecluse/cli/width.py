"""Long lines at a terminal: broken between words, what goes on stands further in; into a file they stay whole."""

from __future__ import annotations

import os
import sys

_LEAST = 40


def fitted(text: str, indent: int) -> str:
    """``text`` for standard output, its lines no longer than the terminal is wide; whole where there is no terminal.

    A word that is longer than the line (a path, an address) stays whole. ``indent`` is where broken lines go on.
    """
    try:
        wide = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except (OSError, ValueError):
        wide = 0
    if wide < _LEAST:
        return text
    return "\n".join(part for line in text.split("\n") for part in broken(line, wide, indent))


def broken(line: str, wide: int, indent: int) -> list[str]:
    """``line`` as lines of at most ``wide`` characters, where its words allow that."""
    parts: list[str] = []
    while len(line) > wide:
        begins = len(line) - len(line.lstrip())
        at = line.rfind(" ", begins, wide + 1)
        if at < 0:  # a word that is longer than the line
            at = line.find(" ", wide)
        if at < 0:
            break
        parts.append(line[:at].rstrip())
        line = " " * indent + line[at:].lstrip()
    return [*parts, line] if line.strip() or not parts else parts
