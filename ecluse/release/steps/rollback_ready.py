"""``rollback.ready``: the way back is open before anybody leaves."""

from __future__ import annotations

from ecluse.errors import Failed
from ecluse.release.context import Context
from ecluse.release.deploy import carrier_of
from ecluse.release.deploy.host import hosts_of
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Look for the version that a rollback would return to. Raises :class:`Failed` when it could not come back, or a host is not reached."""
    for host in hosts_of(context.target):
        host.run("true")  # what cannot be reached is found before anything is tagged or changed
    live = context.live
    if live is None:
        return Done(
            f"nothing is live in {context.release.environment} yet: a failure would stop the service", {"to": ""}
        )
    gone = carrier_of(context.target).missing(live)
    if gone:
        raise Failed(
            "rollback.folder_gone",
            f"{live.version} is live in {live.environment}, but {gone}: there would be no way back.",
            f"ls {live.location}" if live.location else "ecluse release status",
        )
    return Done(
        f"the way back leads to {live.version}, whose files are whole", {"to": live.version, "deployment": live.id}
    )


SHAPE = Shape(
    "rollback.ready",
    "makes sure that every host answers and the version now live can come back",
    run,
    environment=True,
    outputs={"to": "the version that a rollback would return to", "deployment": "its record's id"},
)
