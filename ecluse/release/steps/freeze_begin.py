"""``freeze.begin``: nothing else goes live meanwhile, such as while an incident lasts. A way back is never kept out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ecluse import clock
from ecluse.errors import Invalid
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.model import Hold, HoldKind, HoldState
from ecluse.release import durations, holds
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Freeze once, in this run's name. Raises :class:`Invalid` for a length that is none or an unknown environment."""
    said = context.argument("for").strip()
    length = durations.seconds(said)
    if not length:
        raise Invalid("freeze.length", f"{said!r} is no length of time, such as 12h.", "ecluse playbook lint")
    environment = context.argument("environment").strip()
    known = context.trunk.config.environments
    if environment and environment not in known:
        raise Invalid(
            "freeze.environment",
            f"The policy has no environment {environment!r} (it has: {', '.join(sorted(known)) or 'none'}).",
            "ecluse playbook lint",
        )
    why = context.argument("why").strip() or f"{context.release.playbook} {context.release.id}"
    until = clock.instant(clock.now() + timedelta(seconds=length))
    result = perform(
        context.history,
        context.release.subject,
        context.effect(),
        lambda plan: _freeze(context, plan),
        probe=lambda plan: _probe(context, plan),
        plan={"environment": environment, "until": until, "why": why},
    )
    where = result["environment"] or "every environment"
    return Done(f"{where} is frozen until {result['until'][:16]}Z: {result['why']}", result)


def own(context: Context) -> list[Hold]:
    """The freezes that this run said and that nobody has lifted."""
    standing = context.history.find(Hold, kind=HoldKind.FREEZE, state=HoldState.STANDING)
    return [one for one in standing if one.holder == context.release.id]


def _probe(context: Context, plan: dict[str, Any]) -> Probed:
    said = [one for one in own(context) if (one.environment, one.until) == (plan["environment"], plan["until"])]
    return Probed(True, {**plan, "hold": said[0].id}) if said else Probed(False)


def _freeze(context: Context, plan: dict[str, Any]) -> dict[str, Any]:
    made = holds.freeze(
        context.history, plan["environment"], until=plan["until"], who=context.release.id, why=plan["why"]
    )
    return {**plan, "hold": made.id}


SHAPE = Shape(
    "freeze.begin",
    "keeps everything else from going live for a time, in one environment or in all; a way back is never kept out",
    run,
    keys={
        "for": "how long at most, such as 12 h: somebody may forget to lift it",
        "environment": "where; everywhere when not given",
        "why": "the reason, for those whom it stops; may hold words",
    },
    kinds={"for": "time"},
    required=("for",),
    outputs={"hold": "the record's id", "until": "when it ends by itself", "environment": "where; empty: everywhere"},
    effect="a freeze in the history",
    probe="the freeze of this run is found in the history",
)
