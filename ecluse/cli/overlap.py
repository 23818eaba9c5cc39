"""``ecluse overlap``: which pending changes get in each other's way, and an order to land them in."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.landing.overlap import Overlap


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
    from ecluse.git.resolving import told

    lines = [f"{one.target.removeprefix('refs/heads/')}: {len(one.changes)} pending"]
    for pair in one.pairs:
        shared = f"touch {_some(pair.files)}" if pair.files else "touch no file in common"
        outcome = f"conflict in {_some(pair.conflicts)}" if pair.conflicts else "merge cleanly"
        if pair.resolved and not pair.conflicts:
            outcome = f"conflict in what rules resolve: {told(pair.resolved)}"
        both = f", both in {_some(pair.symbols)}" if pair.symbols else ""
        lines.append(f"  {pair.one} and {pair.other}: {shared}{both}; {outcome}")
    if not one.pairs:
        lines.append("  no two of them touch the same file")
    if one.order:
        lines.append("  an order to land them in:")
        for number, key in enumerate(one.order, 1):
            by_rule = f"  (resolved by rule: {told(one.resolved[key])})" if key in one.resolved else ""
            lines.append(f"    {number}. ecluse land {key}{by_rule}")
    for key, paths in one.rework.items():
        lines.append(f"  {key} has to be made again after these: it conflicts in {_some(paths)}")
    if one.left_out:
        lines.append(f"  not compared, because there are too many: {_some(one.left_out)}")
    return "\n".join(lines)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"
