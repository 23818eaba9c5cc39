"""What git says, as values: people, commits, entries of trees and of the work tree, merges."""

from __future__ import annotations

from typing import NamedTuple

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ZERO = "0" * 40


class Identity(NamedTuple):
    """A name and a mail address as git writes them into a commit."""

    name: str
    email: str


def names_somebody(name: str) -> bool:
    """Whether git takes ``name`` for somebody's name: it is more than blanks and the marks that git cuts off."""
    return bool(name.strip("".join(map(chr, range(33))) + ".,:;<>\"\\'"))


FALLBACK_IDENTITY = Identity("Écluse", "ecluse@localhost")


class Commit(NamedTuple):
    """One commit's metadata. ``message`` is whole; ``when`` is ISO 8601 with the author's own offset."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Identity
    committer: Identity
    when: str
    message: str

    @property
    def title(self) -> str:
        return self.message.split("\n", 1)[0]


class TreeEntry(NamedTuple):
    """One path of a tree, recursively listed. ``size`` is in bytes, -1 for what is not a blob."""

    mode: str
    kind: str
    id: str
    size: int
    path: str


class ChangedPath(NamedTuple):
    """One path that differs between two trees; ``status`` is git's letter (A, D, M, T), without renames."""

    status: str
    old_mode: str
    new_mode: str
    old_id: str
    new_id: str
    path: str


class StatusEntry(NamedTuple):
    """One path of the work tree that differs: ``kind`` is ``changed``, ``unmerged`` or ``untracked``."""

    kind: str
    staged: str
    worktree: str
    path: str


class MergeResult(NamedTuple):
    """A merge made without a work tree; ``tree`` is meaningful only when ``conflicts`` is empty."""

    tree: str
    conflicts: tuple[str, ...]
