"""Archives (``.zip``, ``.tar``, ``.tar.gz``) judged by their headers alone before a byte of content is unpacked.

What comes out is a folder of plain files (one folder around all of them is taken off): no links, devices, duplicate names, or more bytes than declared.
"""

from __future__ import annotations

import itertools
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ecluse.dataclass import dataclass
from ecluse.errors import Refused
from ecluse.intake.bundlefile import refuse
from ecluse.intake.pathrules import collision_key, judge_path
from ecluse.model import Verdict
from ecluse.patterns import expression

PLAIN = expression(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")
MEMBERS_CAP = 1_000
_RATIO_CAP = 100
_RATIO_FROM = 1 << 20
_EXTENSION_CAP = 64 << 10
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Member:
    """One file that an archive claims to hold, in bytes; ``problem`` is (code, words) for what is no plain file."""

    name: str
    size: int
    problem: tuple[str, str] | None = None
    folder: bool = False


def unpack_archive(source: Path, into: Path, cap: int) -> Path:
    """Unpack ``source`` into the new folder ``into``. Raises :class:`Refused` (``archive.*``, ``path.*``, ``limit.*``)."""
    into.mkdir(parents=True)
    with source.open("rb") as handle:
        head = handle.read(512)
    try:
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            _unzip(source, into, cap)
        elif head.startswith(b"\x1f\x8b"):
            plain = into.parent / f"{into.name}.tar"
            _gunzip(source, plain, cap)
            _untar(plain, into, cap)
            plain.unlink()
        else:
            _untar(source, into, cap)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise refuse("bundle.corrupt", f"The archive {source.name[:80]!a} is damaged or cut short ({error})") from error
    return into


def _judge(members: Sequence[Member], packed: int, cap: int) -> str:
    """Every rule that the headers decide. The one folder (with its slash) in which all members lie, or an empty text."""
    if len(members) > MEMBERS_CAP:
        raise refuse("limit.files", f"The archive holds more than {MEMBERS_CAP:,} files")
    seen: set[str] = set()
    shared = _shared_folder(members)
    for one in members:
        if one.folder and one.name.rstrip("/") != shared.rstrip("/"):
            raise refuse("archive.special_file", f"The archive's member {one.name[:80]!a} is a folder among others")
        if one.problem:
            raise refuse(one.problem[0], f"The archive's member {one.name[:80]!a} {one.problem[1]}")
        parts = re.split(r"[/\\]", one.name)
        if ".." in parts or one.name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", one.name):
            raise refuse("path.dotdot", f"The archive's member {one.name[:80]!a} leads out of it")
        worst = next(
            (
                found
                for found in judge_path(one.name.rstrip("/") if one.folder else one.name)
                if found.verdict is Verdict.REJECT
            ),
            None,
        )
        if worst:
            raise refuse(worst.code, f"An archive's member is not allowed: {worst.message}")
        if not one.folder and not PLAIN.match(one.name.removeprefix(shared)):
            raise refuse(
                "path.payload",
                f"The archive's member {one.name[:80]!a} is not a plain file name; it is to hold a bundle or patches, not a tree of files",
            )
        key = collision_key(one.name)
        if key in seen:
            raise refuse("archive.duplicate_name", f"The archive holds {one.name!a} twice")
        seen.add(key)
    total = sum(one.size for one in members)
    if total > cap or (total > _RATIO_FROM and total > _RATIO_CAP * max(packed, 1)):
        raise refuse("limit.expanded", f"The archive of {packed:,} bytes unpacks to {total:,}")
    return shared


def _shared_folder(members: Sequence[Member]) -> str:
    """Who packs a folder packs its name too: that one is taken off, when everything lies in it."""
    first = {one.name.partition("/")[0] if "/" in one.name or one.folder else "" for one in members}
    name = first.pop() if len(first) == 1 else ""
    return f"{name}/" if PLAIN.match(name) else ""


def _unzip(source: Path, into: Path, cap: int) -> None:
    size = source.stat().st_size
    if _declared_entries(source, size) > MEMBERS_CAP:
        raise refuse("limit.files", f"The archive holds more than {MEMBERS_CAP:,} files")
    with zipfile.ZipFile(source) as archive:
        listed = archive.infolist()
        shared = _judge([_zip_member(one) for one in listed], size, cap)
        ends = sorted((one.header_offset, one.header_offset + 30 + one.compress_size) for one in listed)
        overlap = any(after[0] < before[1] for before, after in itertools.pairwise(ends))
        if overlap or (ends and (ends[0][0] != 0 or ends[-1][1] > size)):
            raise refuse("archive.overlap", "Members of the archive share their bytes, or something precedes them")
        for one in (one for one in listed if not one.is_dir()):
            with archive.open(one) as stream:
                _copy(stream, into / one.filename.removeprefix(shared), one.file_size)


def _declared_entries(source: Path, size: int) -> int:
    """How many members the end of a zip file claims, before a list of them is made."""
    with source.open("rb") as handle:
        handle.seek(max(0, size - 66_000))
        tail = handle.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        raise refuse("bundle.corrupt", "The archive is cut short: its list of members is missing")
    if at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") != len(tail):
        raise refuse("bundle.corrupt", "Bytes follow the end of the archive")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > 1 << 20:
        raise refuse("limit.files", "The archive's list of members is larger than 1 MiB")
    return int.from_bytes(tail[at + 10 : at + 12], "little")


def _zip_member(one: zipfile.ZipInfo) -> Member:
    kind = one.external_attr >> 16
    problem = None
    if one.flag_bits & 1:
        problem = ("archive.encrypted", "is encrypted")
    elif stat.S_ISLNK(kind):
        problem = ("symlink.escapes", "is a link")
    elif one.is_dir() and one.file_size == 0 and stat.S_IFMT(kind) in (0, stat.S_IFDIR):
        return Member(one.orig_filename, 0, None, True)
    elif stat.S_IFMT(kind) not in (0, stat.S_IFREG) or one.is_dir():
        problem = ("archive.special_file", "is not a plain file")
    elif one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = ("archive.method", "is packed in a way that is not read here")
    if one.orig_filename != one.filename:  # a NUL ends the name for some readers only
        problem = ("archive.special_file", "has two names")
    return Member(one.orig_filename, one.file_size, problem)


def _copy(stream: IO[bytes], path: Path, size: int) -> None:
    """Write exactly ``size`` bytes; a stream that holds another number of them is damaged."""
    left = size
    with path.open("xb") as out:
        while left:
            chunk = stream.read(min(left, _CHUNK))
            if not chunk:
                raise EOFError("unexpected end of data")
            out.write(chunk)
            left -= len(chunk)
    if stream.read(1):
        raise refuse("limit.expanded", "A member of the archive holds more than its header says")


def _gunzip(source: Path, path: Path, cap: int) -> None:
    """Unpack one gzip stream with nothing after it, under ``cap`` bytes and the ratio that archives may have."""
    packed = source.stat().st_size
    most = min(cap, max(_RATIO_FROM, _RATIO_CAP * packed))
    stream = zlib.decompressobj(wbits=31)
    made = 0
    with source.open("rb") as handle, path.open("xb") as out:
        while not stream.eof:
            piece = stream.unconsumed_tail or handle.read(_CHUNK)
            data = stream.decompress(piece, _CHUNK)
            if not piece and not data:
                raise EOFError("unexpected end of data")
            made += len(data)
            if made > most:
                raise refuse("limit.expanded", f"The archive of {packed:,} bytes unpacks to more than {most:,}")
            out.write(data)
        if stream.unused_data.strip(b"\0") or handle.read(_CHUNK).strip(b"\0"):
            raise refuse("bundle.corrupt", "Bytes follow the end of the archive")


def _untar(source: Path, into: Path, cap: int) -> None:
    _walk_headers(source)
    with tarfile.open(source, mode="r:") as tar:
        found = []
        for member in tar:
            if member.isdir() and member.name in (".", "./"):
                continue
            found.append(member)
            if len(found) > MEMBERS_CAP:
                raise refuse("limit.files", f"The archive holds more than {MEMBERS_CAP:,} files")
        # a tar packs nothing: its own size is the measure, and a member cannot be larger than the file
        shared = _judge([_tar_member(one) for one in found], max(source.stat().st_size, 1), cap)
        for member in (one for one in found if not one.isdir()):
            stream = tar.extractfile(member)
            assert stream is not None  # noqa: S101 - a regular file, judged above
            _copy(stream, into / member.name.removeprefix("./").removeprefix(shared), member.size)


def _walk_headers(source: Path) -> None:
    """Refuse extension headers that a reader would have to hold whole, before a reader holds them."""
    size = source.stat().st_size
    with source.open("rb") as handle:
        at = number = 0
        while at + 512 <= size and number <= 3 * MEMBERS_CAP:
            handle.seek(at)
            block = handle.read(512)
            if not block.strip(b"\0"):
                return
            try:
                length = tarfile.nti(block[124:136])  # type: ignore[attr-defined]
            except tarfile.HeaderError as error:
                raise refuse("bundle.corrupt", "The archive is damaged: a header is not well formed") from error
            if length < 0 or (block[156:157] in b"xgXLKS" and length > _EXTENSION_CAP):
                raise refuse("limit.expanded", f"The archive has an extension header of {length:,} bytes")
            if block[156:157] in b"0\x007xgXLKS":
                at += (length + 511) // 512 * 512
            at += 512
            number += 1
        if number > 3 * MEMBERS_CAP:
            raise refuse("limit.files", f"The archive holds more than {MEMBERS_CAP:,} files")


def _tar_member(one: tarfile.TarInfo) -> Member:
    name = one.name.removeprefix("./")
    problem = None
    if one.issym():
        problem = ("symlink.escapes", "is a link")
    elif one.isdir():
        return Member(name.rstrip("/"), 0, None, True)
    elif not one.isreg() or one.issparse():
        problem = ("archive.special_file", "is not a plain file")
    return Member(name, one.size, problem)


def refuse_nested(path: Path) -> Refused:
    """The problem for an archive inside an archive."""
    return refuse("archive.nested", f"{path.name[:80]!a} is an archive inside an archive")
