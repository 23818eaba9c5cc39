"""``backup.age``: is there a backup, is it fresh, and is it of a size that a backup has?"""

from __future__ import annotations

from ecluse.errors import Failed, Invalid
from ecluse.release import backups
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Look at the newest backup. Raises :class:`Failed` when there is none, or it is old, empty or shrunken."""
    store = backups.store_of(context)
    hours = _hours(context.argument("hours"), float(store.settings["max_age_hours"]))
    newest = store.newest()
    wrong = backups.judge(store.list(), store.settings, hours)
    if wrong:
        raise Failed(
            "backup.not_fresh",
            f"The newest backup is {newest.name} in {store.folder} on {store.host.label}: {'; '.join(wrong)}.",
            "have one made: a step `uses: backup.make`, or look why the regular one failed",
        )
    said = f"{newest.name} is {newest.age_s / 3600:.1f} h old and has {newest.size} bytes"
    return Done(said, {"file": newest.name, "bytes": newest.size, "hours": round(newest.age_s / 3600, 2)})


def _hours(text: str, default: float) -> float:
    try:
        hours = float(text) if text else default
    except ValueError:
        hours = -1.0
    if hours <= 0:
        raise Invalid("backup.hours", f"hours={text} is not a positive number.", "ecluse playbook lint")
    return hours


SHAPE = Shape(
    "backup.age",
    "makes sure that the newest backup is young enough, not too small, and not much smaller than the one before",
    run,
    keys={"hours": "how old it may be; the environment's `max_age_hours` (24) when not given"},
    kinds={"hours": "number"},
    environment=True,
    outputs={"file": "the backup's name", "bytes": "its size", "hours": "its age"},
)
