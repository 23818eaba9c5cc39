"""What people hand over: a manifest with its payloads, a folder, an archive, a bundle, patches, edits; seen by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Problem, Refused
from ecluse.files import read_capped, storage_problem
from ecluse.intake import bundlefile, manifest, strictjson, textchunks
from ecluse.intake.manifest import Manifest
from ecluse.intake.series import Form, form_of

PATCHES = (".patch", ".diff", ".mbox", ".eml")
_SERIES_CAP = 1_000
_GIVE = (
    "give what `ecluse export` wrote (its .json beside the payloads, or the .tar), a `git bundle`, a patch, a mail box "
    "of patches, a folder of *.patch files, or a JSON list of edits"
)


@dataclass(frozen=True, slots=True)
class Piped:
    """What came by standard input, in a temporary file: it has no name, and exists nowhere else."""

    path: Path


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of one change, at hand in ``folder``. ``manifest`` is empty for what comes without one.

    ``digest`` names the content: SHA-256 over the names and digests of manifest and payloads, never the signature.
    """

    folder: Path
    manifest: str
    payloads: tuple[str, ...]
    signature: str
    size: int
    digest: str
    digests: dict[str, tuple[str, int]]
    """SHA-256 and size in bytes of manifest and payloads, as they were when the parcel was opened."""

    ref: str = ""
    """The ref that somebody chose of a plain bundle of several. Another ref of the same file is another change."""

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
            return _from_folder(source, scratch, cap)
        with source.open("rb") as handle:
            head = handle.read(512)
        if source.stat().st_size > cap:
            raise Refused("limit.bundle_size", f"{source} has more than {cap:,} bytes.", "export in smaller steps")
    except OSError as error:
        raise storage_problem(error, source) from error
    return _by_content(source, head, scratch, cap)


def _by_content(source: Path, head: bytes, scratch: Path, cap: int) -> Parcel:
    if not head and source.suffix != ".json":
        raise Refused("bundle.empty", f"{source} is empty.", "carry it over again: it did not arrive whole")
    if head.startswith(bundlefile.MAGIC):
        beside = source.with_suffix(".json")
        return _from_manifest(beside, cap) if beside.is_file() else _parcel(source.parent, "", (source.name,), "")
    form = form_of(source)
    if form is Form.ARCHIVE:
        from ecluse.intake import archives  # loads two readers of archives, which most changes do not need

        folder = archives.unpack_archive(source, scratch / "unpacked", cap)
        return _from_folder(folder, scratch, cap, unpacked=True)
    if source.stat().st_size > textchunks.TEXT_CAP:  # never held: as a patch it is refused for its size later on
        if form is Form.UNKNOWN:
            raise Refused("text.too_large", f"{source} is a text of more than {textchunks.TEXT_CAP:,} bytes.", _GIVE)
    elif textchunks.looks_like_chunks(read_capped(source, textchunks.TEXT_CAP)):
        return _from_text(source, scratch, cap)
    if form is Form.PATCH and (owner := _manifest_of(source)):
        return _from_manifest(owner, cap)
    if form in (Form.EDITS, Form.MAIL, Form.PATCH) and head.lstrip()[:1] != b"{":
        return _parcel(source.parent, "", (source.name,), "")
    if head.lstrip()[:1] == b"{" or source.suffix == ".json":
        return _from_manifest(source, cap)
    raise Invalid("intake.unknown", f"{source} is nothing that Écluse knows, or it was damaged on the way.", _GIVE)


def _manifest_of(patch: Path) -> Path | None:
    """The manifest of ours beside a patch that it names: together they prove more than the patch alone."""
    beside = patch.with_suffix(".json")
    said = read_claims(beside) if beside.is_file() and not beside.is_symlink() else None
    named = isinstance(said, Manifest) and any(one.name == patch.name for one in said.payloads)
    return beside if named else None


def _from_text(source: Path, scratch: Path, cap: int) -> Parcel:
    """The bundle that numbered text chunks make together, as if it had come as one file."""
    joined = scratch / "joined.tar"
    joined.write_bytes(textchunks.read_chunks(read_capped(source, textchunks.TEXT_CAP)))
    if textchunks.looks_like_chunks(read_capped(joined, cap)):
        raise Refused("text.nested", "The text chunks hold text chunks again.", _GIVE)
    return open_parcel(joined, scratch, cap)


def _from_folder(folder: Path, scratch: Path, cap: int, *, unpacked: bool = False) -> Parcel:
    """The one change in a folder: its manifest, else its bundle, else its archive, else all its patches in order."""
    every = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for suffixes in ((".json",), (".bundle",), (".tar", ".zip", ".gz", ".tgz")):
        found = [path for path in every if path.suffix in suffixes]
        if suffixes == (".json",) and len(found) > 1:
            found = [path for path in found if path.name.startswith("sync_cloud_")] or found
        if suffixes == (".json",) and len(found) > 1:
            found = _naming_others(found) or found
        if len(found) > 1:
            names = ", ".join(path.name for path in found[:5])
            raise Invalid("intake.ambiguous", f"{folder} holds several bundles: {names}.", f"ecluse import {found[-1]}")
        if found and unpacked and form_of(found[0]) is Form.ARCHIVE:
            from ecluse.intake import archives

            raise archives.refuse_nested(found[0])
        if found:
            return open_parcel(found[0], scratch, cap)
    patches = [path for path in every if path.suffix in PATCHES]
    if len(patches) > _SERIES_CAP or sum(path.stat().st_size for path in patches) > cap:
        raise Refused("limit.bundle_size", f"The patches in {folder} are too many or too large.", "hand over fewer")
    if patches:
        return _parcel(folder, "", tuple(path.name for path in patches), "")
    raise Invalid("intake.none", f"There is no bundle and no patch in the folder {folder}.", _GIVE)


def _naming_others(found: list[Path]) -> list[Path]:
    """The one manifest of several JSON files, where it names the others as its payload."""
    for path in found:
        said = read_claims(path)
        if isinstance(said, Manifest) and {one.name for one in found} - {path.name} <= {
            one.name for one in said.payloads
        }:
            return [path]
    return []


def _from_manifest(path: Path, cap: int) -> Parcel:
    said = read_claims(path)
    if isinstance(said, Manifest):
        linked = next((one.name for one in said.payloads if (path.parent / one.name).is_symlink()), None)
        if linked:
            raise bundlefile.refuse("symlink.escapes", f"The payload {linked} is a link to somewhere else")
        names = [one.name for one in said.payloads if (path.parent / one.name).is_file()]
        if not names:
            wanted = ", ".join(one.name for one in said.payloads)
            raise Invalid(
                "bundle.payload_missing",
                f"{path.name} is there, its payload is not: {wanted}.",
                f"carry {wanted} over too, beside it",
            )
    elif old := _former_patch(path):
        return _parcel(path.parent, "", (old,), "")
    else:  # unreadable: it is kept as evidence with what lies beside it, and refused when it is judged
        beside = (path.with_suffix(suffix) for suffix in (".bundle", ".patch"))
        names = [one.name for one in beside if one.is_file()]
    if sum((path.parent / name).stat().st_size for name in names) > cap:
        raise Refused(
            "limit.bundle_size", f"{path} and its payloads have more than {cap:,} bytes.", "export in smaller steps"
        )
    signature = f"{path.name}.sig" if (path.parent / f"{path.name}.sig").is_file() else ""
    return _parcel(path.parent, path.name, tuple(names), signature)


def _former_patch(path: Path) -> str:
    """The patch that a JSON of the first specification names; such a pair proves nothing, so the patch counts alone."""
    try:
        said = strictjson.loads(read_capped(path, strictjson.MAX_BYTES))
    except (Refused, Invalid):
        return ""
    if not isinstance(said, dict) or "schema" in said or not isinstance(said.get("patch"), dict):
        return ""
    name = said["patch"].get("filename")
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(PATCHES):
        return ""
    file = path.parent / name
    return name if file.is_file() and not file.is_symlink() else ""


def read_claims(path: Path) -> Manifest | Problem:
    """What the manifest at ``path`` says, or why it cannot be read; never raises for its content."""
    try:
        return manifest.read(read_capped(path, strictjson.MAX_BYTES))
    except Refused as problem:
        return problem
    except Invalid as problem:
        return strictjson.refused("meta.size", problem.message) if problem.code == "file.too_large" else problem


def choose_ref(parcel: Parcel, asked: str) -> Parcel:
    """The parcel with its ref chosen, by a full or a short name. Raises :class:`Invalid` where there is no choice, and
    :class:`Refused` (``bundle.refs``) for a name that it does not have.
    """
    from ecluse.intake.bundlerefs import named_ref

    file = parcel.folder / parcel.payloads[0]
    if parcel.manifest or form_of(file) is not Form.BUNDLE:
        raise Invalid(
            "usage.flags", f"--ref chooses from a plain git bundle; {file.name} is none.", "leave --ref NAME out"
        )
    header = bundlefile.read_header(file)
    ref = named_ref(header, asked)
    return parcel if len(header.refs) == 1 else _parcel(parcel.folder, "", parcel.payloads, "", ref)


def _parcel(folder: Path, name: str, payloads: tuple[str, ...], signature: str, ref: str = "") -> Parcel:
    lines, size, digests = [], 0, {}
    for one in (name, *payloads):
        if one:
            digest, length = digests[one] = hash_file(folder / one)
            role = "manifest" if one == name else "bundle" if not name else one
            lines.append(f"{role} {digest}\n")
            size += length
    if ref:
        lines.append(f"ref {ref}\n")
    digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return Parcel(folder, name, payloads, signature, size, digest, digests, ref)


def reopen_parcel(folder: Path, names: dict[str, object]) -> Parcel:
    """The parcel that the inbox keeps in ``folder``."""
    listed = names["payloads"]
    assert isinstance(listed, list)  # noqa: S101 - written by the inbox itself
    ref = str(names.get("ref", ""))
    return _parcel(folder, str(names["manifest"]), tuple(map(str, listed)), str(names["signature"]), ref)


def replace_folder(parcel: Parcel, folder: Path) -> Parcel:
    """The same parcel as it lies in another folder, its digest taken from the files there."""
    return _parcel(folder, parcel.manifest, parcel.payloads, parcel.signature, parcel.ref)


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
