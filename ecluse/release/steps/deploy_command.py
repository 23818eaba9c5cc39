"""``deploy.command``: a command of the user's own brings the version live."""

from __future__ import annotations

from ecluse.release.context import Context
from ecluse.release.deploy.course import bring
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Run ``commands.deploy`` of the environment with the version and the commit in its variables."""
    return bring(context, "deploy.command")


SHAPE = Shape(
    "deploy.command",
    "runs the environment's `commands.deploy` with ECLUSE_VERSION and ECLUSE_COMMIT, here in a checkout or on the hosts",
    run,
    goes_live=True,
    environment=True,
    outputs={"deployment": "the record's id", "previous": "what was live before"},
    effect="whatever the command does",
    probe="`commands.running` prints the version that runs; without it a person is asked",
)
