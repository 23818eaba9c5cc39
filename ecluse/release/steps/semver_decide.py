"""``semver.decide``: which version this release is, and why."""

from __future__ import annotations

from ecluse.release import version
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Decide again on the commit of the plan; the same commit gives the same version."""
    given = context.release.inputs.get("version", "") or context.argument("version")
    decided = version.decide(context.repository, context.release.commit, given)
    result = {"version": decided.version, "previous": decided.previous, "bump": decided.bump, "why": decided.why}
    if given:
        result["by_hand"] = given
    return Done(decided.why, result, {"version": decided.version, "previous": decided.previous})


SHAPE = Shape(
    "semver.decide",
    "decides the version from the conventional commits since the last release, or takes the input `version`: a version, "
    "major, minor, patch, or a word such as rc for the next pre-release",
    run,
    keys={"version": "a fixed choice, when no input says another"},
    outputs={
        "version": "the version",
        "previous": "the last release before it",
        "bump": "initial, major, minor, patch or given",
        "why": "the grounds in a sentence",
        "by_hand": "what a person gave, when one did",
    },
)
