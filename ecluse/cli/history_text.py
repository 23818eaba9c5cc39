"""How ``ecluse history stats`` and ``find`` say what they found: tables for people, rows for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ecluse.cli.width import fitted
from ecluse.history.stats import Spread, Statistics
from ecluse.history.sync_records import COLUMNS, SyncRecord
from ecluse.model import Change, Event

INDENT = 18
"""Where the second line of a hand-over begins, and where long lines go on: below what follows the time."""

NAME_WIDTH = 20

_SYNC_COUNTS = ("exports", "imports", "undos", "pushes", "others", "success", "partial", "failed")


def stats_document(found: Statistics) -> dict[str, Any]:
    """The ``--json`` form of the statistics; sizes in bytes, durations in milliseconds, rates from 0 to 1."""
    from ecluse.history.records import plain

    document: dict[str, Any] = plain(found)
    for row, agent in zip(document["agents"], found.agents, strict=True):
        row["landed_rate"] = agent.landed_rate
    for row, checks in zip(document["checks"], found.checks, strict=True):
        row["pass_rate"] = checks.pass_rate
    for row, version in zip(document["versions"], found.versions, strict=True):
        row["landing_rate"] = version.landing_rate
    return {**document, "green_rate": found.green_rate}


def stats_text(found: Statistics) -> str:
    """The statistics as tables."""
    parts = [
        _table(
            ("agent", "changes", "landed", "waiting", "refused", "red"),
            [(_short(a.agent), a.changes, a.landed, a.waiting, a.rejected, a.red) for a in found.agents],
        ),
        _table(
            ("hand-overs of", "exports", "imports", "undos", "pushes", "success", "partial", "failed"),
            [
                (_short(s.agent), s.exports, s.imports, s.undos, s.pushes, s.success, s.partial, s.failed)
                for s in found.syncs
            ],
        ),
        _days(found),
        _table(("verdict", "changes"), [(name or "(not judged)", n) for name, n in found.verdicts.items()]),
        _table(("method", "changes"), [(name or "(none)", n) for name, n in found.methods.items()]),
        _table(("landing", "count"), list(found.landings.items())),
        _table(
            ("measure", "count", "median", "90 in 100 below", "largest"),
            [_spread(name, spread, divisor) for name, spread, divisor in _measures(found) if spread],
        ),
        _table(
            ("checks of landing", "change", "came to", "tests", "passed", "took", "coverage"),
            [
                (c.landing, c.change, c.state, _known(c.tests), _share(c.pass_rate), _s(c.duration_ms), _of(c.coverage))
                for c in found.checks
            ],
        ),
        _table(
            ("version", "green", "red", "tests", "passed", "checks took", "coverage"),
            [
                (
                    v.version,
                    v.green,
                    v.red,
                    _known(v.tests),
                    _share(v.passed / v.tests if v.tests and v.passed is not None else None),
                    _s(v.duration_ms),
                    _of(v.coverage),
                )
                for v in found.versions
            ],
        ),
        _table(("flaky test", "failed", "of runs"), [(f.name, f.failed, f.runs) for f in found.flaky]),
    ]
    return "\n\n".join(part for part in parts if part) + f"\n\n{found.events} events recorded"


def _short(name: str) -> str:
    """A name of at most :data:`NAME_WIDTH` characters, so that the tables fit 80 columns; ``--json`` has it whole."""
    return (name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 3]}...") or "(nobody)"


def _days(found: Statistics) -> str:
    """The days from the first on which anything happened."""
    rows = [(d.day, d.received, d.landed, d.red) for d in found.days]
    first = next((number for number, row in enumerate(rows) if any(row[1:])), len(rows) - 1)
    return _table(("day", "received", "landed", "red"), rows[first:])


def stats_csv(found: Statistics) -> str:
    """The statistics as CSV: ``group,name,measure,value``, one number a line."""
    rows: list[tuple[object, ...]] = []
    for agent in found.agents:
        counts = {"changes": agent.changes, "landed": agent.landed, "waiting": agent.waiting}
        counts |= {"rejected": agent.rejected, "red": agent.red}
        rows += [("agent", agent.agent, name, value) for name, value in counts.items()]
    for one in found.syncs:
        rows += [("syncs", one.agent, name, getattr(one, name)) for name in _SYNC_COUNTS]
    for day in found.days:
        rows += [("day", day.day, name, getattr(day, name)) for name in ("received", "landed", "red")]
    for group in ("verdicts", "methods", "changes", "runs", "landings", "releases", "deployments"):
        rows += [(group, name, "count", value) for name, value in getattr(found, group).items()]
    for name in ("change_bytes", "check_ms", "landing_ms"):
        spread: Spread | None = getattr(found, name)
        if spread:
            rows += [
                ("spread", name, part, getattr(spread, part)) for part in ("count", "median", "ninetieth", "largest")
            ]
    for checks in found.checks:
        measured = {"tests": checks.tests, "passed": checks.passed, "duration_ms": checks.duration_ms}
        rows += _known_rows("checks", checks.landing, measured | {"coverage": checks.coverage})
    for version in found.versions:
        counted = {"green": version.green, "red": version.red, "duration_ms": version.duration_ms}
        tested = {"tests": version.tests, "passed": version.passed, "coverage": version.coverage}
        rows += _known_rows("version", version.version, counted | tested)
    for test in found.flaky:
        rows += [("flaky", test.name, "failed", test.failed), ("flaky", test.name, "runs", test.runs)]
    return as_csv(("group", "name", "measure", "value"), rows)


def _known_rows(group: str, name: str, values: Mapping[str, object]) -> list[tuple[object, ...]]:
    return [(group, name, measure, value) for measure, value in values.items() if value is not None]


def as_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV with a head line. A text that a spreadsheet would run as a formula is made inert by a quote."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"'{one}" if isinstance(one, str) and one[:1] in "=+-@\t\r" and one else one for one in row])
    return buffer.getvalue()


def change_line(change: Change) -> str:
    """One change as a line: when, its key, its state, from where, what; no control character reaches the terminal."""
    who = f" by {change.agent}" if change.agent else ""
    text = f"{change.created_at[:19].replace('T', ' ')}  {change.key}  {change.state}{who}: {change.title}  ({change.source})"
    return "".join(c if c.isprintable() else " " for c in text)


def found_csv(changes: Sequence[Change], events: Sequence[Event]) -> str:
    """What ``find`` found as CSV."""
    rows: list[tuple[object, ...]] = [("change", c.created_at, c.key, c.state.value, c.agent, c.title) for c in changes]
    rows += [("event", e.at, e.subject, e.kind, e.actor, e.text) for e in events]
    return as_csv(("what", "at", "subject", "state", "agent", "text"), rows)


def sync_document(row: SyncRecord) -> dict[str, Any]:
    """One hand-over with the fields of the specification; what else is known of it is under ``metadata``."""
    import json

    return {**{name: getattr(row, name) for name in COLUMNS}, "metadata": json.loads(row.metadata)}


def syncs_csv(rows: Iterable[SyncRecord]) -> str:
    """Hand-overs as CSV: the columns of ``sync_records``."""
    return as_csv(COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows))


def syncs_text(rows: Iterable[SyncRecord]) -> str:
    """Hand-overs for people: what came of each and from whom, below it how much, from where to where, and why not."""
    import json

    lines: list[str] = []
    for row in rows:
        when = row.timestamp[:16].replace("T", " ")
        lines.append(
            f"{when:<16}  {row.sync_type or '?':<6}  {row.status or '?':<7}  {row.agent or '(nobody)'}  {row.patch_name}"
        )
        about = json.loads(row.metadata)
        facts = [f"{about['change_id']}/{about.get('revision', 1)}:"] if about.get("change_id") else []
        size = f"{row.patch_size / 1024:,.1f} KiB"
        facts += [f"{_many(row.commits_count, 'commit')}, {_many(row.files_modified, 'file')}, {size}"]
        ends = dict.fromkeys(name for name in (row.source_branch, row.target_branch) if name)
        facts += [f"on {' for '.join(ends)}"] if ends else []
        lines.append(f"{'':{INDENT}}{' '.join(facts)}")
        lines += [f"{'':{INDENT}}{row.error_message}"] if row.error_message else []
    whole = "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)
    return fitted(whole, INDENT)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _measures(found: Statistics) -> tuple[tuple[str, Spread | None, float], ...]:
    return (
        ("size of a change, KiB", found.change_bytes, 1024.0),
        ("checks, s", found.check_ms, 1000.0),
        ("landing, s", found.landing_ms, 1000.0),
    )


def _known(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _share(rate: float | None) -> str:
    return "-" if rate is None else f"{rate * 100:.1f} %"


def _of(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.1f} %"


def _s(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:,.2f} s"


def _spread(name: str, spread: Spread, divisor: float) -> tuple[object, ...]:
    values = (spread.median, spread.ninetieth, spread.largest)
    return (name, spread.count, *(f"{value / divisor:,.2f}" for value in values))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell: the first to the left, numbers to the right. Empty without rows."""
    if not rows:
        return ""
    cells = [["".join(c if c.isprintable() else " " for c in str(one)) for one in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    lines = []
    for row in cells:
        rest = "  ".join(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append(f"{row[0].ljust(widths[0])}  {rest}".rstrip())
    return "\n".join(lines)
