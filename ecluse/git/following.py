"""The files of a checkout that follow when the branch under them moves, and the user's work in them, which stays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ecluse.errors import Waits
from ecluse.git.nouns import ChangedPath
from ecluse.git.repository import Repository


def overlapping(checkout: Repository, old: str, new: str) -> tuple[str, ...]:
    """Paths of the work tree with work of the user's that moving from ``old`` to ``new`` would touch.

    A path that already has the content it is to get does not count.
    """
    coming = {change.path: change for change in checkout.changed_paths(old, new)}
    folders = {str(parent) for path in coming for parent in Path(path).parents}
    mine = [entry.path for entry in checkout.status()]
    clashing = [p for p in mine if p in coming or p in folders or any(str(f) in coming for f in Path(p).parents)]
    same = holding(checkout, [coming[p] for p in clashing if p in coming])
    return tuple(p for p in clashing if p not in same)


def follow(checkout: Repository, old: str, new: str) -> None:
    """Bring index and files from ``old`` to ``new``, keeping uncommitted work in other paths.

    Safe to repeat, also after a death half way: paths that already hold what they are to hold are taken as
    they are. Raises :class:`Waits` when git would have to overwrite uncommitted work.
    """
    coming = checkout.changed_paths(old, new)
    there = holding(checkout, coming)
    lines = [f"{c.new_mode.replace('000000', '0')} {c.new_id}\t{c.path}\0" for c in coming if c.path in there]
    if lines:
        checkout.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)))
    checkout.run("update-index", "-q", "--refresh", check=False)
    moved = checkout.run("read-tree", "-m", "-u", old, new, check=False)
    if moved.code:
        said = moved.stderr.decode("utf-8", "replace").strip()
        raise Waits(
            "checkout.blocked",
            f"The checkout cannot follow to {new[:12]}: {said}",
            "put your work aside with git stash, then type: ecluse status",
        )


def holding(checkout: Repository, changes: Sequence[ChangedPath]) -> set[str]:
    """The paths whose file in the work tree has exactly the content and mode that ``changes`` bring."""
    top = checkout.work_tree
    if top is None:
        return set()
    links = {c.path for c in changes if c.new_mode == "120000" and (top / c.path).is_symlink()}
    plain = [
        c
        for c in changes
        if c.new_mode.startswith("100") and (top / c.path).is_file() and not (top / c.path).is_symlink()
    ]
    plain = [
        c
        for c in plain
        if "\n" not in c.path
        and bool((top / c.path).stat().st_mode & 0o100) == (c.new_mode == "100755" or os.name == "nt")
    ]
    names = os.fsencode("".join(f"{c.path}\n" for c in plain))
    hashed = checkout.run("hash-object", "--stdin-paths", stdin=names).stdout if plain else b""
    same = {c.path for c in changes if c.status == "D" and not os.path.lexists(top / c.path)}
    same |= {c.path for c, oid in zip(plain, hashed.decode("ascii").split(), strict=True) if oid == c.new_id}
    same |= {
        c.path for c in changes if c.path in links and os.fsencode((top / c.path).readlink()) == checkout.blob(c.new_id)
    }
    return same
