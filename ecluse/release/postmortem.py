"""Incidents: the timeline that the history holds, and the page that is written afterwards, with its facts filled in."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from ecluse import clock
from ecluse.errors import Invalid, Problem, Waits
from ecluse.history import History
from ecluse.model import Change, Deployment, Event
from ecluse.release.context import Context
from ecluse.release.own_change import write_once

FOLDER = "docs/post-mortems"
SEVERITIES = ("SEV1", "SEV2", "SEV3")
KINDS = ("release", "landing", "deployment", "gate", "freeze", "lock", "run")
"""What belongs into a timeline: kinds of events, each with everything below it."""
QUIET = ("release.step", "landing.queued", "landing.testing", "run.queued", "run.started")
BEFORE = timedelta(hours=24)
"""How far before its beginning an incident's causes are looked for in the history."""
MOST = 200


@dataclass(frozen=True, slots=True)
class Incident:
    """What is known when an incident is opened. ``since`` is an instant."""

    title: str
    severity: str
    since: str


def incident(title: str, severity: str, since: str) -> Incident:
    """Check what a person said. Raises :class:`Invalid` for another severity, no title, or a time that is none."""
    title = " ".join(title.split())
    if not title or len(title) > 120:
        raise Invalid("incident.title", "An incident needs a title of at most 120 characters.", "--input title=TEXT")
    if severity.upper() not in SEVERITIES:
        raise Invalid("incident.severity", f"{severity!r} is not SEV1, SEV2 or SEV3.", "--input severity=SEV2")
    try:
        began = clock.instant() if not since else _instant(since)
    except ValueError:
        raise Invalid(
            "incident.since", f"{since!r} is no time: write 2026-01-31T18:05Z.", "--input since=YYYY-MM-DDTHH:MMZ"
        ) from None
    return Incident(title, severity.upper(), began)


def _instant(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z", text):
        raise ValueError(text)
    whole = f"{text[:-1]}.000Z" if len(text) > 17 else f"{text[:-1]}:00.000Z"
    clock.parse(whole)
    return whole


def timeline(history: History, since: str) -> list[Event]:
    """What happened from a day before ``since`` until now, oldest first; the newest two hundred when there is more."""
    first = (clock.parse(since) - BEFORE).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found: list[Event] = []
    for kind in KINDS:
        events = history.events(kind=kind, limit=1000, newest_first=True, without=QUIET)
        found += [event for event in events if event.at >= first]
    return sorted(found, key=lambda event: (event.at, event.number))[-MOST:]


def path_of(day: str, title: str) -> str:
    """``docs/post-mortems/YYYY-MM-DD-<title>.md`` with the title in plain letters."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "incident"
    return f"{FOLDER}/{day}-{slug}.md"


def page(context: Context, what: Incident, facts: list[str]) -> str:
    """The page: facts filled in, questions that only people can answer left as questions."""
    release = context.release
    rows = "\n".join(
        f"| {event.at[:19].replace('T', ' ')} | {_cell(event.text)} |"
        for event in timeline(context.history, what.since)
    )
    live = [d for d in context.history.find(Deployment) if d.updated_at >= what.since or d.state.value == "live"]
    running = "\n".join(f"- {d.environment}: {d.version} ({d.state})" for d in live) or "- no deployment is on record"
    changes = "\n".join(
        f"- {change.key}: {_cell(change.title)} (by {_cell(change.agent)})"
        for change in context.history.find(Change, newest_first=True, limit=20)
        if change.state.value == "landed"
    )
    known = "\n".join(f"- {fact}" for fact in facts)
    return f"""# {what.title}

- severity: {what.severity}
- began: {what.since[:19].replace("T", " ")} UTC
- record: {release.id}
{known}

This page looks for causes in the system, not for somebody to blame.

## What users noticed

*Who was hurt, how, and for how long?*

## What happened

| when (UTC) | what |
|---|---|
{rows or "| | nothing is on record |"}

## What was running

{running}

## What had landed last

{changes or "- nothing is on record"}

## Why it could happen

*Ask why until the answer is something that can be changed.*

## Why it was not seen earlier

*Which check, gate or watch could have said so?*

## What went well

*What should be done the same way next time?*

## What will be different

| measure | who | until |
|---|---|---|
| | | |
"""


def write(context: Context, what: Incident, effect: str, facts: list[str], *, land: bool) -> Change:
    """The change that brings the page, made now or found again."""
    path = path_of(what.since[:10], what.title)
    message = f"docs(post-mortem): {what.title}"
    return write_once(context, effect, path, page(context, what, facts).encode(), message, land=land)


def after_rollback(context: Context, why: str, began: str) -> str:
    """Have the page of a release that went back ready, and say so in a sentence; what hinders it is said instead.

    It lands when a person has read it: the trunk does not move by itself while people put out a fire.
    """
    release = context.release
    title = f"{release.version or release.commit[:12]} was rolled back in {release.environment or 'production'}"
    facts = [
        f"version: {release.version}, before it {release.previous or 'none'}",
        f"started by: {release.starter}",
        f"rolled back because: {_cell(why)}",
    ]
    try:
        change = write(context, Incident(title, "SEV2", began), "post-mortem", facts, land=False)
    except Waits:
        raise
    except Problem as problem:
        if problem.code.startswith("history."):
            raise
        return f"No post-mortem could be begun: {problem.message}"
    page = change.files[0] if change.files else FOLDER
    return f"A post-mortem is begun: ecluse land {change.key} brings {page}, where people complete it"


def _cell(text: str) -> str:
    """``text`` as it may stand in a table: one line, no bars, nothing that Markdown would draw."""
    plain = " ".join(text.split()).replace("|", "/").replace("<", "&lt;").replace("`", "'")
    return plain if len(plain) <= 200 else f"{plain[:197]}..."
