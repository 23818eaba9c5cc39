"""Which pending changes touch the same files and symbols, which merge with one another, and an order to land them in.

All merges are trials in memory: nothing is checked out, no ref moves, and the objects of the trials are thrown away.
"""

from __future__ import annotations

from collections import Counter

from ecluse.clock import instant
from ecluse.dataclass import dataclass
from ecluse.git import Repository
from ecluse.git.repository import FALLBACK_IDENTITY
from ecluse.history import History
from ecluse.landing.symbols import touched_symbols
from ecluse.model import Change, ChangeState

MAX_CHANGES = 60
"""How many pending changes of one target are compared; the oldest come first, the others are named as left out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two changes that touch the same ``files`` or do not merge; ``conflicts`` is empty when they merge cleanly.

    ``symbols`` are functions and classes (``path::name``) that both touch: where a clean merge may still be wrong.
    """

    one: str
    other: str
    files: tuple[str, ...]
    conflicts: tuple[str, ...]
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """The pending changes of one target. ``order`` merge one after the other; ``rework`` says why the others do not."""

    target: str
    changes: tuple[str, ...]
    pairs: tuple[Pair, ...]
    order: tuple[str, ...]
    rework: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...]


def compare(repository: Repository, history: History) -> list[Overlap]:
    """Compare the pending changes (ready, or in conflict) of every target, by target name."""
    pending = [
        change
        for state in (ChangeState.READY, ChangeState.CONFLICT)
        for change in history.find(Change, state=state)
        if change.head and repository.resolve(change.head) == change.head
    ]
    targets = sorted({change.target for change in pending})
    return [
        _compare_target(repository, target, sorted((c for c in pending if c.target == target), key=_age))
        for target in targets
    ]


def _age(change: Change) -> tuple[str, str]:
    return change.created_at, change.key


def _compare_target(repository: Repository, target: str, pending: list[Change]) -> Overlap:
    changes, left = pending[:MAX_CHANGES], pending[MAX_CHANGES:]
    tip = repository.resolve(target) or ""
    with repository.temporary_clone() as room:
        touched = {change.key: _touched(room, tip, change) for change in changes}
        symbols = _symbols(room, tip, changes, touched)
        pairs = [
            pair
            for number, one in enumerate(changes)
            for other in changes[number + 1 :]
            if (pair := _pair(room, one, other, touched, symbols))
        ]
        order, rework = _order(room, tip, changes, pairs)
    keys = tuple(change.key for change in changes)
    return Overlap(target, keys, tuple(pairs), tuple(order), rework, tuple(change.key for change in left))


def _start(repository: Repository, tip: str, change: Change) -> str:
    return (repository.merge_base(tip, change.head) if tip else None) or change.base


def _touched(repository: Repository, tip: str, change: Change) -> frozenset[str]:
    base = _start(repository, tip, change)
    if not base:
        return frozenset(change.files)
    return frozenset(path.path for path in repository.changed_paths(base, change.head))


def _symbols(
    room: Repository, tip: str, changes: list[Change], touched: dict[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """The functions and classes of each change, in the files that it shares with another."""
    times = Counter(path for paths in touched.values() for path in paths)
    found = {}
    for change in changes:
        shared = {path for path in touched[change.key] if times[path] > 1}
        base = _start(room, tip, change)
        found[change.key] = touched_symbols(room, base, change.head, shared) if base and shared else frozenset()
    return found


def _pair(
    repository: Repository,
    one: Change,
    other: Change,
    touched: dict[str, frozenset[str]],
    symbols: dict[str, frozenset[str]],
) -> Pair | None:
    """The pair, when there is anything to say of it. Disjoint files may still conflict (a file against a folder)."""
    shared = tuple(sorted(touched[one.key] & touched[other.key]))
    conflicts = _merge(repository, one.head, other.head)[1]
    both = tuple(sorted(symbols[one.key] & symbols[other.key]))
    return Pair(one.key, other.key, shared, conflicts, both) if shared or conflicts else None


def _order(
    repository: Repository, tip: str, changes: list[Change], pairs: list[Pair]
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Those in nobody's way first, then by age; each is tried on top of all that were placed before it."""
    trouble = {
        change.key: sum(1 for p in pairs if p.conflicts and change.key in (p.one, p.other)) for change in changes
    }
    order: list[str] = []
    rework: dict[str, tuple[str, ...]] = {}
    current = tip
    moment = instant()
    for change in sorted(changes, key=lambda one: (trouble[one.key], _age(one))):
        if not current or repository.is_ancestor(current, change.head):
            current = change.head
        elif not repository.is_ancestor(change.head, current):
            tree, conflicts = _merge(repository, current, change.head)
            if conflicts:
                rework[change.key] = conflicts
                continue
            current = repository.commit_tree(tree, [current, change.head], "trial", FALLBACK_IDENTITY, moment)
        order.append(change.key)
    return order, rework


def _merge(repository: Repository, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
    if repository.merge_base(ours, theirs) is None:
        return "", ("(they have no commit in common)",)
    merged = repository.merge(ours, theirs)
    return merged.tree, merged.conflicts
