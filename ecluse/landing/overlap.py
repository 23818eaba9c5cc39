"""Which pending changes touch the same files and symbols, which merge with one another, and an order to land them in.

Simple conflicts are resolved by the rules that landing uses, and named. All merges are trials in memory: nothing is checked out, no ref moves, and the objects of the trials are thrown away.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations

from ecluse.clock import instant
from ecluse.dataclass import dataclass, field
from ecluse.git import Repository
from ecluse.git.nouns import FALLBACK_IDENTITY, MergeResult
from ecluse.git.resolving import Rules, Settled, merge_by_rules, merge_many
from ecluse.guarded import rules_for
from ecluse.history import History
from ecluse.landing.symbols import touched_symbols
from ecluse.model import Change, ChangeState
from ecluse.trunk import open_trunk

MAX_CHANGES = 60
"""How many pending changes of one target are compared; the oldest come first, the others are named as left out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two changes that touch the same ``files`` or do not merge; ``conflicts`` is empty when they merge.

    ``resolved`` is path and rule of each conflict between them that a rule resolves (then it is in no ``conflicts``).
    ``symbols`` are functions and classes (``path::name``) that both touch: where a clean merge may still be wrong.
    """

    one: str
    other: str
    files: tuple[str, ...]
    conflicts: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    resolved: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """The pending changes of one target. ``order`` merge one after the other; ``rework`` says why the others do not.

    ``resolved`` is, for each change of the order, what rules resolve when it lands in its turn. ``titles`` says what each
    change is, ``agents`` whose, ``tasks`` what it is an attempt at; ``behind`` are those that conflict with the target as it is, whatever lands before them.
    """

    target: str
    changes: tuple[str, ...]
    pairs: tuple[Pair, ...]
    order: tuple[str, ...]
    rework: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    resolved: dict[str, tuple[dict[str, str], ...]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    behind: tuple[str, ...] = ()


def compare(repository: Repository, history: History) -> list[Overlap]:
    """Compare the pending changes (ready, or in conflict) of every target, by target name."""
    with repository.asking():
        return _compare(repository, history)


def _compare(repository: Repository, history: History) -> list[Overlap]:
    pending = [
        change
        for state in (ChangeState.READY, ChangeState.CONFLICT)
        for change in history.find(Change, state=state)
        if change.head and repository.resolve(change.head) == change.head
    ]
    if not pending:
        return []
    rules = rules_for(repository, open_trunk(repository).config)
    targets = sorted({change.target for change in pending})
    return [
        _compare_target(repository, target, sorted((c for c in pending if c.target == target), key=_age), rules)
        for target in targets
    ]


def _age(change: Change) -> tuple[str, str]:
    return change.created_at, change.key


def _compare_target(repository: Repository, target: str, pending: list[Change], rules: Rules) -> Overlap:
    changes, left = pending[:MAX_CHANGES], pending[MAX_CHANGES:]
    tip = repository.resolve(target) or ""
    with repository.temporary_clone() as room, room.asking():
        shared = {change.key: room.merge_base(tip, change.head) if tip else None for change in changes}
        starts = {change.key: shared[change.key] or change.base for change in changes}
        touched = {change.key: _touched(room, starts[change.key], change) for change in changes}
        symbols = _symbols(room, starts, changes, touched)
        couples = list(combinations(changes, 2))
        merged = _merge_couples(room, [both for both in couples if shared[both[0].key] and shared[both[1].key]])

        def look(both: tuple[Change, Change]) -> Pair | None:
            one, other = both
            return _pair(room, one, other, touched, symbols, rules, merged.get((one.head, other.head)))

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # what rules resolve is resolved by processes we wait for
            pairs = [pair for pair in pool.map(look, couples) if pair]
        found = Overlap(
            target, tuple(change.key for change in changes), tuple(pairs), (), {}, tuple(change.key for change in left),
            titles={change.key: change.title for change in changes},
            agents={change.key: change.agent for change in changes},
            tasks={change.key: change.task for change in changes if change.task},
        )  # fmt: skip
        return _with_order(room, tip, changes, {key for key, base in shared.items() if base}, found, rules)


def _merge_couples(room: Repository, couples: list[tuple[Change, Change]]) -> dict[tuple[str, str], MergeResult]:
    """Two heads that have history in common -> their merge; as many processes of git's as there are processors."""
    heads = list(dict.fromkeys((one.head, other.head) for one, other in couples))
    number = max(1, min(os.cpu_count() or 1, len(heads)))
    shares = [heads[at::number] for at in range(number)]
    with ThreadPoolExecutor(number) as pool:
        results = pool.map(lambda share: merge_many(room, share) if share else [], shares)
        return {
            pair: merge
            for share, merges in zip(shares, results, strict=True)
            for pair, merge in zip(share, merges, strict=True)
        }


def _touched(repository: Repository, start: str, change: Change) -> frozenset[str]:
    if not start:
        return frozenset(change.files)
    return frozenset(path.path for path in repository.changed_paths(start, change.head))


def _symbols(
    room: Repository, starts: dict[str, str], changes: list[Change], touched: dict[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """The functions and classes of each change, in the files that it shares with another."""
    times = Counter(path for paths in touched.values() for path in paths)
    found = {}
    for change in changes:
        shared = {path for path in touched[change.key] if times[path] > 1}
        base = starts[change.key]
        found[change.key] = touched_symbols(room, base, change.head, shared) if base and shared else frozenset()
    return found


def _pair(
    repository: Repository,
    one: Change,
    other: Change,
    touched: dict[str, frozenset[str]],
    symbols: dict[str, frozenset[str]],
    rules: Rules,
    trial: MergeResult | None,
) -> Pair | None:
    """The pair, when there is anything to say of it; ``trial`` is their merge, where they are known to have history in common.

    Disjoint files may still conflict (a file against a folder).
    """
    shared = tuple(sorted(touched[one.key] & touched[other.key]))
    merged = _merge(repository, one.head, other.head, rules, related=trial is not None, trial=trial)
    both = tuple(sorted(symbols[one.key] & symbols[other.key]))
    if not shared and not merged.conflicts:
        return None
    return Pair(one.key, other.key, shared, merged.conflicts, both, merged.resolved)


def _with_order(
    repository: Repository, tip: str, changes: list[Change], related: set[str], found: Overlap, rules: Rules
) -> Overlap:
    """Those in nobody's way first, then by age; each is tried on top of all that were placed before it.

    ``related`` have history in common with ``tip``, and so with whatever was placed on it.
    """
    trouble = {
        change.key: sum(1 for p in found.pairs if p.conflicts and change.key in (p.one, p.other)) for change in changes
    }
    order: list[str] = []
    rework: dict[str, tuple[str, ...]] = {}
    resolved: dict[str, tuple[dict[str, str], ...]] = {}
    current = tip
    moment = instant()
    trials: set[str] = set()
    for change in sorted(changes, key=lambda one: (trouble[one.key], _age(one))):
        if not current or (current not in trials and repository.is_ancestor(current, change.head)):
            current = change.head
        elif not repository.is_ancestor(change.head, current):
            merged = _merge(repository, current, change.head, rules, related=change.key in related)
            if merged.conflicts:
                rework[change.key] = merged.conflicts
                continue
            if merged.resolved:
                resolved[change.key] = merged.resolved
            current = repository.commit_tree(merged.tree, [current, change.head], "trial", FALLBACK_IDENTITY, moment)
            trials.add(current)
        order.append(change.key)
    heads = {change.key: change.head for change in changes}
    behind = tuple(
        key for key in rework if tip and _merge(repository, tip, heads[key], rules, related=key in related).conflicts
    )
    return replace(found, order=tuple(order), rework=rework, resolved=resolved, behind=behind)


def _merge(
    repository: Repository, ours: str, theirs: str, rules: Rules, *, related: bool, trial: MergeResult | None = None
) -> Settled:
    """Merge by rules; ``related`` are known to have history in common, ``trial`` is their merge where it is known."""
    if not related and repository.merge_base(ours, theirs) is None:
        return Settled("", ("(they have no commit in common)",))
    return merge_by_rules(repository, ours, theirs, rules, trial)
