"""``backup.restore-test``: the newest backup is restored into a scratch place, and its rows are counted."""

from __future__ import annotations

from ecluse.errors import Failed
from ecluse.release import backups
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Restore and compare. Raises :class:`Failed` when it cannot be restored or rows are missing."""
    store = backups.store_of(context)
    name = context.argument("file") or store.newest().name
    came_back = store.try_restoring(name)
    then = store.rows_then(name)
    expected = then if then is not None else store.rows_now()
    wrong = backups.compare(came_back, expected, 0.0 if then is not None else float(store.settings["tolerance"]))
    if wrong:
        raise Failed(
            "backup.incomplete",
            f"{name} was restored into a scratch place, and {'; '.join(wrong)}.",
            f"look at the backup: {store.folder}/{name}",
        )
    against = "when it was made" if then is not None else "that are live now"
    total = sum(came_back.values())
    said = f"{name} can be restored: {total} rows in {len(came_back)} tables, compared with the rows {against}"
    return Done(said, {"file": name, "rows": came_back, "against": "then" if then is not None else "now"})


SHAPE = Shape(
    "backup.restore-test",
    "restores the newest backup into a scratch place and compares the rows of every table",
    run,
    keys={"file": "another backup than the newest"},
    environment=True,
    outputs={"file": "the backup's name", "rows": "rows by table", "against": "`then` or `now`"},
)
