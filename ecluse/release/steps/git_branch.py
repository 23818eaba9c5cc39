"""``git.branch``: a branch on the release's commit, or on a version that was tagged (a hotfix begins there)."""

from __future__ import annotations

from typing import Any

from ecluse.errors import Failed, Invalid, Refused
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Make the branch once. Raises :class:`Refused` when the name is taken by another commit."""
    name = context.argument("name")
    source = context.argument("from", "{commit}")
    ref = f"refs/heads/{name}"
    if not context.repository.valid_ref(ref):
        raise Invalid("branch.name", f"{name!r} is not a name that git takes for a branch.", "ecluse playbook lint")
    commit = context.repository.resolve(source)
    if commit is None:
        raise Failed("branch.source", f"There is no commit {source} for the branch {name}.", "git tag --list")
    plan = {"branch": name, "commit": commit}
    result = perform(
        context.history,
        context.release.subject,
        context.effect(),
        lambda kept: _make(context, kept),
        probe=lambda kept: _probe(context, kept),
        plan=plan,
    )
    return Done(f"{name} is on {commit[:12]}", result)


def _probe(context: Context, plan: dict[str, Any]) -> Probed:
    at = context.repository.resolve(f"refs/heads/{plan['branch']}")
    if at is None:
        return Probed(False)
    if at != plan["commit"]:
        raise Refused(
            "branch.elsewhere",
            f"The branch {plan['branch']} is on {at[:12]} already, not on {plan['commit'][:12]}; it was left alone.",
            f"git log {plan['branch']}",
        )
    return Probed(True, plan)


def _make(context: Context, plan: dict[str, Any]) -> dict[str, Any]:
    if not _probe(context, plan).happened:
        ref = f"refs/heads/{plan['branch']}"
        context.repository.clear_dead_locks(ref)
        context.repository.move_ref(ref, plan["commit"], "", f"ecluse: {context.release.id}")
    return plan


SHAPE = Shape(
    "git.branch",
    "makes a branch, such as a hotfix branch from a stable tag",
    run,
    keys={
        "name": "the branch; may hold words such as {version}",
        "from": "where it begins, such as v{previous}; the release's commit when not given",
    },
    required=("name",),
    outputs={"branch": "its name", "commit": "where it is"},
    effect="a branch in this repository",
    probe="is the branch there, and on that commit?",
    aside=True,
)
