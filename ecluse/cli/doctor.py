"""``ecluse doctor``: is everything here and well? Changes nothing; works outside a repository too."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus


@click.command("doctor")
@door()
def command(frame: Frame) -> int:
    """Look at the tools on this machine and, inside a repository, at its trunk, policy, history, jobs and locks.

    Exit: 0 nothing stops Écluse from working; 1 something does (marked fail, with what to type).
    """
    from ecluse import doctor
    from ecluse.history.records import plain

    checks = doctor.examine(frame.folder)
    failed = doctor.fails(checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state:<5} {check.name:<11} {check.found}")
        if check.hint:
            lines.append(f"{'':<17} next: {check.hint}")
    worst = "Something has to be repaired first: see fail above." if failed else "Nothing stops the line."
    frame.emit({"ok": not failed, "checks": plain(checks)}, "\n".join([*lines, "", worst]))
    return ExitStatus.FAILED if failed else ExitStatus.DONE
