"""``backup.restore``: the live data are replaced by a backup."""

from __future__ import annotations

from ecluse.errors import Failed
from ecluse.history import perform
from ecluse.history.journal import Probed, effects_of
from ecluse.release import backups
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Restore what the step names, else the backup of this release, else the newest; then count what is live."""
    return restore(context, context.effect(), context.argument("file"))


def restore(context: Context, name: str, file: str = "") -> Done:
    """Restore a backup in an effect called ``name``. Raises :class:`Failed` when the rows are not those of then."""
    store = backups.store_of(context)
    chosen = file or made_by(context) or store.newest().name
    plan = {"file": chosen, "folder": store.folder, "host": store.host.name}
    kept = perform(
        context.history,
        context.release.subject,
        name,
        lambda kept: {**kept, "said": store.restore(kept["file"])},
        probe=lambda kept: Probed(False),  # the same file again gives the same data
        plan=plan,
    )
    done = str(kept["file"])
    then = store.rows_then(done)
    if then is None or not store.settings.get("count"):
        return Done(f"{done} was restored; its rows were not counted", {"file": done})
    wrong = backups.compare(store.rows_now(), then, 0.0)
    if wrong:
        raise Failed(
            "backup.restore_incomplete",
            f"{done} was restored, and {'; '.join(wrong)}.",
            f"look at the data, then restore again; the backup is {store.folder}/{done}",
        )
    said = f"{done} was restored: {sum(then.values())} rows in {len(then)} tables, as when it was made"
    return Done(said, {"file": done, "rows": then})


def made_by(context: Context) -> str:
    """The backup that this release made; empty when it made none."""
    effects = effects_of(context.history, context.release.subject)
    return next((str(one.result["file"]) for one in effects if "backup.make" in one.step and one.result), "")


SHAPE = Shape(
    "backup.restore",
    "replaces the live data by the backup that this release made, else by the newest, and counts the rows",
    run,
    keys={"file": "another backup"},
    environment=True,
    irreversible=True,
    outputs={"file": "the backup's name", "rows": "rows by table"},
    effect="the environment's live data",
    probe="none is needed: restoring the same file again gives the same data",
)
