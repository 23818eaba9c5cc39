"""Putting an export where it was asked for: written aside, renamed into place, the manifest last."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ecluse import signing
from ecluse.clock import now
from ecluse.documents.session import NAMES as DOCUMENTS
from ecluse.errors import Invalid
from ecluse.files import remove_stale, storage_problem, sync_folder, sync_room
from ecluse.git import Repository
from ecluse.intake.manifest import Manifest, Payload


def default_folder(repository: Repository) -> Path:
    """``patches`` in ``.sync`` of the work tree, or in the folder that ``SYNC_DIR`` names instead.

    Raises :class:`Invalid` for a bare repository, which has none.
    """
    if repository.work_tree is None:
        raise Invalid("export.bare", "This repository has no work tree to export from.", "ecluse export -C A_CHECKOUT")
    return sync_room(repository.work_tree) / "patches"


SUFFIXES = ("bundle", "patch", "json", "json.sig", "txt", *(f"{name}.md" for name in DOCUMENTS))
"""What the files of an export end in; the manifest (``json``) is what makes it exist."""


def name_of(stamp: str, suffix: str) -> str:
    """The name of the file of the export of ``stamp`` with this suffix."""
    if suffix.endswith(".md"):
        return f"{suffix.removesuffix('.md')}_{stamp}.md"
    return f"INSTRUCTIONS_{stamp}.txt" if suffix == "txt" else f"sync_cloud_{stamp}.{suffix}"


def names_of(stamp: str) -> list[str]:
    """The names of every file that the export of ``stamp`` may have."""
    return [name_of(stamp, suffix) for suffix in SUFFIXES]


class Publication:
    """The files of one export on their way. ``stamp`` is the local time in the names, made unique in the folder."""

    def __init__(self, target: Path) -> None:
        self.is_tar = target.suffix == ".tar"
        self.target = target
        self.folder = target.parent if self.is_tar else target
        self.stamp = ""
        self._aside = Path()
        self._claim: Path | None = None

    def __enter__(self) -> Publication:
        _refuse_file(self.target)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_stale(self.folder, ".export-")
            self._aside = Path(tempfile.mkdtemp(prefix=".export-", dir=self.folder))
            self.stamp = self._claim_stamp()
        except OSError as error:
            raise storage_problem(error, self.folder) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)
        claim = self._claim
        if kind is not None and claim is not None and claim.exists() and claim.stat().st_size == 0:
            claim.unlink()

    def _claim_stamp(self) -> str:
        """A stamp that no other export has: the bundle's name is taken at once by making an empty file of it."""
        base = now().astimezone().strftime("%Y%m%d_%H%M%S")
        if self.is_tar:
            return base
        for number in range(1, 10_000):
            stamp = base if number == 1 else f"{base}_{number}"
            claim = self.folder / f"sync_cloud_{stamp}.bundle"
            try:
                os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            except FileExistsError:
                continue
            self._claim = claim
            return stamp
        raise Invalid("export.to", f"{self.folder} is full of exports of this second.", "ecluse export --to FOLDER")

    def name(self, suffix: str) -> str:
        """The final name of the file with this suffix (one of :data:`SUFFIXES`)."""
        return name_of(self.stamp, suffix)

    def file(self, suffix: str) -> Path:
        """Where to write that file for now."""
        return self._aside / self.name(suffix)

    def take(self, suffix: str, made: Path) -> Path:
        """Take a file that was made elsewhere; where it is now."""
        path = self.file(suffix)
        try:
            shutil.move(made, path)
        except OSError as error:
            raise storage_problem(error, path) from error
        return path

    def write(self, suffix: str, data: bytes) -> None:
        """Write a file that :meth:`place` makes durable."""
        path = self.file(suffix)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise storage_problem(error, path) from error

    def place(self, suffixes: list[str]) -> Path:
        """Move the files into place in this order; the last one is what makes the export exist."""
        try:
            if self.is_tar:
                return self._place_tar(suffixes)
            for suffix in suffixes:  # all of them before the first is moved: the disk writes them together
                if not suffix.endswith((".md", "txt")):  # pages for people: nothing that is checked rests on them
                    with self.file(suffix).open("rb+") as handle:  # Windows syncs only what may be written
                        os.fsync(handle.fileno())
            for suffix in suffixes:
                path = self.file(suffix)
                path.replace(self.folder / path.name)
            sync_folder(self.folder)
        except OSError as error:
            raise storage_problem(error, self.folder) from error
        return self.folder / self.name(suffixes[-1])

    def _place_tar(self, suffixes: list[str]) -> Path:
        import tarfile

        aside = self._aside / "whole"
        with aside.open("wb") as handle:
            with tarfile.open(fileobj=handle, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for suffix in reversed(suffixes):  # the manifest first: a reader of a stream meets it first
                    path = self.file(suffix)
                    info = tarfile.TarInfo(path.name)
                    info.size, info.mode, info.mtime = path.stat().st_size, 0o644, int(now().timestamp())
                    with path.open("rb") as member:
                        tar.addfile(info, member)
            handle.flush()
            os.fsync(handle.fileno())
        aside.replace(self.target)
        sync_folder(self.folder)
        return self.target


_FILES = (".gz", ".tgz", ".zip", ".xz", ".bz2", ".json", ".bundle", ".patch", ".txt")


def _refuse_file(target: Path) -> None:
    """Refuse what is a file already, or by its name is meant to be one that an export is not."""
    hint = "ecluse export --to FOLDER (or --to FILE.tar)"
    if target.suffix == ".tar" or target.is_dir():
        return
    if target.exists():
        raise Invalid("export.to", f"{target} is a file.", hint)
    if target.suffix.lower() in _FILES:
        raise Invalid("export.to", f"An export is a folder or one file that ends in .tar, not {target.name}.", hint)


def make_payload(kind: str, path: Path, publication: Publication) -> Payload:
    """Describe a payload file: name, digest and size."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return Payload(kind, path.name, digest.hexdigest(), path.stat().st_size)


def publish(
    publication: Publication, manifest: Manifest, data: bytes, key: Path | None, documents: Mapping[str, str]
) -> Path:
    """Write manifest, signature (with ``key``), instructions and documents, and move everything into place."""
    publication.write("json", data)
    order = [payload.kind for payload in manifest.payloads]
    if key is not None:
        signature = signing.sign(data, key, signing.BUNDLE)
        publication.write("json.sig", signature.encode("ascii"))
        order.append("json.sig")
    text = instructions(publication, manifest, data, signed=key is not None)
    publication.write("txt", text.encode("utf-8"))
    for name, page in documents.items():
        publication.write(f"{name}.md", page.encode("utf-8"))
    return publication.place([*order, *(f"{name}.md" for name in documents), "txt", "json"])


def instructions(publication: Publication, manifest: Manifest, data: bytes, *, signed: bool) -> str:
    """What a person who carries the files must know: which ones, their digests, and the command at the other end."""
    out = io.StringIO()
    what = publication.target.name if publication.is_tar else publication.name("json")
    out.write(f"Change {manifest.id}, revision {manifest.revision}: {manifest.title}\n")
    out.write(f"by {manifest.agent.name}, {len(manifest.files)} files, exported {publication.stamp}\n\n")
    out.write("1. Carry these files together:\n")
    rows = [(publication.name("json"), hashlib.sha256(data).hexdigest(), len(data))]
    rows += [(payload.name, payload.sha256, payload.size) for payload in manifest.payloads]
    for name, digest, size in rows:
        out.write(f"   {name}  {size} bytes\n     sha256 {digest}\n")
    if signed:
        out.write(f"   {publication.name('json.sig')}  (signature of the manifest)\n")
    out.write(f"\n2. In the repository that receives it, type:\n   ecluse import {what} --land\n")
    bundle = manifest.payload("bundle")
    if bundle:
        out.write("\nWithout Ecluse, with plain git (you judge it yourself):\n")
        if publication.is_tar:
            out.write(f"   tar xf {what}\n")
        ref = f"incoming/{manifest.id}"
        out.write(f"   git bundle verify {bundle.name}\n   git fetch {bundle.name} +refs/heads/change:{ref}\n")
        out.write(f"   git log -p {manifest.base + '..' if manifest.base else ''}{ref}\n   git merge {ref}\n")
    if manifest.not_carried:
        out.write("\nNot carried:\n")
        for one in manifest.not_carried:
            out.write(f"   {one['path']}  ({one['reason']})\n")
    if manifest.note:
        out.write(f"\nNote:\n{manifest.note}\n")
    return out.getvalue()
