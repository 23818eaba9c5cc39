"""``audit.report``: who could, and who did: keys, gates, releases, deployments, and what the hosts tell of access."""

from __future__ import annotations

from ecluse.release import audit
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Write the report into the release's folder and name it."""
    return write(context, context.effect(), context.argument("days", "30"))


def write(context: Context, name: str, days: str = "30") -> Done:
    """Write the report for the last ``days`` days as ``NAME.md``."""
    path, lines = audit.write(context, name, audit.days_of(days))
    return Done(f"the access report lies in {path}", {"report": str(path), "lines": lines})


SHAPE = Shape(
    "audit.report",
    "writes a report of who has access and who used it: keys, answers, releases, landings, deployments, and what "
    "`commands.access` prints on every host",
    run,
    keys={"days": "how far back; 30 when not given"},
    kinds={"days": "number"},
    outputs={"report": "the file", "lines": "its length"},
    aside=True,
)
