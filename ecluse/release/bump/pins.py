"""Pins in a tree: exact versions in requirement files, ``pyproject.toml``, ``package.json``, and tags of images.

Only what is pinned exactly is looked at, and only the version's characters are replaced: the rest of a file stays byte
for byte. Files with hashes are left to the tool that made them, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecluse.files import read_capped

_CAP = 4 << 20
_SKIPPED = (".git", ".venv", "venv", "node_modules", ".tox", "__pycache__", ".sync")
_REQUIREMENT = re.compile(
    rb"^[ \t]*([A-Za-z0-9][\w.-]*)(?:\[[^\]\r\n]*\])?[ \t]*==[ \t]*([0-9][\w.!+-]*)(?=[\s;#]|$)", re.M
)
_QUOTED = re.compile(
    rb"""["']([A-Za-z0-9][\w.-]*)(?:\[[^\]\r\n]*\])?[ \t]*==[ \t]*([0-9][\w.!+-]*)[ \t]*(?:;[^"'\r\n]*)?["']"""
)
_NPM = re.compile(rb'"(@?[a-z0-9][\w./~-]*)"[ \t]*:[ \t]*"([0-9]+\.[0-9]+\.[0-9]+)"')
_NPM_BLOCK = re.compile(rb'"(?:dev|optional|peer)?[dD]ependencies"[ \t]*:[ \t]*\{([^{}]*)\}')
_FROM = re.compile(rb"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*([a-z0-9][\w./:-]*?):([\w][\w.-]*)(?=\s|$)", re.M | re.I)
_IMAGE = re.compile(rb"""^[ \t]*image:[ \t]*["']?([a-z0-9][\w./:-]*?):([\w][\w.-]*)["']?[ \t]*(?:#.*)?$""", re.M)


@dataclass(frozen=True, slots=True)
class Pin:
    """One exact version. ``start`` and ``end`` are the byte offsets of the version in ``path``."""

    kind: str
    name: str
    version: str
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Left:
    """A file whose pins are not touched, and why."""

    path: str
    why: str


def find(tree: Path) -> tuple[list[Pin], list[Left]]:
    """Every pin of the tree in path order, and the files that are left alone."""
    pins: list[Pin] = []
    left: list[Left] = []
    for path in _files(tree):
        kind, patterns = _reading(path.name)
        if not patterns:
            continue
        shown = path.relative_to(tree).as_posix()
        data = read_capped(path, _CAP)
        if kind == "python" and b"--hash=" in data:
            left.append(Left(shown, "it holds hashes, so the tool that locked it has to lock it anew"))
            continue
        pins += _pins(kind, shown, data, patterns)
    return pins, left


def _files(tree: Path) -> Iterator[Path]:
    for path in sorted(tree.rglob("*")):
        parts = path.relative_to(tree).parts
        if path.is_file() and not path.is_symlink() and not any(part in _SKIPPED for part in parts):
            yield path


def _reading(name: str) -> tuple[str, tuple[re.Pattern[bytes], ...]]:
    """What kind of pins a file of this name holds."""
    low = name.lower()
    if re.fullmatch(
        r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in)|(?:dev|test|docs|runtime)\.(?:txt|in)", low
    ):
        return "python", (_REQUIREMENT,)
    if low == "pyproject.toml":
        return "python", (_QUOTED,)
    if low == "package.json":
        return "npm", (_NPM,)
    if low.startswith("dockerfile") or low.endswith(".dockerfile"):
        return "image", (_FROM,)
    if re.fullmatch(r"(?:docker-)?compose[\w.-]*\.ya?ml", low):
        return "image", (_IMAGE,)
    return "", ()


def _pins(kind: str, path: str, data: bytes, patterns: tuple[re.Pattern[bytes], ...]) -> Iterator[Pin]:
    blocks = [(m.start(1), m.group(1)) for m in _NPM_BLOCK.finditer(data)] if kind == "npm" else [(0, data)]
    for offset, block in blocks:
        for pattern in patterns:
            for found in pattern.finditer(block):
                name, version = found[1].decode(), found[2].decode()
                if kind == "image" and not re.match(r"v?\d", version):
                    continue  # `latest`, `stable`: a tag that moves by itself is no pin
                yield Pin(kind, name, version, path, offset + found.start(2), offset + found.end(2))


def write(tree: Path, changes: dict[Pin, str]) -> list[str]:
    """Write the new versions into their files; return the paths that changed."""
    by_path: dict[str, list[tuple[Pin, str]]] = {}
    for pin, version in changes.items():
        by_path.setdefault(pin.path, []).append((pin, version))
    for path, edits in by_path.items():
        data = bytearray(read_capped(tree / path, _CAP))
        for pin, version in sorted(edits, key=lambda edit: -edit[0].start):
            data[pin.start : pin.end] = version.encode()
        (tree / path).write_bytes(bytes(data))
    return sorted(by_path)
