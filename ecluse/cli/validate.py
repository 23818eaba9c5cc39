"""``ecluse validate``: the checks that need no workflow, on a tree and not on whatever lies in the checkout."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus


@click.command("validate")
@click.argument("revision", required=False)
@click.option("--level", default="minimal", metavar="LEVEL", help="minimal (default) or none.")
@door()
def command(frame: Frame, revision: str | None, level: str) -> int:
    """Validate REVISION against what it is based on; without it, everything done here including uncommitted work.

    Exit: 0 good; 5 a check is red.
    """
    from ecluse import intake

    results = intake.validate(frame.repository, revision, level)
    rows = [f"{one['name']:<16} {one['result']:<8} {one['duration_ms']:>8.1f} ms  {one['detail']}" for one in results]
    frame.emit({"results": results}, "\n".join(rows) or "Level none: nothing was checked.")
    return ExitStatus.RED if any(one["result"] == "failure" for one in results) else ExitStatus.DONE
