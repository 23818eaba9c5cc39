"""What people hand over: a manifest with its payloads, a folder, a ``.tar``, a plain ``git bundle``; seen by content."""

from __future__ import annotations

import hashlib
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ecluse.errors import Invalid, Problem, Refused, Unsupported
from ecluse.files import read_capped, storage_problem
from ecluse.intake import bundlefile, manifest, strictjson, textchunks
from ecluse.intake.manifest import Manifest

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")
_TAR_MEMBERS = 12
_GIVE = "give what `ecluse export` wrote (its .json beside the payloads, or the .tar), or a plain `git bundle` file"


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of one bundle, at hand in ``folder``. ``manifest`` is empty for a plain git bundle.

    ``digest`` names the content: SHA-256 over the names and digests of manifest and payloads, never the signature.
    """

    folder: Path
    manifest: str
    payloads: tuple[str, ...]
    signature: str
    size: int
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every file of the parcel."""
        return tuple(name for name in (self.manifest, *self.payloads, self.signature) if name)


def find_source(name: Path, patches: Path | None) -> Path:
    """``name`` as it is, else as a bare name in ``.sync/patches/``. Raises :class:`Invalid` when there is no such file."""
    if name.exists():
        return name
    if patches is not None and name.name == str(name):
        for candidate in (name.name, f"{name.name}.json", f"sync_cloud_{name.name}.json", f"{name.name}.tar"):
            if (patches / candidate).is_file():
                return patches / candidate
    where = f" (nor in {patches})" if patches is not None and name.name == str(name) else ""
    raise Invalid("file.missing", f"There is no file {name}{where}.", "check the name with: ls")


def open_parcel(source: Path, scratch: Path, cap: int) -> Parcel:
    """Find the files that belong together. A tar is unpacked into ``scratch``; anything else stays where it is.

    Raises :class:`Invalid`, :class:`Refused` or :class:`Unsupported` for what is not one bundle.
    """
    try:
        if source.is_dir():
            return _from_folder(source, cap)
        with source.open("rb") as handle:
            head = handle.read(512)
        if source.stat().st_size > cap:
            raise Refused("limit.bundle_size", f"{source} has more than {cap:,} bytes.", "export in smaller steps")
    except OSError as error:
        raise storage_problem(error, source) from error
    return _by_content(source, head, scratch, cap)


def _by_content(source: Path, head: bytes, scratch: Path, cap: int) -> Parcel:
    if not head:
        raise Refused("bundle.empty", f"{source} is empty.", "carry it over again: it did not arrive whole")
    if head.startswith(bundlefile.MAGIC):
        beside = source.with_suffix(".json")
        return _from_manifest(beside, cap) if beside.is_file() else _parcel(source.parent, "", (source.name,), "")
    if head[257:262] == b"ustar":
        return _from_folder(_untar(source, scratch, cap), cap)
    if head.lstrip()[:1] == b"{" or source.suffix == ".json":
        return _from_manifest(source, cap)
    if textchunks.looks_like_chunks(read_capped(source, cap)):
        return _from_text(source, scratch, cap)
    kinds = (
        (b"From ", "a mail box of patches"),
        (b"diff --git ", "a patch"),
        (b"--- ", "a patch"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "a compressed archive"),
        (b"[", "a list of edits"),
    )
    for start, what in kinds:
        if head.lstrip().startswith(start):
            raise Unsupported("intake.format", f"{source} is {what}, which this version does not take in.", _GIVE)
    raise Invalid("intake.unknown", f"{source} is nothing that Écluse knows, or it was damaged on the way.", _GIVE)


def _from_text(source: Path, scratch: Path, cap: int) -> Parcel:
    """The bundle that numbered text chunks make together, as if it had come as one file."""
    joined = scratch / "joined.tar"
    joined.write_bytes(textchunks.read_chunks(read_capped(source, cap * 2)))
    if textchunks.looks_like_chunks(_head(joined)):
        raise Refused("text.nested", "The text chunks hold text chunks again.", _GIVE)
    return open_parcel(joined, scratch, cap)


def _from_folder(folder: Path, cap: int) -> Parcel:
    every = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for suffix in (".json", ".bundle", ".tar"):
        found = [path for path in every if path.suffix == suffix]
        if suffix == ".json" and len(found) > 1:
            found = [path for path in found if path.name.startswith("sync_cloud_")] or found
        if len(found) > 1:
            names = ", ".join(path.name for path in found[:5])
            raise Invalid("intake.ambiguous", f"{folder} holds several bundles: {names}.", f"ecluse import {found[-1]}")
        if found:
            return (
                open_parcel(found[0], folder, cap)
                if suffix == ".tar"
                else _by_content(found[0], _head(found[0]), folder, cap)
            )
    raise Invalid("intake.none", f"There is no bundle in the folder {folder}.", _GIVE)


def _head(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(512)


def _from_manifest(path: Path, cap: int) -> Parcel:
    said = read_claims(path)
    if isinstance(said, Manifest):
        names = [one.name for one in said.payloads if (path.parent / one.name).is_file()]
        if not names:
            wanted = ", ".join(one.name for one in said.payloads)
            raise Invalid(
                "bundle.payload_missing",
                f"{path.name} is there, its payload is not: {wanted}.",
                f"carry {wanted} over too, beside it",
            )
    else:  # unreadable: it is kept as evidence with what lies beside it, and refused when it is judged
        beside = (path.with_suffix(suffix) for suffix in (".bundle", ".patch"))
        names = [one.name for one in beside if one.is_file()]
    if sum((path.parent / name).stat().st_size for name in names) > cap:
        raise Refused(
            "limit.bundle_size", f"{path} and its payloads have more than {cap:,} bytes.", "export in smaller steps"
        )
    signature = f"{path.name}.sig" if (path.parent / f"{path.name}.sig").is_file() else ""
    return _parcel(path.parent, path.name, tuple(names), signature)


def read_claims(path: Path) -> Manifest | Problem:
    """What the manifest at ``path`` says, or why it cannot be read; never raises for its content."""
    try:
        return manifest.read(read_capped(path, strictjson.MAX_BYTES))
    except Refused as problem:
        return problem
    except Invalid as problem:
        return strictjson.refused("meta.size", problem.message) if problem.code == "file.too_large" else problem


def _parcel(folder: Path, name: str, payloads: tuple[str, ...], signature: str) -> Parcel:
    lines, size = [], 0
    for one in (name, *payloads):
        if one:
            digest, length = hash_file(folder / one)
            role = "manifest" if one == name else "bundle" if not name else one
            lines.append(f"{role} {digest}\n")
            size += length
    return Parcel(folder, name, payloads, signature, size, hashlib.sha256("".join(lines).encode()).hexdigest())


def reopen_parcel(folder: Path, names: dict[str, object]) -> Parcel:
    """The parcel that the inbox keeps in ``folder``."""
    listed = names["payloads"]
    assert isinstance(listed, list)  # noqa: S101 - written by the inbox itself
    return _parcel(folder, str(names["manifest"]), tuple(map(str, listed)), str(names["signature"]))


def replace_folder(parcel: Parcel, folder: Path) -> Parcel:
    """The same parcel as it lies in another folder, its digest taken from the files there."""
    return _parcel(folder, parcel.manifest, parcel.payloads, parcel.signature)


def hash_file(path: Path) -> tuple[str, int]:
    """(SHA-256, size in bytes) of a file, without holding it."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise storage_problem(error, path) from error
    return digest.hexdigest(), size


def _untar(source: Path, scratch: Path, cap: int) -> Path:
    """Unpack a tar of plain files, judging every member before a byte of it is written."""
    into = scratch / "unpacked"
    into.mkdir()
    total = 0
    try:
        with tarfile.open(source, mode="r:") as tar:
            for number, member in enumerate(tar):
                if member.isdir() and member.name in (".", "./"):
                    continue
                name = member.name.removeprefix("./")
                if ".." in name.split("/") or name.startswith("/"):
                    raise bundlefile.refuse("path.dotdot", f"The archive's member {name[:80]!a} leads out of it")
                if not member.isreg() or member.issparse():
                    raise bundlefile.refuse(
                        "archive.special_file", f"The archive's member {name[:80]!a} is not a plain file"
                    )
                if not _PLAIN.match(name):
                    raise bundlefile.refuse(
                        "path.payload", f"The archive's member {name[:80]!a} is not a plain file name"
                    )
                total += member.size
                if number >= _TAR_MEMBERS or total > cap:
                    raise bundlefile.refuse(
                        "limit.bundle_size",
                        f"The archive holds too much (the cap is {_TAR_MEMBERS} files, {cap:,} bytes)",
                    )
                if (into / name).exists():
                    raise bundlefile.refuse("archive.duplicate_name", f"The archive holds {name} twice")
                _write_member(tar, member, into / name)
    except (tarfile.TarError, EOFError) as error:
        raise bundlefile.refuse("bundle.corrupt", f"{source} is damaged or cut short ({error})") from error
    return into


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    stream = tar.extractfile(member)
    assert stream is not None  # noqa: S101 - a regular file, checked by the caller
    left = member.size
    with path.open("wb") as out:
        while left:
            chunk = stream.read(min(left, 1 << 20))
            if not chunk:
                raise tarfile.ReadError("unexpected end of data")
            out.write(chunk)
            left -= len(chunk)
