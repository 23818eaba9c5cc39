"""``landing.land``: a change is tested together with the trunk and lands on it; the release goes on from there."""

from __future__ import annotations

from typing import Any

from ecluse.errors import Invalid
from ecluse.model import Landing
from ecluse.release.context import Context
from ecluse.release.steps import following
from ecluse.release.steps.shape import Done, Outcome, Shape


def run(context: Context) -> Outcome:
    """Ask for the landing of the named change, else of the one an earlier step took in, and wait for it."""
    named = context.argument("change") or taken_in(context)
    if not named:
        raise Invalid(
            "land.nothing", "No step before this one took a change in, and none is named.", "write change=KEY"
        )
    change = following.change_named(context, named)
    waits = following.judged(context, change)
    if waits is not None:
        return waits
    landing = following.landed(context, change)
    if not isinstance(landing, Landing):
        return landing
    said = f"{change.key} landed on {landing.target.removeprefix('refs/heads/')} as {landing.candidate[:12]}"
    result = {"change": change.key, "landing": landing.id, "commit": landing.candidate}
    return Done(said, result, {"commit": landing.candidate})


def taken_in(context: Context) -> str:
    """The change that the newest step before this one took in; empty when none did."""
    steps: dict[str, dict[str, Any]] = context.release.outputs.get("steps", {})
    for position in sorted((int(key) for key in steps), reverse=True):
        result = steps[str(position)].get("result") or {}
        if position < context.release.position and result.get("change"):
            return str(result["change"])
    return ""


SHAPE = Shape(
    "landing.land",
    "lands a change through its checks; the release goes on from the commit that landed",
    run,
    keys={"change": "its key; the one that an earlier step took in when not given"},
    moves_commit=True,
    outputs={"change": "the change's key", "landing": "the landing's id", "commit": "what landed"},
    effect="the trunk moves, as for any landing",
    probe="the landing of that change is found in the history",
)
