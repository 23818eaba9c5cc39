"""A bundle as text for a channel that carries nothing but copy and paste: numbered, checksummed chunks.

Each chunk stands alone between a begin and an end line, says which of how many it is and what the whole must be. Base85
would be shorter; Base64 survives mail, chat and Markdown better. Line ends, indentation, quoting marks, dashes of
print and words around the chunks do not matter, neither does their order, nor a chunk pasted twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Refused
from ecluse.patterns import expression

CHUNK_BYTES = 6000
"""How many bytes of the bundle one chunk carries: about 8,300 characters, which most message boxes take."""

MAX_CHUNKS = 50_000
TEXT_CAP = 64 << 20
"""The most bytes that chunks may have as text: text is held whole, unlike a file."""

_BEGIN = expression(
    rb"BEGIN\s+ECLUSE\s+CHUNK\s+([1-9][0-9]{0,5})/([1-9][0-9]{0,5})\s+([0-9a-f]{64})\s+sha256:([0-9a-f]{16})-{1,5}"
)
_END = "-----END ECLUSE CHUNK-----"
_END_FOUND = expression(rb"-{1,5}\s*END\s+ECLUSE\s+CHUNK\b")
_DRESSED = expression(rb"\xc2\xa0|\xe2\x80[\x90-\x95]|\xe2\x88\x92")
"""Blanks that do not break and dashes of print, in UTF-8: what editors and chats make of blanks and hyphens."""

_WIDE = (b"\xff\xfe", b"\xfe\xff")
_NOISE = expression(rb"[^A-Za-z0-9+/=]")
_QUOTE = expression(rb"^[\s>|]+", re.MULTILINE)
_AGAIN = "copy it again, whole, and import all chunks together: ecluse import FILE"


@dataclass(frozen=True, slots=True)
class _Chunk:
    number: int
    total: int
    whole: str
    data: bytes


def write_chunks(data: bytes, size: int = CHUNK_BYTES) -> str:
    """``data`` as text chunks of ``size`` bytes each; the text is ASCII with short lines."""
    check_size(len(data), size)
    whole = hashlib.sha256(data).hexdigest()
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    blocks = []
    for number, part in enumerate(parts, 1):
        head = f"-----BEGIN ECLUSE CHUNK {number}/{len(parts)} {whole} sha256:{_digest(part)}-----"
        lines = base64.b64encode(part).decode("ascii")
        body = "\n".join(lines[at : at + 76] for at in range(0, len(lines), 76))
        blocks.append(f"{head}\n{body}\n{_END}\n")
    return "\n".join(blocks)


def check_size(number: int, size: int = CHUNK_BYTES) -> None:
    """Refuse so many bytes that nobody could paste them: :class:`Invalid` (``text.too_large``)."""
    if number > MAX_CHUNKS * size or number > TEXT_CAP * 2 // 3:
        raise Invalid(
            "text.too_large",
            f"The bundle has {number:,} bytes; as text it would take more than {MAX_CHUNKS:,} chunks or {TEXT_CAP:,} bytes.",
            "carry it as a file: ecluse export --to FILE.tar",
        )


def looks_like_chunks(text: bytes) -> bool:
    """Whether text holds the beginning of a chunk; words may stand before it, quoting marks and line ends inside it."""
    return (b"ECLUSE" in text or text[:2] in _WIDE) and _BEGIN.search(_flat(text)) is not None


def read_chunks(text: bytes) -> bytes:
    """The bundle that the chunks in ``text`` make together, whatever stands around and between them.

    Raises :class:`Invalid` (``text.missing``: it names the missing ones; ``text.mixed``: chunks of several bundles) or
    :class:`Refused` (``text.damaged``: a chunk or the whole is not what it was).
    """
    chunks, damaged = _find(text)
    wholes = {(chunk.whole, chunk.total) for chunk in chunks}
    if len(wholes) > 1:
        raise Invalid(
            "text.mixed",
            f"The text holds chunks of {len(wholes)} different bundles.",
            "give the chunks of one export at a time",
        )
    if not chunks:
        names = _list(sorted(damaged))
        raise Refused("text.damaged", f"No chunk arrived whole{f' (damaged: {names})' if names else ''}.", _AGAIN)
    total = chunks[0].total
    held = {chunk.number: chunk.data for chunk in chunks}
    bad = sorted(damaged - set(held))
    missing = [number for number in range(1, total + 1) if number not in held and number not in damaged]
    if bad:
        also = f"; missing: {_list(missing)}" if missing else ""
        raise Refused("text.damaged", f"Of {total} chunks these arrived damaged: {_list(bad)}{also}.", _AGAIN)
    if missing:
        raise Invalid("text.missing", f"Of {total} chunks these are missing: {_list(missing)}.", _AGAIN)
    data = b"".join(held[number] for number in range(1, total + 1))
    if hashlib.sha256(data).hexdigest() != chunks[0].whole:
        raise Refused("text.damaged", "Every chunk is whole, but together they are not what was exported.", _AGAIN)
    return data


def _find(text: bytes) -> tuple[list[_Chunk], set[int]]:
    """The chunks that are whole, and the numbers of those that are not."""
    flat = _flat(text)
    starts = list(_BEGIN.finditer(flat))
    if len(starts) > MAX_CHUNKS * 2:
        raise Refused("text.too_large", f"The text holds more than {MAX_CHUNKS * 2:,} chunks.", _AGAIN)
    found, damaged = [], set()
    for index, start in enumerate(starts):
        number, total = int(start.group(1)), int(start.group(2))
        limit = starts[index + 1].start() if index + 1 < len(starts) else len(flat)
        end = _END_FOUND.search(flat, start.end(), limit)
        data = _decode(flat[start.end() : end.start()]) if end else None
        if data is None or number > total or total > MAX_CHUNKS or _digest(data) != start.group(4).decode("ascii"):
            damaged.add(number)
        else:
            found.append(_Chunk(number, total, start.group(3).decode("ascii"), data))
    return found, damaged


def _flat(text: bytes) -> bytes:
    """``text`` without what mail and chat put in front of lines, and editors in place of blanks and hyphens."""
    if text[:2] in _WIDE:
        text = text.decode("utf-16", "replace").encode()
    if not text.isascii():
        text = _DRESSED.sub(lambda found: b" " if found[0] == b"\xc2\xa0" else b"-", text)
    return _QUOTE.sub(b"", text.replace(b"\r", b"\n"))


def _decode(body: bytes) -> bytes | None:
    try:
        return base64.b64decode(_NOISE.sub(b"", body), validate=True)
    except (binascii.Error, ValueError):
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _list(numbers: list[int]) -> str:
    """Numbers as people write them: 1, 3-5, 9."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans[:40])
