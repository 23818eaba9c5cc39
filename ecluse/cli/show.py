"""``ecluse show``: one change, run, landing, release, gate or deployment, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.cli.history import document, line
from ecluse.cli.lookup import find_any
from ecluse.cli.run_text import clean, said
from ecluse.errors import Invalid
from ecluse.model import Change

if TYPE_CHECKING:
    from ecluse.intake.rerolls import Reroll


@click.command("show")
@click.argument("thing", required=False)
@click.option("--task", default="", metavar="NAME", help="All attempts at this task, side by side.")
@door()
def command(frame: Frame, thing: str | None, task: str) -> None:
    """Show THING: an id, or enough of its beginning to be the only one. A change with earlier revisions is compared with
    the one before (git range-diff).
    """
    if bool(thing) == bool(task):
        raise Invalid("usage", "Show what? Name one thing, or a task.", "ecluse show ID, or: ecluse show --task NAME")
    if task:
        _show_task(frame, task)
        return
    show_record(frame, thing or "")


def _show_task(frame: Frame, name: str) -> None:
    from ecluse.cli.attempts_text import attempts_text
    from ecluse.history.records import plain
    from ecluse.intake.attempts import task_named

    found = task_named(frame.repository, frame.history, name)
    if not found.attempts:
        raise Invalid("task.unknown", f"No change is an attempt at the task {name!r}.", "ecluse overlap")
    frame.emit({"task": plain(found)}, attempts_text(found))


def show_record(frame: Frame, thing: str) -> None:
    """Print the record called ``thing`` with its events. Raises :class:`ecluse.errors.Invalid` when there is none."""
    from ecluse.history.records import plain

    record = find_any(frame.history, thing)
    facts = plain(record)
    events = frame.history.events(subject=record.subject, limit=200)
    text = [f"{type(record).__name__} {getattr(record, 'key', None) or record.id}", ""]
    text += [
        f"  {name:<14} {_value(value)}"
        for name, value in facts.items()
        if value not in ("", None, [], {}, 0) and name != "report"
    ]
    text += _report_lines(facts.get("report") or {})
    reroll = _reroll(frame, record)
    if reroll:
        text += ["", f"Against {reroll.older}: {reroll.summary}", *(f"  {line}" for line in reroll.diff.split("\n"))]
    text += ["", "What happened:", *(f"  {line(event)}" for event in events)]
    told: dict[str, Any] = {type(record).__name__.lower(): facts, "events": [document(event) for event in events]}
    if reroll:
        told["reroll"] = plain(reroll)
    frame.emit(told, "\n".join(text))


def _reroll(frame: Frame, record: Any) -> Reroll | None:
    """The range-diff of a change with earlier revisions; everything else costs nothing here."""
    if not isinstance(record, Change) or record.revision < 2:
        return None
    from ecluse.intake.rerolls import compare_revisions

    return compare_revisions(frame.repository, frame.history, record)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(f"{'' if n == 0 else ' ' * 17}{_value(item)}" for n, item in enumerate(value[:40]))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items() if item not in ("", 0, None))
    return "".join(c if c.isprintable() else " " for c in str(value))


def _report_lines(report: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for job in report.get("jobs", []):
        why = f" ({job['reason']})" if job.get("reason") else ""
        lines.append(
            f"  job {job.get('name')}: {job.get('outcome', job.get('result'))}, {float(job.get('duration_ms', 0)) / 1000:.2f} s{why}"
        )
        for step in job.get("steps", []):
            lines.append(
                f"    {step.get('number'):>2} {step.get('conclusion'):<9} {float(step.get('duration_ms', 0)) / 1000:7.2f} s  {step.get('name')}"
            )
            lines += [f"         {said(str(text))}" for text in (step.get("tail") or [])[-25:]]
    return [*lines, *_test_lines(report)]


def _test_lines(report: dict[str, Any]) -> list[str]:
    """Tests and coverage of a report, the failed tests by name."""
    tests, coverage = report.get("tests") or {}, report.get("coverage") or {}
    counts = tests.get("counts") or {}
    lines = []
    if counts:
        bad = int(counts.get("failed", 0)) + int(counts.get("errors", 0))
        lines.append(f"  tests: {counts.get('total')}, {bad} failed, {counts.get('skipped')} skipped")
    for one in (tests.get("failures") or [])[:20]:
        first = next((line for line in str(one.get("message", "")).splitlines() if line.strip()), "")
        lines.append(f"    {clean(str(one.get('name')))} ({clean(str(one.get('job')))}): {clean(first.strip())}")
    if coverage:
        lines.append(f"  coverage: {float(coverage.get('percent', 0)):.1f} % of {coverage.get('total')} lines")
    return lines
