"""``ecluse history``: read, search, count and export everything that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.frame import Frame, door, put_data
from ecluse.errors import ExitStatus
from ecluse.model import Event

if TYPE_CHECKING:
    from ecluse.history.sync_records import SyncRecord


_INDENT = 21
"""Where long lines go on: below what follows the time."""


@click.group("history")
def command() -> None:
    """Read, search, count and export everything that happened."""


@command.command("list")
@click.option(
    "-n", "--limit", default=30, show_default=True, type=click.IntRange(1, 100_000), help="How many, newest last."
)
@click.option("--kind", default="", help="Only this kind, for example landing or landing.red.")
@click.option("--subject", default="", help="Only this subject, for example release/rel-...")
@click.option("--after", default=0, type=click.IntRange(0), help="Only events after this number.")
@click.option("--brief", is_flag=True, help="Leave out the journal and what another event says in better words.")
@click.option(
    "--syncs", is_flag=True, help="Exports, imports, undos and pushes instead, each once, with all its facts."
)
@click.option("--agent", default="", help="With --syncs: only this agent's.")
@click.option(
    "--status", default="", type=click.Choice(["", "success", "failed", "partial"]), help="With --syncs: only these."
)
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@door()
def list_events(
    frame: Frame, limit: int, kind: str, subject: str, after: int, brief: bool, syncs: bool, agent: str, status: str,
    form: str,
) -> None:  # fmt: skip
    """List events, newest last; with --syncs what was handed over, taken in, refused, undone and pushed. Times are UTC."""
    if syncs:
        _refuse_both(kind or subject or after or brief, "--kind, --subject, --after and --brief are for events")
        from ecluse.history.sync_records import all_records, newest_records

        if agent or status:
            rows = all_records(frame.history, agent=agent, status=status)[-limit:]
        else:
            rows = newest_records(frame.history, limit)
        _emit_syncs(frame, rows, form)
        return
    _refuse_both(agent or status, "--agent and --status are for hand-overs")
    without: frozenset[str] = frozenset()
    if brief:
        from ecluse.cli.follow import DETAILS

        without = DETAILS
    found = frame.history.events(
        kind=kind, subject=subject, after=after, limit=limit, newest_first=True, without=without
    )
    if form == "csv" and not frame.as_json:
        put_data(_events_csv(found[::-1]))
        return
    _emit(frame, found[::-1])


def _refuse_both(wrong: object, why: str) -> None:
    if wrong:
        from ecluse.errors import Invalid

        raise Invalid("usage", f"{why}.", "ecluse history list --help")


def _emit_syncs(frame: Frame, rows: list[SyncRecord], form: str) -> None:
    from ecluse.cli.history_text import sync_document, syncs_csv, syncs_text

    if form == "csv" and not frame.as_json:
        put_data(syncs_csv(rows))
        return
    frame.emit(
        {"syncs": [sync_document(row) for row in rows]}, syncs_text(rows) or "Nothing was handed over yet that fits."
    )


@command.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "--limit", default=30, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@door()
def search_events(frame: Frame, words: tuple[str, ...], limit: int) -> None:
    """Find events that hold all WORDS (beginnings count, accents and case do not), best first."""
    from ecluse.history import search

    _emit(frame, search.find(frame.history, " ".join(words), limit))


@command.command("export")
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option("--to", "target", default="-", metavar="FILE", help="A file, or - for standard output.")
@click.option(
    "--syncs", is_flag=True, help="The hand-overs with the fields of the specification, as one JSON document."
)
@door(json_flag=False)
def export_events(frame: Frame, form: str, target: str, syncs: bool) -> None:
    """Write every event, oldest first, as JSON lines or CSV; with --syncs every export, import, undo and push."""
    from ecluse.files import write_atomically

    text = _all_syncs(frame, form) if syncs else _as_csv(frame) if form == "csv" else _as_json(frame)
    if target == "-":
        put_data(text)
        return
    write_atomically(frame.folder / target, text.encode())
    frame.say(f"{target} written", "ok")


@command.command("copy")
@door()
def make_copy(frame: Frame) -> None:
    """Make .sync/sync_history.db again from the history: the table `sync_records` that scripts and other tools read."""
    from ecluse.errors import Invalid
    from ecluse.history.sync_copy import NAME, refresh

    top = frame.repository.work_tree
    if top is None or not (top / ".sync").is_dir():
        raise Invalid("sync_history.place", "There is no folder .sync here for the copy to lie in.", "ecluse init")
    rows = refresh(frame.history, top / ".sync" / NAME, rebuild=True)
    frame.emit({"path": str(top / ".sync" / NAME), "rows": rows}, f"{rows} rows in {top / '.sync' / NAME}")


@command.command("merge")
@click.argument("folder", default="")
@door()
def merge_journals(frame: Frame, folder: str) -> None:
    """Take exports made without Écluse into the history: the journals export_*.log in FOLDER (default: .sync/logs,
    or where SYNC_DIR says)."""
    from ecluse.errors import Invalid
    from ecluse.intake.journals import merge
    from ecluse.intake.publication import default_folder

    if folder:
        place = frame.folder / folder
    elif frame.repository.work_tree is not None:
        place = default_folder(frame.repository).parent / "logs"
    else:
        raise Invalid("history.folder", "A bare repository has no .sync/logs.", "ecluse history merge FOLDER")
    if folder and not place.is_dir():
        raise Invalid("file.missing", f"There is no folder {folder}.", "name the folder that export_*.log lie in")
    new = merge(frame.history, place)
    frame.emit({"folder": str(place), "new": new}, "" if frame.quiet else f"{new} new from {place}")


@command.command("stats")
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, 366), help="How many days to count.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@door()
def show_stats(frame: Frame, days: int, form: str) -> None:
    """Count by agent, day, verdict, method, size and time."""
    from ecluse.cli.history_text import stats_csv, stats_document, stats_text
    from ecluse.history import stats

    found = stats.gather(frame.history, days)
    if form == "csv" and not frame.as_json:
        put_data(stats_csv(found))
        return
    frame.emit(stats_document(found), stats_text(found))


@command.command("find")
@click.argument("word")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@door()
def find_word(frame: Frame, word: str, limit: int, form: str) -> int:
    """Find changes and hand-overs by WORD: a bundle's or patch's name, a change id, a path, or a part of one.

    Exit: 0 something was found; 1 nothing was.
    """
    from ecluse.cli.history_text import change_line, found_csv
    from ecluse.cli.width import fitted
    from ecluse.history.lookup import find
    from ecluse.history.records import plain

    found = find(frame.history, word, limit)
    if form == "csv" and not frame.as_json:
        put_data(found_csv(found.changes, found.events))
    else:
        rows = [change_line(change) for change in found.changes] + [line(event) for event in found.events]
        documents = {"changes": plain(found.changes), "events": [document(event) for event in found.events]}
        frame.emit(
            documents,
            fitted("\n".join(rows), _INDENT) or f"Nothing recorded is called {word!r} or touches such a path.",
        )
    return ExitStatus.DONE if found.changes or found.events else ExitStatus.FAILED


@command.command("show")
@click.argument("thing")
@door()
def show_one(frame: Frame, thing: str) -> None:
    """Show THING whole: an event by its number, or anything that `ecluse show` knows by its id."""
    from ecluse.history.lookup import event_number

    event = event_number(frame.history, int(thing)) if thing.isascii() and thing.isdigit() and len(thing) < 19 else None
    if event is None:
        from ecluse.cli.show import show_record

        show_record(frame, thing)
        return
    facts = document(event)
    frame.emit({"event": facts}, _event_text(facts))


def _event_text(facts: dict[str, Any]) -> str:
    """An event with all its facts, one on each line; lists and the like as JSON."""
    import json

    own = {name: value for name, value in facts.items() if name != "data"}
    whole = {**own, **{f"data.{name}" if name in own else name: value for name, value in facts["data"].items()}}
    width = max(len(name) for name in whole)
    lines = []
    for name, value in whole.items():
        if value not in ("", {}, []):
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"  {name:<{width}}  {said}")
    return "\n".join("".join(c if c.isprintable() else " " for c in one) for one in lines)


def document(event: Event) -> dict[str, Any]:
    """The JSON form of an event."""
    return {
        "number": event.number,
        "at": event.at,
        "kind": event.kind,
        "subject": event.subject,
        "text": event.text,
        "actor": event.actor,
        "data": event.data,
    }


def line(event: Event) -> str:
    """One event as a line: when, what kind, and the sentence; no control character of it reaches the terminal."""
    text = f"{event.at[:19].replace('T', ' ')}  {event.kind:<20} {event.text}"
    return "".join(c if c.isprintable() else " " for c in text)


def _emit(frame: Frame, events: list[Event]) -> None:
    from ecluse.cli.width import fitted

    text = "\n".join(line(event) for event in events) or "Nothing recorded yet that fits."
    frame.emit({"events": [document(event) for event in events]}, fitted(text, _INDENT))


def _all_events(frame: Frame) -> list[Event]:
    found: list[Event] = []
    while page := frame.history.events(after=found[-1].number if found else 0, limit=5000):
        found += page
    return found


def _as_json(frame: Frame) -> str:
    import json

    return "".join(json.dumps(document(event), ensure_ascii=False) + "\n" for event in _all_events(frame))


def _as_csv(frame: Frame) -> str:
    return _events_csv(_all_events(frame))


def _events_csv(events: list[Event]) -> str:
    import json

    from ecluse.cli.history_text import as_csv

    head = ("number", "at", "kind", "subject", "actor", "text", "data")
    return as_csv(
        head,
        ((e.number, e.at, e.kind, e.subject, e.actor, e.text, json.dumps(e.data, ensure_ascii=False)) for e in events),
    )


def _all_syncs(frame: Frame, form: str) -> str:
    import json

    from ecluse.cli.frame import SCHEMA_VERSION
    from ecluse.cli.history_text import sync_document, syncs_csv
    from ecluse.history.sync_records import all_records

    rows = all_records(frame.history)
    if form == "csv":
        return syncs_csv(rows)
    document = {"schema_version": SCHEMA_VERSION, "syncs": [sync_document(row) for row in rows]}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
