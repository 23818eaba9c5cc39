"""``ecluse overlap``: which pending changes get in each other's way, and an order to land them in."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.cli.words import count
from ecluse.git.resolving import told
from ecluse.landing.overlap import Overlap, Pair

_CLEAN_SHOWN = 12
"""How many pairs that merge cleanly, no function in common, are listed one by one."""


@click.command("overlap")
@door()
def command(frame: Frame) -> None:
    """Compare all changes that are ready or in conflict: which touch the same files, functions and classes, which merge
    together (simple conflicts by the rules of [landing]), and an order in which they can land; and which are attempts at the same task. All merges are trials
    in memory; nothing is moved or run.
    """
    from ecluse.cli.attempts_text import attempts_text
    from ecluse.history.records import plain
    from ecluse.intake.attempts import open_tasks
    from ecluse.landing.overlap import compare

    found = compare(frame.repository, frame.history)
    tasks = open_tasks(frame.repository, frame.history)
    parts = [*(_told(one) for one in found), *(attempts_text(task) for task in tasks)]
    text = "\n\n".join(parts) or "No change is pending."
    frame.emit(
        {"targets": plain(found), "tasks": plain(tasks)},
        "".join(c if c.isprintable() or c == "\n" else " " for c in text),
    )


def _told(one: Overlap) -> str:
    branch = one.target.removeprefix("refs/heads/")
    lines = [f"{branch}: {count(len(one.changes), 'change')} pending"]
    lines += [f"  {key}  {one.agents.get(key) or 'nobody'}: {one.titles.get(key, '')}" for key in one.changes]
    if len(one.changes) > 1:
        lines += ["", *_pairs(one.pairs)]
    if one.order:
        lines += ["", "  they can land in this order:" if len(one.order) > 1 else "  this can land:"]
        for number, key in enumerate(one.order, 1):
            by_rule = f"  (resolved by rule: {told(one.resolved[key])})" if key in one.resolved else ""
            task = one.tasks.get(key, "")
            rivals = f"  (one of several attempts at {task})" if list(one.tasks.values()).count(task) > 1 else ""
            lines.append(f"    {number}. ecluse land {key}{rivals}{by_rule}")
    for key, paths in one.rework.items():
        lines += ["", *_rework(one, key, paths, branch)]
    if one.left_out:
        lines += ["", f"  not compared, because there are too many: {_some(one.left_out)}"]
    return "\n".join(lines)


def _pairs(pairs: tuple[Pair, ...]) -> list[str]:
    """What there is to say of pairs; of many that only share files without trouble, how many there are."""
    if not pairs:
        return ["  no two of them touch the same file"]
    telling = [pair for pair in pairs if pair.conflicts or pair.resolved or pair.symbols]
    shown = pairs if len(pairs) - len(telling) <= _CLEAN_SHOWN else telling
    lines = [line for pair in shown for line in _pair(pair)]
    if len(shown) < len(pairs):
        lines.append(
            f"  {len(pairs) - len(shown):,} more pairs touch the same files and merge cleanly (--json lists them)"
        )
    return lines


def _pair(pair: Pair) -> list[str]:
    """What two changes have in common, and what comes of merging them."""
    outcome = f"conflict in {_some(pair.conflicts)}" if pair.conflicts else "merge cleanly"
    if pair.resolved and not pair.conflicts:
        outcome = f"conflict in what rules resolve: {told(pair.resolved)}"
    lines = [f"  {pair.one} and {pair.other} {outcome}"]
    lines += [f"    both touch {_some(pair.files)}"] if pair.files else []
    lines += [f"    both change {_some(pair.symbols)}"] if pair.symbols else []
    return lines


def _rework(one: Overlap, key: str, paths: tuple[str, ...], branch: str) -> list[str]:
    """Why a change is in no order, with whom it conflicts, and what to do."""
    import shlex

    others = [
        pair.other if pair.one == key else pair.one
        for pair in one.pairs
        if pair.conflicts and key in (pair.one, pair.other)
    ]
    first = tuple(other for other in one.order if other in others and key not in one.behind)
    whom = f"{_some(first)}, which the order puts first" if first else branch
    when = "when those have landed, give" if first else "give"
    who = shlex.quote(one.agents[key]) if one.agents.get(key) else "--have REV"
    return [
        f"  {key} cannot land as it is: it conflicts in {_some(paths)} with {whom}",
        f"    next: {when} its agent the trunk to build on: ecluse sync {who} --to trunk.bundle",
    ]


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"
