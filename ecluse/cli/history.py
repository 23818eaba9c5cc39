"""``ecluse history``: read, search, count and export everything that happened."""

from __future__ import annotations

import csv
import io
from typing import Any

import click

from ecluse.cli.follow import DETAILS
from ecluse.cli.frame import Frame, door
from ecluse.model import Event


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
@door()
def list_events(frame: Frame, limit: int, kind: str, subject: str, after: int, brief: bool) -> None:
    """List events, newest last."""
    without = DETAILS if brief else ()
    found = frame.history.events(
        kind=kind, subject=subject, after=after, limit=limit, newest_first=True, without=without
    )
    _emit(frame, found[::-1])


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
@door(json_flag=False)
def export_events(frame: Frame, form: str, target: str) -> None:
    """Write every event, oldest first, as JSON lines or CSV."""
    from pathlib import Path

    from ecluse.files import write_atomically

    text = _as_csv(frame) if form == "csv" else _as_json(frame)
    if target == "-":
        click.echo(text, nl=False)
        return
    write_atomically(Path(target), text.encode())
    frame.say(f"{target} written", "ok")


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
    text = "\n".join(line(event) for event in events) or "Nothing recorded yet that fits."
    frame.emit({"events": [document(event) for event in events]}, text)


def _all_events(frame: Frame) -> list[Event]:
    found: list[Event] = []
    while page := frame.history.events(after=found[-1].number if found else 0, limit=5000):
        found += page
    return found


def _as_json(frame: Frame) -> str:
    import json

    return "".join(json.dumps(document(event), ensure_ascii=False) + "\n" for event in _all_events(frame))


def _as_csv(frame: Frame) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["number", "at", "kind", "subject", "actor", "text"])
    for event in _all_events(frame):
        writer.writerow([event.number, event.at, event.kind, event.subject, event.actor, event.text])
    return buffer.getvalue()
