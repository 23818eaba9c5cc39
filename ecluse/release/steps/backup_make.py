"""``backup.make``: a backup of the environment's data, made now, before anything changes."""

from __future__ import annotations

from typing import Any

from ecluse.errors import Failed
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.release.backups import store_of
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Have the environment's command write one backup, aside and renamed. Raises :class:`Failed` when it is too small."""
    store = store_of(context)
    live = context.live

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        store.make(plan["file"])
        return plan

    plan = {"file": store.new_name(live.version if live else ""), "folder": store.folder, "host": store.host.name}
    made = perform(
        context.history,
        context.release.subject,
        context.effect(),
        do,
        probe=lambda kept: Probed(store.is_there(kept["file"]), kept),
        plan=plan,
    )
    found = next((one for one in store.list() if one.name == made["file"]), None)
    if found is None or found.size < int(store.settings["min_bytes"]):
        size = f"has {found.size} bytes" if found else "is not there"
        raise Failed(
            "backup.too_small",
            f"The backup {made['file']} {size}; {store.settings['min_bytes']} are expected.",
            f"ls -l {store.folder}",
        )
    return Done(f"{made['file']} ({found.size} bytes) lies in {store.folder}", {**made, "bytes": found.size})


SHAPE = Shape(
    "backup.make",
    "makes a backup of the environment's data with its command, and counts the live rows beside it",
    run,
    environment=True,
    outputs={"file": "the backup's name", "folder": "where it lies", "bytes": "its size"},
    effect="one file in the folder of backups",
    probe="is a file of the planned name there? It is written aside and renamed",
)
