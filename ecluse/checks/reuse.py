"""Whether a job of the run before stands for one of this run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecluse.checks.jobs import Instance, JobOutcome
from ecluse.checks.rerun import Before, drop
from ecluse.checks.results import JobResults
from ecluse.secrets.mask import Masker

if TYPE_CHECKING:
    from ecluse.checks.nodes import Node


def taken_over(
    before: Before, instance: Instance, needed: Iterable[Node], masker: Masker, artifacts: Path
) -> JobOutcome | None:
    """What ``instance`` came to in the run before, when it succeeded then and everything in ``needed`` was taken over too.

    ``None`` when it has to run; what it put into ``artifacts`` before is then taken out.
    """
    records = [one.record for other in needed for inner in _leaves(other) for one in inner.records.values()]
    rests = all(record.reused for record in records)
    record = before.job(instance.key, masker.mask(instance.name), instance.matrix) if rests else None
    if record is None:
        drop(before, instance.key, artifacts)
        return None
    since = before.report.started_at
    done = replace(record, reused=record.reused or since, reason=f"taken over from the run of {since[:19]}Z")
    measured = JobResults(lines=before.lines.get(record.key, {}))
    return JobOutcome(done, dict(record.outputs), artifacts=before.artifacts_of(record.key), results=measured)


def _leaves(node: Node) -> list[Node]:
    """The jobs that really run for ``node``: itself, or those of the workflow that it calls."""
    return [leaf for group in node.calls for inner in group.nodes for leaf in _leaves(inner)] or [node]
