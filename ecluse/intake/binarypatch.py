"""The binary parts of a patch: base85 lines, compressed literals and deltas, each unpacked under a cap."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

from ecluse.dataclass import dataclass
from ecluse.errors import Refused

_LINE_BYTES = 52


@dataclass(frozen=True, slots=True)
class BinaryPiece:
    """One direction of a binary patch: ``kind`` is ``literal`` or ``delta``, ``size`` in bytes once unpacked."""

    kind: str
    size: int
    lines: tuple[bytes, ...]


def refuse(code: str, why: str) -> Refused:
    """The problem for a patch that is not what a patch must be."""
    return Refused(code, f"{why}.", "make it again with: ecluse export (or: git format-patch --binary --full-index)")


def unpack(piece: BinaryPiece, cap: int) -> bytes:
    """The bytes that ``piece`` carries. Raises :class:`Refused` (``patch.malformed``, ``limit.expanded``)."""
    if piece.size > cap:
        raise refuse("limit.expanded", f"A binary part unpacks to {piece.size:,} bytes, more than {cap:,}")
    packed = b"".join(_decode(line) for line in piece.lines)
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, piece.size + 1)
    except zlib.error as error:
        raise refuse("patch.malformed", f"A binary part cannot be unpacked ({error})") from error
    if len(data) != piece.size or not (stream.eof or _ends(stream)) or stream.unused_data:
        raise refuse("patch.malformed", f"A binary part does not unpack to the {piece.size:,} bytes that it promises")
    return data


def _ends(stream: zlib._Decompress) -> bool:
    """Whether nothing but the checksum was left (an empty literal ends only when asked once more)."""
    try:
        return not stream.decompress(stream.unconsumed_tail, 1) and stream.eof
    except zlib.error:
        return False


def _decode(line: bytes) -> bytes:
    first = line[:1]
    count = ord(first) - 64 if b"A" <= first <= b"Z" else ord(first) - 70 if b"a" <= first <= b"z" else 0
    if not 0 < count <= _LINE_BYTES or len(line) - 1 != (count + 3) // 4 * 5:
        raise refuse("patch.malformed", "A base85 line of a binary part has another length than it says")
    try:
        return base64.b85decode(line[1:])[:count]
    except ValueError as error:
        raise refuse("patch.malformed", "A line of a binary part is not base85") from error


def apply_delta(base: bytes, delta: bytes, cap: int) -> bytes:
    """What a git delta makes of ``base``. Raises :class:`Refused` (``patch.malformed``, ``limit.expanded``)."""
    at, source = _number(delta, 0)
    at, target = _number(delta, at)
    if source != len(base):
        raise refuse("patch.malformed", "A binary delta was made for a file of another size")
    if target > cap:
        raise refuse("limit.expanded", f"A binary delta makes {target:,} bytes, more than {cap:,}")
    made = bytearray()
    while at < len(delta):
        word = delta[at]
        at += 1
        if word & 0x80:
            at, offset = _operand(delta, at, [bit for bit in range(4) if word >> bit & 1])
            at, size = _operand(delta, at, [bit for bit in range(3) if word >> (4 + bit) & 1])
            size = size or 0x10000
            if offset + size > len(base):
                raise refuse("patch.malformed", "A binary delta copies from behind the end of the file")
            made += base[offset : offset + size]
        elif word:
            made += delta[at : at + word]
            at += word
        else:
            raise refuse("patch.malformed", "A binary delta holds an instruction that git does not have")
        if len(made) > target:
            break
    if len(made) != target or at != len(delta):
        raise refuse("patch.malformed", "A binary delta does not make a file of the size that it promises")
    return bytes(made)


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 63:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return at, value
    raise refuse("patch.malformed", "A binary delta has no proper header")


def _operand(data: bytes, at: int, places: Sequence[int]) -> tuple[int, int]:
    if at + len(places) > len(data):
        raise refuse("patch.malformed", "A binary delta is cut short")
    return at + len(places), sum(data[at + n] << (8 * place) for n, place in enumerate(places))
