"""``rollback.ready``: the way back is open before anybody leaves."""

from __future__ import annotations

from pathlib import Path

from ecluse.errors import Failed
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Look for the version that a rollback would return to. Raises :class:`Failed` when its folder is gone."""
    live = context.live
    if live is None:
        return Done(
            f"nothing is live in {context.release.environment} yet: a failure would stop the service", {"to": ""}
        )
    if not Path(live.location).is_dir():
        raise Failed(
            "rollback.folder_gone",
            f"{live.version} is live in {live.environment}, but its folder {live.location} is gone: there would be no way back.",
            f"ls {Path(live.location).parent}",
        )
    return Done(
        f"the way back leads to {live.version}, whose folder is whole", {"to": live.version, "deployment": live.id}
    )


SHAPE = Shape("rollback.ready", "makes sure that the version now live can come back", run)
