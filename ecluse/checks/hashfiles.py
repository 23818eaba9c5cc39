"""``hashFiles``: one SHA-256 over the files of the workspace that patterns select."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecluse.checks.globs import path_pattern
from ecluse.checks.values import Value, to_text


def hash_files(workspace: Path, patterns: Sequence[Value]) -> str:
    """One hash over the contents of the selected files, folders walked in name order; empty when none matches."""
    lines = [line.strip() for pattern in patterns for line in to_text(pattern).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#") and line != "--follow-symbolic-links"]
    total = hashlib.sha256()
    found = False
    for path in select_files(workspace, lines):
        with path.open("rb") as handle:
            while block := handle.read(1 << 20):
                total.update(block)
        found = True
    return total.hexdigest() if found else ""


def select_files(folder: Path, patterns: Sequence[str], *, links: bool = False) -> Iterator[Path]:
    """The files below ``folder`` that the patterns select, in name order; ``!`` takes files out again.

    With ``links`` also links to folders and to nothing, which are not followed.
    """
    root = str(folder)
    rules = []
    for pattern in patterns:
        wanted = not pattern.startswith("!")
        plain = (pattern if wanted else pattern[1:]).removeprefix(root + "/")
        rules.append((wanted, path_pattern("**" if plain == root else plain)))
    for path, relative in _walk(root, "", links) if folder.is_dir() else ():
        selected = False
        for wanted, rule in rules:
            if rule.fullmatch(relative):
                selected = wanted
        if selected:
            yield Path(path)


def _walk(folder: str, prefix: str, links: bool) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        relative = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, relative + "/", links)
        elif entry.is_file() or (links and entry.is_symlink()):
            yield entry.path, relative
