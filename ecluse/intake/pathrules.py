"""What a path of a change may be called, judged part by part as every common file system would understand it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

MAX_PATH_BYTES = 1024
MAX_PART_BYTES = 255
MAX_DEPTH = 64

BIDI = frozenset((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
INVISIBLE = frozenset(
    (0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, *range(0x200B, 0x200E), *range(0x2060, 0x2065),
     *range(0x206A, 0x2070), 0x3164, 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFFC), *range(0xE0000, 0xE0080),
     *range(0xE0100, 0xE01F0), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B))
)  # fmt: skip
_HFS_IGNORED = frozenset((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))
_DEVICE = expression(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\.|$)", re.IGNORECASE)
_SHELL = expression(r"[;&|$`<>*?\"'(){}!#\[\]]")
_PLAIN = expression(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_+=@,.-]*[A-Za-z0-9_+=@,-])?(?:/[A-Za-z0-9_.](?:[A-Za-z0-9_+=@,.-]*[A-Za-z0-9_+=@,-])?)*"
)
_SUSPICIOUS = expression(
    r"(?:^|/)(?:\.\.?(?:/|$)|\.git(?:/|$)|(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|$))|(?:/[^/]*){60}",
    re.IGNORECASE,
)
"""A path of harmless characters, without a part that some system takes for something else, breaks no rule below."""

_EIGHT_THREE = expression(r"git~[0-9]+", re.IGNORECASE)


def judge_path(path: str) -> list[Finding]:
    """Every rule that a path breaks, worst first. ``path`` comes from a tree, bytes kept by ``surrogateescape``."""
    if len(path) < MAX_PART_BYTES and _PLAIN.fullmatch(path) and not _SUSPICIOUS.search(path):
        return []
    path = _in_utf8(path)
    found = [*_judge_whole(path)]
    for part in path.split("/"):
        found += _judge_part(part, path)
    order = list(Verdict)
    return sorted({f.code: f for f in found}.values(), key=lambda f: -order.index(f.verdict))


def is_dotgit(part: str) -> bool:
    """Whether a file system somewhere takes ``part`` for ``.git``."""
    bare = "".join(c for c in _in_utf8(part) if ord(c) not in _HFS_IGNORED)
    stream = re.split(r"[:\\]", bare, maxsplit=1)[0].rstrip(". ")
    return stream.casefold() == ".git" or bool(_EIGHT_THREE.fullmatch(stream))


def collision_key(path: str) -> str:
    """Two paths with the same key are one file where case, or the way an accent is written, does not count."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", _in_utf8(path)).casefold())


def find_collisions(changed: Iterable[str], everything: Iterable[str]) -> list[Finding]:
    """Paths of the change that are another path of the tree on a file system that folds case, also as a folder."""
    paths = list(changed)
    spelled: dict[str, set[str]] = {collision_key(whole): {whole} for path in paths for whole in _with_folders(path)}
    every = list(_files_and_folders(everything))
    joined = "\0".join(every)  # folded all at once where nothing has to be looked at one by one
    keys = joined.lower().split("\0") if joined.isascii() else map(collision_key, every)
    for whole, key in zip(every, keys, strict=True):
        if key in spelled:
            spelled[key].add(whole)
    found = []
    for path in paths:
        others = (spelled[collision_key(whole)] - {whole} for whole in _with_folders(path))
        other = next((min(names) for names in others if names), None)
        if other is not None:
            text = f"{shown(path)} and {shown(other)} are one path on a file system that folds case"
            found.append(Finding("path.case_collision", Verdict.REJECT, text, path))
    return found


def _files_and_folders(paths: Iterable[str]) -> set[str]:
    every = set(paths)
    folders = {path.rpartition("/")[0] for path in every}
    while folders:
        every |= folders
        folders = {path.rpartition("/")[0] for path in folders} - every
    return every - {""}


def _with_folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def shown(path: str) -> str:
    """A path as a person may safely be shown it: what cannot be printed is an escape."""
    if path.isascii() and path.isprintable():
        return path
    text = _bytes_of(_in_utf8(path)).decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() and ord(c) not in BIDI and ord(c) not in INVISIBLE else ascii(c)[1:-1] for c in text
    )


def _in_utf8(path: str) -> str:
    """The path read as UTF-8, whatever this machine's locale made of its bytes: the same path, the same verdict."""
    try:
        return path if path.isascii() else os.fsencode(path).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path  # it was read as UTF-8 before, and this locale has no bytes for it


def _bytes_of(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _judge_whole(path: str) -> list[Finding]:
    found = []
    size = len(_bytes_of(path))
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        found.append(_finding("path.absolute", Verdict.REJECT, path, "is absolute"))
    if size > MAX_PATH_BYTES:
        found.append(_finding("path.too_long", Verdict.REJECT, path, f"has {size} bytes, more than {MAX_PATH_BYTES}"))
    if path.count("/") >= MAX_DEPTH:
        found.append(_finding("path.too_deep", Verdict.REJECT, path, f"lies deeper than {MAX_DEPTH} folders"))
    if any(0xDC80 <= ord(c) <= 0xDCFF for c in path):
        found.append(_finding("path.encoding", Verdict.WARN, path, "is not UTF-8"))
    if _SHELL.search(path):
        found.append(_finding("path.shell_meta", Verdict.WARN, path, "holds characters that a shell would act on"))
    return found


def _judge_part(part: str, path: str) -> list[Finding]:
    found = []
    if part == "":
        found.append(_finding("path.empty_component", Verdict.REJECT, path, "has an empty part"))
    if part == "..":
        found.append(_finding("path.dotdot", Verdict.REJECT, path, "leads out of the tree"))
    elif part == ".":
        found.append(_finding("path.dot_component", Verdict.REJECT, path, "has the part `.`"))
    elif part.endswith((".", " ")) and part.rstrip(". "):  # what is all dots is trimmed to nothing, to no other name
        found.append(_finding("path.trailing_dot", Verdict.REJECT, path, "ends a part in a dot or a space"))
    if is_dotgit(part):
        found.append(
            _finding("path.dotgit", Verdict.REJECT, path, "leads into .git (or what some system takes for it)")
        )
    if "\\" in part:
        found.append(_finding("path.backslash", Verdict.REJECT, path, "holds a backslash, a separator on Windows"))
    if ":" in part:
        found.append(_finding("path.ntfs_ads", Verdict.REJECT, path, "holds a colon, a stream on NTFS"))
    if _DEVICE.match(part):
        found.append(_finding("path.device_name", Verdict.REJECT, path, "is the name of a device on Windows"))
    if len(_bytes_of(part)) > MAX_PART_BYTES:
        found.append(
            _finding("path.component_too_long", Verdict.REJECT, path, f"has a part over {MAX_PART_BYTES} bytes")
        )
    if part.startswith("-"):
        found.append(_finding("path.option_like", Verdict.WARN, path, "looks like an option to a command"))
    for code in map(ord, part):
        if code < 32 or 127 <= code < 160 or code in (0x2028, 0x2029):
            found.append(_finding("path.control_chars", Verdict.REJECT, path, "holds a control character"))
        elif code in BIDI:
            found.append(
                _finding("path.bidi", Verdict.REJECT, path, "holds a character that turns the direction of text")
            )
        elif code in INVISIBLE:
            found.append(_finding("path.invisible", Verdict.REJECT, path, "holds a character that nobody sees"))
    return found


def _finding(code: str, verdict: Verdict, path: str, why: str) -> Finding:
    return Finding(code, verdict, f"{shown(path)[:200]} {why}", path)
