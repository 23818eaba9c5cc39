"""``ci.green``: exactly this commit's tree was tested green, and history holds the proof."""

from __future__ import annotations

from ecluse.errors import Red
from ecluse.model import Landing, LandingState, Run, RunState
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Find the landing or the run that tested this tree. Raises :class:`Red` when there is none."""
    release = context.release
    tree = context.repository.tree_id(release.commit)
    for landing in context.history.find(Landing, tree=tree, state=LandingState.LANDED, newest_first=True):
        said = f"tree {tree[:12]} was tested before it landed ({landing.reason or landing.basis})"
        return Done(said, {"landing": landing.id, "run": landing.run, "tree": tree, "basis": landing.basis})
    for run_ in context.history.find(Run, tree=tree, state=RunState.GREEN, newest_first=True):
        return Done(f"tree {tree[:12]} is green in {run_.id}", {"run": run_.id, "tree": tree})
    raise Red(
        "release.untested",
        f"No green checks are recorded for the tree {tree[:12]} of {release.commit[:12]}.",
        "land the change that brings it: ecluse land CHANGE",
    )


SHAPE = Shape(
    "ci.green",
    "makes sure that exactly this commit's tree was tested green before it landed, or since",
    run,
    outputs={"tree": "the tree's id", "run": "the run that tested it", "landing": "the landing that it was tested for"},
)
