"""A ``git bundle`` file: its header read by us, its pack walked under caps before git sees a byte of it."""

from __future__ import annotations

import hashlib
import mmap
import re
import zlib
from pathlib import Path

from ecluse.dataclass import dataclass
from ecluse.errors import Refused

MAGIC = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_HEADER_CAP = 1 << 20
_LINE_CAP = 4096
_PREREQUISITES_CAP = 1000
_OBJECTS_CAP = 500_000
_CHUNK = 1 << 18
_FORGET = 16 << 20
_HINT = "ask for a fresh bundle made with: ecluse export (or: git bundle create FILE BASE..BRANCH)"


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """What stands before the pack. ``pack_at`` is the offset of the pack in bytes."""

    version: int
    prerequisites: tuple[str, ...]
    refs: tuple[tuple[str, str], ...]
    pack_at: int


@dataclass(frozen=True, slots=True)
class PackFacts:
    """What a walk over a pack found, before any delta was applied: counts, and sizes in bytes once unpacked."""

    objects: int
    expanded: int
    largest: int


def refuse(code: str, why: str) -> Refused:
    """The problem for a bundle that is not what a bundle must be."""
    return Refused(code, f"{why}.", _HINT)


def read_header(path: Path) -> BundleHeader:
    """Read the header of a bundle. Raises :class:`Refused` (``bundle.*``, ``ref.*``) when it is not well formed."""
    with path.open("rb") as handle:
        head = handle.read(_HEADER_CAP)
    version = 2 if head.startswith(MAGIC[0]) else 3 if head.startswith(MAGIC[1]) else 0
    if not version:
        raise refuse("bundle.corrupt", "The file is not a git bundle (its first line is another)")
    end = head.find(b"\n\n")
    if end < 0:
        raise refuse("bundle.corrupt", "The bundle ends, or goes on for more than 1 MiB, before its header does")
    prerequisites: list[str] = []
    refs: list[tuple[str, str]] = []
    for line in head[len(MAGIC[0]) : end].split(b"\n") if end >= len(MAGIC[0]) else []:
        if line.startswith(b"@"):
            if version < 3 or line not in (b"@object-format=sha1",):
                raise refuse("bundle.capability", f"The bundle wants the capability {_show(line[1:])}, unknown here")
        elif line.startswith(b"-"):
            prerequisites.append(_oid(line[1:41], line[41:42]))
        else:
            if len(line) > _LINE_CAP:
                raise refuse("ref.invalid", "A ref name of the bundle is longer than 4,000 bytes")
            refs.append((_oid(line[:40], line[40:41]), line[41:].decode("utf-8", "surrogateescape")))
    if len(prerequisites) > _PREREQUISITES_CAP:
        raise refuse("bundle.corrupt", f"The bundle names more than {_PREREQUISITES_CAP} prerequisites")
    if not refs:
        raise refuse("bundle.refs", "The bundle names no ref")
    return BundleHeader(version, tuple(prerequisites), tuple(refs), end + 2)


def _oid(word: bytes, after: bytes) -> str:
    if not re.fullmatch(rb"[0-9a-f]{40}", word) or after not in (b" ", b""):
        raise refuse("bundle.corrupt", "A header line of the bundle is not an object id and a name")
    return word.decode("ascii")


def _show(data: bytes) -> str:
    return ascii(data[:60].decode("utf-8", "backslashreplace"))


def walk_pack(path: Path, start: int, *, max_object: int, max_total: int) -> PackFacts:
    """Walk every object of the pack at ``start`` without applying deltas, and check its count and checksum.

    Sizes once unpacked are known from headers, so a bomb is refused before anything of its size is made. Raises
    :class:`Refused`: ``bundle.corrupt`` or ``limit.*``.
    """
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = len(data) - 20
        if end - start < 12 or data[start : start + 4] != b"PACK":
            raise refuse("bundle.corrupt", "The bundle is cut short: there is no pack in it")
        if int.from_bytes(data[start + 4 : start + 8], "big") not in (2, 3):
            raise refuse("bundle.corrupt", "The pack is of a version that git does not have")
        count = int.from_bytes(data[start + 8 : start + 12], "big")
        if count > _OBJECTS_CAP:
            too_many = count * 3 > end - start  # no object takes less than three bytes
            code = "bundle.corrupt" if too_many else "limit.objects"
            raise refuse(code, f"The pack claims {count:,} objects")
        at, expanded, largest = start + 12, 0, 0
        walked = at
        for _ in range(count):
            at, size = _walk_object(data, at, end, max_object)
            if at - walked > _FORGET:
                walked = _forget(data, at)
            expanded += size
            largest = max(largest, size)
            if expanded > max_total:
                raise refuse("limit.expanded", f"The pack unpacks to more than {max_total:,} bytes")
        if at != end:
            raise refuse("bundle.corrupt", "The bundle holds bytes after its pack")
        digest = hashlib.sha1(usedforsecurity=False)
        for offset in range(start, end, 1 << 20):
            digest.update(data[offset : min(offset + (1 << 20), end)])
            if (offset - start) % _FORGET == 0:
                _forget(data, offset)
        if digest.digest() != data[end : end + 20]:
            raise refuse("bundle.corrupt", "The pack's checksum does not fit its content")
    return PackFacts(count, expanded, largest)


def _forget(data: mmap.mmap, at: int) -> int:
    """Let go of the pages before ``at``: a mapped file counts as our memory for as long as it is looked at."""
    if hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED, 0, at - at % mmap.PAGESIZE)
    return at


def _walk_object(data: mmap.mmap, at: int, end: int, max_object: int) -> tuple[int, int]:
    """(offset after the object, its size once unpacked)."""
    if at >= end:
        raise refuse("bundle.corrupt", "The bundle is cut short: its pack has fewer objects than it claims")
    byte = data[at]
    at += 1
    kind, size, shift = (byte >> 4) & 7, byte & 15, 4
    while byte & 0x80:
        if at >= end or shift > 60:
            raise refuse("bundle.corrupt", "An object of the pack has no proper header")
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
    if kind in (0, 5):
        raise refuse("bundle.corrupt", "The pack holds an object of a kind that git does not have")
    if size > max_object:
        raise refuse("limit.expanded", f"An object of the pack unpacks to {size:,} bytes, more than {max_object:,}")
    if kind == 6:
        while at < end and data[at] & 0x80:
            at += 1
        at += 1
    elif kind == 7:
        at += 20
    at, first = _inflate(data, at, end, size)
    if kind not in (6, 7):
        return at, size
    result = _delta_result(first)
    if result > max_object:
        raise refuse("limit.expanded", f"An object of the pack unpacks to {result:,} bytes, more than {max_object:,}")
    return at, result


def _inflate(data: mmap.mmap, at: int, end: int, size: int) -> tuple[int, bytes]:
    """(offset after the compressed data, the first bytes of what it holds); exactly ``size`` bytes must come out."""
    stream = zlib.decompressobj()
    made, first, walked = 0, b"", at
    try:
        while not stream.eof:
            if at - walked > _FORGET:
                walked = _forget(data, at)
            piece = stream.unconsumed_tail or data[at : min(at + max(64, min(size + 64, _CHUNK)), end)]
            if not stream.unconsumed_tail:
                at += len(piece)
            out = stream.decompress(piece, _CHUNK)
            if not piece and not out and not stream.eof:
                raise refuse("bundle.corrupt", "The bundle is cut short inside an object")
            made += len(out)
            first = first or out[:32]
            if made > size:
                raise refuse("bundle.corrupt", "An object of the pack is larger than its header says")
    except zlib.error as error:
        raise refuse("bundle.corrupt", f"An object of the pack cannot be unpacked ({error})") from error
    if made != size:
        raise refuse("bundle.corrupt", "An object of the pack is smaller than its header says")
    return at - len(stream.unused_data), first


def _delta_result(first: bytes) -> int:
    """The size that a delta makes: the second of the two numbers it begins with."""
    at, numbers = 0, []
    for _ in range(2):
        value = shift = 0
        while True:
            if at >= len(first) or shift > 60:
                raise refuse("bundle.corrupt", "A delta of the pack has no proper header")
            byte = first[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        numbers.append(value)
    return numbers[1]
