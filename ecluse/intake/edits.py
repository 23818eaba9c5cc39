"""A JSON list of edits, as a chat agent writes it: whole files and find/replace, each with exactly one meaning."""

from __future__ import annotations

from typing import Any

from ecluse.intake import strictjson
from ecluse.intake.binarypatch import refuse
from ecluse.intake.patchapply import Draft, Entry, blob_id, check_path, does_not_apply
from ecluse.intake.pathrules import shown

_EDITS_CAP = 10_000
_BYTES_A_LINE = 64
_WHOLE = frozenset(("path", "content"))
_FIND = frozenset(("path", "find", "replace"))


def read_edits(data: bytes) -> list[dict[str, str]]:
    """The edits of a document. Raises :class:`ecluse.errors.Refused` (``meta.*``, ``edits.*``, ``path.*``)."""
    value = strictjson.loads(data, "the list of edits")
    if not isinstance(value, list) or not value or len(value) > _EDITS_CAP:
        raise refuse("edits.shape", f"The edits are not a list of 1 to {_EDITS_CAP:,} objects")
    for one in value:
        _check(one)
    return value


def _check(one: Any) -> None:
    if not isinstance(one, dict):
        raise refuse("edits.shape", "An edit is not an object")
    if frozenset(one) not in (_WHOLE, _FIND):
        names = ", ".join(sorted(map(str, one)))[:200]
        raise refuse("edits.shape", f"An edit is neither path and content nor path, find and replace, but {names!a}")
    if not all(isinstance(value, str) for value in one.values()):
        raise refuse("edits.shape", "A value of an edit is not a text")
    if "find" in one and not one["find"]:
        raise refuse("edits.shape", f"The edit of {one['path'][:80]!a} looks for nothing")
    for value in one.values():
        if any(0xD800 <= ord(c) < 0xE000 for c in value):
            raise refuse("edits.shape", "A text of an edit holds half a character")
    check_path(one["path"])


def apply_edits(draft: Draft, edits: list[dict[str, str]]) -> dict[str, Entry | None]:
    """Apply all edits as one commit. Raises :class:`Refused` (``base.does_not_apply``, ``patch.duplicate_file``...)."""
    texts: dict[str, bytes] = {}
    whole: set[str] = set()
    for edit in edits:
        path = edit["path"]
        standing = draft.files.get(path)
        if standing and not standing.mode.startswith("100"):
            raise refuse("edits.link", f"{shown(path)} is a link or a submodule, not a text to edit")
        if "content" in edit or path in whole:
            if path in texts:
                raise refuse("patch.duplicate_file", f"{shown(path)} is given whole and edited once more")
            whole.add(path)
            texts[path] = edit["content"].encode()
            continue
        if standing is None:
            raise does_not_apply(f"There is no file {shown(path)}")
        text = texts[path] if path in texts else draft.content(standing)
        if b"\0" in text[:8192]:
            raise refuse("edits.binary", f"{shown(path)} is no text, so nothing can be found and replaced in it")
        draft.spend(len(text) // _BYTES_A_LINE)
        texts[path] = _replace(path, text, edit)
        if len(texts[path]) > draft.limits.max_file_bytes:
            raise refuse("limit.file_size", f"{shown(path)} would have {len(texts[path]):,} bytes")
    written: dict[str, Entry] = {}
    for path, data in texts.items():
        standing = draft.files.get(path)
        if standing and standing.id == blob_id(data):
            continue
        made = draft.make(standing.mode if standing else "100644", data)
        written[path] = made
    return draft.put(set(), written)


def _replace(path: str, text: bytes, edit: dict[str, str]) -> bytes:
    find, new = edit["find"].encode(), edit["replace"].encode()
    if b"\r\n" in text and b"\r" not in find and find not in text:
        find, new = find.replace(b"\n", b"\r\n"), new.replace(b"\n", b"\r\n")
    first = text.find(find)
    if first < 0:
        raise does_not_apply(f"{shown(path)} does not hold the text to be replaced")
    if text.find(find, first + 1) >= 0:
        raise does_not_apply(f"{shown(path)} holds the text to be replaced more than once")
    return text[:first] + new + text[first + len(find) :]
