"""``deploy.folder``: the release's files beside the earlier ones, the link switched, the service started anew."""

from __future__ import annotations

from ecluse.release.context import Context
from ecluse.release.deploy.course import bring
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Fill, stop, switch, start; here as a job of Écluse's own, on hosts with ``commands.restart``."""
    return bring(context, "deploy.folder")


SHAPE = Shape(
    "deploy.folder",
    "fills a release folder, switches `current`, starts the service anew; on hosts only what they lack is sent",
    run,
    goes_live=True,
    environment=True,
    outputs={
        "deployment": "the record's id",
        "location": "the release's folder",
        "previous": "what was live before",
        "service": "the folder of the service's job, where Écluse runs it",
    },
    effect="a release folder, the link `current` and the service, on this machine or on every host",
    probe="the folder, the link, the job's lock; on hosts a mark that the restart command leaves by ending well",
)
