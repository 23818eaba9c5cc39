"""``deploy.compose``: docker compose on the environment's hosts, with the files of exactly this commit."""

from __future__ import annotations

from ecluse.release.context import Context
from ecluse.release.deploy.course import bring
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Bring the files (or check out the tag), pull, up; what ran before is recorded."""
    return bring(context, "deploy.compose")


SHAPE = Shape(
    "deploy.compose",
    "brings the compose files of this commit to the hosts (or checks the tag out there), then compose pull and up",
    run,
    goes_live=True,
    environment=True,
    outputs={
        "deployment": "the record's id",
        "location": "the folder that compose runs in",
        "previous": "what was live before",
    },
    effect="the files or the checkout on every host, and the containers",
    probe="the folder and the link, or the checkout's HEAD; a mark that compose leaves by ending well",
)
