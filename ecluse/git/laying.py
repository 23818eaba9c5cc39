"""Files of a checkout brought from one tree to another as uncommitted changes: HEAD, refs and staged work stay as they are.

Nothing that is not exactly what it is expected to be is overwritten: not what a person changed, not untracked files,
and not ignored ones either.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ecluse.git.following import follow, holding, overlapping
from ecluse.git.nouns import ChangedPath
from ecluse.git.repository import Repository


def in_the_way(checkout: Repository, head: str, tree: str) -> tuple[str, ...]:
    """What of the checkout would be overwritten if the changes from ``head`` to ``tree`` were laid into it."""
    top = checkout.work_tree
    if top is None:
        return ()
    coming = checkout.changed_paths(head, tree)
    there = holding(checkout, coming)
    leaving = {one.path for one in coming if one.status == "D"}
    found = list(overlapping(checkout, head, tree))
    for one in coming:
        if one.path in there or one.status == "D":
            continue
        if one.status == "A" and _is_taken(top, one.path, leaving):
            found.append(one.path)
        above = (str(folder) for folder in list(Path(one.path).parents)[:-1])
        found += [name for name in above if name not in leaving and _is_no_folder(top / name)]
    return tuple(dict.fromkeys(found))


def _is_taken(top: Path, path: str, leaving: set[str]) -> bool:
    """Whether a new file would replace something there that the same change does not take away."""
    place = top / path
    if not os.path.lexists(place) or _is_no_folder(place):
        return os.path.lexists(place)
    below = (Path(folder, name).relative_to(top).as_posix() for folder, _, names in os.walk(place) for name in names)
    return any(name not in leaving for name in below)


def _is_no_folder(place: Path) -> bool:
    return os.path.lexists(place) and (place.is_symlink() or not place.is_dir())


def lay(checkout: Repository, head: str, tree: str) -> None:
    """Bring the files from ``head`` to ``tree`` and leave the index at ``head``; safe to repeat after a death half way.

    Ask :func:`in_the_way` first. Raises :class:`ecluse.errors.Waits` where git would have to overwrite something.
    """
    coming = checkout.changed_paths(head, tree)
    follow(checkout, head, tree)
    _index(checkout, [(one.old_mode, one.old_id, one.path) for one in coming])


def take_up(checkout: Repository, head: str, tree: str) -> None:
    """Bring files that hold what ``tree`` laid down back to ``head``; those that do already stay.

    The caller knows that every changed path is in one of the two states. Raises like :func:`lay`.
    """
    coming = checkout.changed_paths(head, tree)
    there = holding(checkout, coming)
    lying = [one for one in coming if one.path in there]
    _index(checkout, [(one.new_mode, one.new_id, one.path) for one in lying])
    follow(checkout, tree, head)


def entries_of(checkout: Repository) -> dict[str, str]:
    """Path -> blob of everything in the index."""
    listed = os.fsdecode(checkout.run("ls-files", "-s", "-z").stdout)
    rows = (line.partition("\t") for line in listed.split("\0") if line)
    return {path: facts.split(" ")[1] for facts, _, path in rows}


def _index(checkout: Repository, rows: Sequence[tuple[str, str, str]]) -> None:
    """Put these entries (mode, blob, path) into the index; a mode of zeros takes the path out."""
    gone = [f"0 {'0' * 40}\t{path}\0" for mode, _, path in rows if not mode.strip("0")]
    kept = [f"{mode} {oid}\t{path}\0" for mode, oid, path in rows if mode.strip("0")]
    if gone or kept:
        checkout.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join([*gone, *kept])))
        checkout.run("update-index", "-q", "--refresh", check=False)


def state_of(checkout: Repository, changes: Sequence[ChangedPath]) -> dict[str, str]:
    """Path -> ``new`` (holds what the changes brought), ``old`` (what was before them) or ``other``, also where staged."""
    new = holding(checkout, changes)
    back = [
        ChangedPath({"A": "D", "D": "A"}.get(c.status, c.status), c.new_mode, c.old_mode, c.new_id, c.old_id, c.path)
        for c in changes
    ]
    old = holding(checkout, back)
    staged = entries_of(checkout)
    odd = {c.path for c in changes if staged.get(c.path, "0" * 40) not in (c.old_id, c.new_id)}
    known = {c.path: "new" if c.path in new else "old" if c.path in old else "other" for c in changes}
    return {path: "other" if path in odd else state for path, state in known.items()}
