"""``python -m ecluse.release.bump LEVEL [NAME...]``: the job that bumps the pins of the tree it stands in.

Writes and commits what is newer within LEVEL, one commit for each dependency, and says every step on its output; what
is newer beyond LEVEL, or could not be asked, is said as well and left alone. Exit status 1 when nothing could be asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ecluse.errors import Problem
from ecluse.git import Repository
from ecluse.release.bump import newest, pins
from ecluse.release.bump.pins import Pin


def main(level: str, names: Sequence[str]) -> int:
    """Bump what stands in the current folder."""
    tree = Path.cwd()
    found, left = pins.find(tree)
    for one in left:
        _say(f"left alone: {one.path}: {one.why}")
    wanted = [pin for pin in found if not names or pin.name.lower() in {name.lower() for name in names}]
    asked = silent = 0
    for kind, name in sorted({(pin.kind, pin.name) for pin in wanted}):
        same = [pin for pin in wanted if (pin.kind, pin.name) == (kind, name)]
        asked += 1
        try:
            versions = newest.known(same[0])
        except Problem as problem:
            silent += 1
            _say(f"not asked: {name}: {problem.message}")
            continue
        _bump(tree, same, versions, level)
    _say(f"looked at {len(wanted)} pins of {asked} dependencies")
    return 1 if asked and silent == asked else 0


def _say(text: str) -> None:
    """One line for the step that reads the job's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _bump(tree: Path, same: list[Pin], versions: list[str], level: str) -> None:
    changes = {pin: new for pin in same if (new := newest.pick(pin, versions, level))}
    for pin in same:
        beyond = newest.pick(pin, versions, "major")
        if beyond and beyond != changes.get(pin):
            _say(f"major: {pin.name} {pin.version} in {pin.path}: {beyond} is there")
    if not changes:
        return
    paths = pins.write(tree, _moved(tree, changes))
    old, new = next(iter(changes)).version, next(iter(changes.values()))
    title = f"build(deps): bump {same[0].name} from {old} to {new}"
    repository = Repository.discover(tree)
    repository.run("add", "--", *paths)
    repository.run("commit", "--quiet", "-m", title)
    _say(f"bumped: {same[0].name} {old} -> {new} in {', '.join(paths)}")


def _moved(tree: Path, changes: dict[Pin, str]) -> dict[Pin, str]:
    """The same changes with the offsets of now: an earlier bump may have lengthened a file."""
    now, _ = pins.find(tree)
    by_place = {(pin.kind, pin.name, pin.version, pin.path): new for pin, new in changes.items()}
    return {pin: by_place[key] for pin in now if (key := (pin.kind, pin.name, pin.version, pin.path)) in by_place}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
