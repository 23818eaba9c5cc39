"""Trees made from other trees, without a work tree and without touching an index that is in use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ecluse.git.repository import Repository


def with_files(
    repository: Repository, tree: str, files: Mapping[str, bytes], modes: Mapping[str, str] | None = None
) -> str:
    """The id of a tree that is ``tree`` with these files (path to bytes) put in or replaced; mode 644 unless told."""
    entries = {}
    for path, data in files.items():
        oid = repository.run("hash-object", "-w", "--stdin", stdin=data).stdout.decode("ascii").strip()
        entries[path] = ((modes or {}).get(path, "100644"), oid)
    return with_entries(repository, tree, entries)


def with_entries(repository: Repository, tree: str, entries: Mapping[str, tuple[str, str]]) -> str:
    """The id of a tree that is ``tree`` with these entries (path to mode and blob); a mode of zeros takes the path out."""
    rows = ((mode if mode.strip("0") else "0", oid, path) for path, (mode, oid) in entries.items())
    lines = sorted(f"{mode} {oid}\t{path}\0" for mode, oid, path in rows)  # what goes makes room for what comes
    with tempfile.TemporaryDirectory(prefix="ecluse-index-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        repository.run("read-tree", tree, extra_env=env)
        repository.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)), extra_env=env)
        return repository.run("write-tree", extra_env=env).stdout.decode("ascii").strip()
