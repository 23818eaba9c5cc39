"""``ecluse queue``: what is waiting to land, in order."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door


@click.command("queue")
@door()
def command(frame: Frame) -> None:
    """Show the landing queue: what is tested now, what comes next, what waits for a person."""
    from ecluse.history.records import plain
    from ecluse.landing.queue import standing

    found = standing(frame.history)
    lines = [
        f"{one.id}  {one.state:<8} {one.target.removeprefix('refs/heads/'):<12} {one.change}  {one.reason}".rstrip()
        for one in found
    ]
    frame.emit({"landings": [plain(one) for one in found]}, "\n".join(lines) or "Nothing waits to land.")
