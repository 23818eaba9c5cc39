"""``ecluse freeze``: nothing goes live until then. Without options it shows what is frozen and locked now."""

from __future__ import annotations

from typing import Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus, Invalid


@click.command("freeze")
@click.option("--until", metavar="TIME", help="How long (30m, 4h, 2d) or until when (2025-12-24T18:00, UTC).")
@click.option("--why", default="", metavar="TEXT", help="The reason, for those whom it stops.")
@click.option("--env", "environment", default="", metavar="NAME", help="Where; without it, everywhere.")
@click.option("--lift", is_flag=True, help="End what was frozen by word (with --env: there).")
@door()
def command(frame: Frame, until: str | None, why: str, environment: str, lift: bool) -> int:
    """Freeze everything, or one environment: releases wait before they go live, and go on by themselves afterwards.

    Freezes by weekday, hour and calendar are in the policy (ecluse.toml, [release]). In an emergency two people let a
    release through: ecluse release override
    """
    from ecluse.cli.release_gate import person
    from ecluse.cli.release_policy import instant_of, known
    from ecluse.history.records import plain
    from ecluse.release import holds

    if environment:
        known(frame, environment)
    if lift:
        over = holds.lift(frame.history, environment or None, who=person(frame), why=why)
        frame.emit({"lifted": plain(tuple(over))}, "\n".join(f"lifted: {one.why}" for one in over))
        return ExitStatus.DONE
    if until is None and not why:
        document = _standing(frame)
        frame.emit(document, _text(document))
        return ExitStatus.DONE
    if not why.strip():
        raise Invalid("freeze.why", "A freeze needs a reason, for those whom it stops.", "ecluse freeze --why TEXT")
    end = instant_of(until) if until else holds.FOREVER
    made = holds.freeze(frame.history, environment, until=end, who=person(frame), why=why)
    text = f"{environment or 'every environment'} is frozen {holds.ending(made.until)}. To end it: ecluse freeze --lift"
    frame.emit({"freeze": plain(made)}, text)
    return ExitStatus.DONE


def _standing(frame: Frame) -> dict[str, Any]:
    """Every hold that somebody said, and what the policy freezes now, by environment."""
    from ecluse.history.records import plain
    from ecluse.release import holds
    from ecluse.trunk import open_trunk

    trunk = open_trunk(frame.repository)
    found = {name: holds.frozen(trunk, frame.history, name) for name in sorted(trunk.config.environments)}
    return {
        "holds": [plain(one) for one in holds.standing(frame.history)],
        "frozen": {name: plain(one) for name, one in found.items() if one is not None},
    }


def _text(document: dict[str, Any]) -> str:
    from ecluse.release import holds

    lines = [
        f"{name} is frozen {holds.ending(one['until'])}: {one['why']} ({one['source']})"
        for name, one in document["frozen"].items()
    ]
    for one in document["holds"]:
        where = one["environment"] or "every environment"
        lines.append(f"{one['kind']} of {where} by {one['holder']} {holds.ending(one['until'])}: {one['why']}")
    return "\n".join(lines) or "Nothing is frozen or locked."
