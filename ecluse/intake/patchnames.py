"""The names in a patch: unquoting, prefixes, and whether the lines of one section all name the same file."""

from __future__ import annotations

import os
import re

from ecluse.intake.binarypatch import refuse
from ecluse.patterns import expression

DEV_NULL = b"/dev/null"
_NAME_CAP = 16 << 10
_ESCAPE = expression(rb'\\([abtnvfr"\\]|[0-3][0-7]{2})|(\\)|(")')
_PLAIN = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_SAVED = (b".orig", b".old", b".bak", b"~")


def decode(name: bytes) -> str:
    """A name's bytes as the other rooms hold paths."""
    return os.fsdecode(name)


def unquote(word: bytes) -> bytes:
    """A whole name as git writes it: bare, or in quotes with C escapes. Raises :class:`Refused`."""
    if len(word) > _NAME_CAP:
        raise refuse("path.too_long", "A name in the patch is longer than 16 KiB")
    if not word.startswith(b'"'):
        return word
    name, rest = _take_quoted(word)
    if rest:
        raise refuse("patch.malformed", "A quoted name in the patch goes on after its end")
    return name


def _take_quoted(word: bytes) -> tuple[bytes, bytes]:
    """(name, what follows the closing quote)."""
    made, at = bytearray(), 1
    while True:
        match = _ESCAPE.search(word, at)
        if match is None or match[2]:
            raise refuse("patch.malformed", "A quoted name in the patch is not well formed")
        made += word[at : match.start()]
        at = match.end()
        if match[3]:
            return bytes(made), word[at:]
        code = match[1]
        made += bytes([int(code, 8)]) if code.isdigit() else _PLAIN.get(code, code)


def header_pairs(rest: bytes) -> list[tuple[bytes, bytes]]:
    """Every way to read the two names behind ``diff --git``; with blanks in bare names there may be several."""
    if len(rest) > 2 * _NAME_CAP:
        raise refuse("path.too_long", "A name in the patch is longer than 16 KiB")
    if rest.startswith(b'"'):
        first, after = _take_quoted(rest)
        return [(first, unquote(after[1:]))] if after.startswith(b" ") else []
    if rest.endswith(b'"'):
        first, _, second = rest.partition(b' "')
        return [(first, unquote(b'"' + second))]
    half = len(rest) // 2
    if len(rest) % 2 and rest[half : half + 1] == b" " and _same(rest[:half], rest[half + 1 :]) is not None:
        return [(rest[:half], rest[half + 1 :])]
    blanks = [at for at, byte in enumerate(rest) if byte == 32]
    return [(rest[:at], rest[at + 1 :]) for at in blanks[:200]]


def _same(old: bytes, new: bytes) -> bytes | None:
    """The one path that both names stand for: with one-letter prefixes that differ, or without any."""
    if old == new:
        return old
    prefixed = old[1:2] == new[1:2] == b"/" and old[:1].isalnum() and new[:1].isalnum()
    return old[2:] if prefixed and old[2:] == new[2:] else None


def header_path(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """The path of a section that renames nothing. Raises :class:`Refused` (``patch.name_mismatch``)."""
    found = {path for old, new in pairs if (path := _same(old, new)) is not None}
    if len(found) != 1:
        raise refuse("patch.name_mismatch", "The two names behind `diff --git` are not those of one file")
    return found.pop()


def check_moved(pairs: list[tuple[bytes, bytes]], source: bytes, to: bytes) -> None:
    """Refuse a rename or copy whose own lines name other files than its ``diff --git`` line."""
    if not any(strips_to(old, source) and strips_to(new, to) for old, new in pairs):
        raise refuse("patch.name_mismatch", "A rename names other files than the `diff --git` line before it")


def strips_to(name: bytes, path: bytes) -> bool:
    """Whether ``name`` is ``path``, alone or behind a one-letter prefix."""
    return name == path or (name[1:2] == b"/" and name[:1].isalnum() and name[2:] == path)


def marked_name(line: bytes) -> tuple[bytes, bool]:
    """(name, whether it is dated to the beginning of time: not there) of a ``---`` or ``+++`` line's rest."""
    if line.startswith(b'"'):
        name, after = _take_quoted(line)
        if after and not after.startswith(b"\t"):
            raise refuse("patch.malformed", "A quoted name in the patch goes on after its end")
        return name, False
    name, _, stamp = line.partition(b"\t")
    if len(name) > _NAME_CAP:
        raise refuse("path.too_long", "A name in the patch is longer than 16 KiB")
    epoch = re.match(rb"(?:1970-01-01|1969-12-31)[ T]", stamp) is not None
    return name, epoch


def plain_path(old: bytes, new: bytes) -> bytes:
    """The path that a section of a plain unified diff is about. Raises :class:`Refused` (``patch.name_mismatch``)."""
    if old == DEV_NULL or new == DEV_NULL:
        name = new if old == DEV_NULL else old
        if name == DEV_NULL:
            raise refuse("patch.name_mismatch", "A section of the patch names no file")
        return name[2:] if name[1:2] == b"/" and name[:1] in b"abciow" else name
    same = _same(old, new)
    if same is not None:
        return same
    first, second = old.partition(b"/"), new.partition(b"/")
    if first[2] and first[2] == second[2]:
        return first[2]
    for mark in _SAVED:
        if old == new + mark:
            return new
    raise refuse("patch.name_mismatch", "The --- and +++ lines of a section name different files")
