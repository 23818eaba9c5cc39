"""Packs as files: which objects one holds, and moving one whole from a repository that is thrown away.

A pack that ``git index-pack --strict`` has checked against a repository's objects may be taken into it as it is, the
way git itself does after a push. Whoever moves it must know of every object in it, so that nothing unseen comes along.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ecluse.files import storage_problem, sync_folder
from ecluse.git.repository import Repository

_INDEX_HEAD = b"\xfftOc\x00\x00\x00\x02"
_FAN_OUT = 8 + 4 * 256
_INDEX_CAP = 64 << 20


def only_pack(repository: Repository) -> Path | None:
    """The index of the one pack that a repository holds; ``None`` when it holds none, or several."""
    found = list((repository.common_dir / "objects" / "pack").glob("*.idx"))
    return found[0] if len(found) == 1 else None


def pack_ids(index: Path) -> set[str] | None:
    """The ids of every object in a pack; ``None`` for an index of another version than git writes today."""
    if index.stat().st_size > _INDEX_CAP:
        return None
    data = index.read_bytes()
    if not data.startswith(_INDEX_HEAD) or len(data) < _FAN_OUT:
        return None
    count = int.from_bytes(data[_FAN_OUT - 4 : _FAN_OUT], "big")
    ids = data[_FAN_OUT : _FAN_OUT + 20 * count].hex()
    return {ids[at : at + 40] for at in range(0, len(ids), 40)} if len(ids) == 40 * count else None


def take_pack(repository: Repository, room: Repository, known: Callable[[set[str]], bool]) -> bool:
    """Take the one pack of ``room`` into ``repository`` when ``known`` holds for the ids of its objects.

    The pack comes before its index, so that a reader, or a sudden death, sees all of it or nothing. Returns whether it
    was taken. Raises :class:`ecluse.errors.Failed` when the disk is full or may not be written.
    """
    index = only_pack(room)
    ids = pack_ids(index) if index is not None else None
    if index is None or ids is None or not known(ids):
        return False
    folder = repository.common_dir / "objects" / "pack"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in (".pack", ".rev", ".idx"):
            part = index.with_suffix(suffix)
            if part.exists():
                _place(part, folder)
        sync_folder(folder)
    except OSError as error:
        raise storage_problem(error, folder) from error
    return True


def adopt(repository: Repository, other: Repository, new: str, have: Sequence[str]) -> None:
    """Copy the objects that ``new`` needs beyond ``have`` from ``other`` into ``repository``, checked, and no others."""
    wanted = "".join(f"{oid}\n" for oid in [new, *(f"^{oid}" for oid in have)])
    with tempfile.TemporaryFile() as pack:
        words = ("pack-objects", "--stdout", "--revs", "--thin", "-q")
        other.run(*words, stdin=wanted.encode("ascii"), stdout=pack)
        pack.seek(0)
        repository.run("index-pack", "--stdin", "--strict", "--fix-thin", stdin=pack)


def write_bundle(room: Repository, path: Path, name: str, tip: str, base: str) -> None:
    """Write a bundle of ``tip`` without what ``base`` has (empty: all of it) as the ref ``name`` of a throw-away repository."""
    ref = room.git_dir / name
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(f"{tip}\n", "ascii")  # nobody else is at work in there
    # More threads find the same deltas with more work; the other cores have the patch and the commits to see to.
    threads = f"pack.threads={max(1, (os.cpu_count() or 2) // 2)}"
    since = [f"^{base}"] if base else []
    room.run("-c", threads, "bundle", "create", "-q", "--version=2", str(path), *since, name)


def _place(part: Path, folder: Path) -> None:
    final = folder / part.name
    if final.exists():
        return  # the name is the digest of the content
    aside = folder / f"tmp_{part.name}_{os.getpid()}"  # git removes what is called so when it is old
    try:
        shutil.copyfile(part, aside)
        with aside.open("r+b") as handle:
            os.fsync(handle.fileno())
        aside.chmod(0o444)
        aside.rename(final)
    finally:
        aside.unlink(missing_ok=True)
