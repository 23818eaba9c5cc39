"""The rows of the specification's table ``sync_records``, made from the history. One table maps states to its words."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.history.records import event_of, storable
from ecluse.history.store import History
from ecluse.model import Change, ChangeState, Event, Verdict

STATUS: dict[str, str] = {
    ChangeState.RECEIVED: "partial",
    ChangeState.READY: "success",
    ChangeState.QUARANTINED: "partial",
    ChangeState.CONFLICT: "partial",
    ChangeState.REJECTED: "failed",
    ChangeState.SUPERSEDED: "partial",
    ChangeState.LANDED: "success",
    ChangeState.UNDONE: "partial",
    "export.begun": "partial",
    "export.done": "success",
    "export.refused": "failed",
    "change.refused": "failed",
    "import.begun": "partial",
    "import.refused": "failed",
    "change.undone": "success",
    "push.done": "success",
    "push.failed": "failed",
}
"""State of a change, or kind of an event -> ``success``, ``failed`` or ``partial`` (docs/history.md carries it).

An export that left something out which nobody accepted is ``partial`` as well.
"""

VERDICT_STATUS: dict[Verdict, str] = {
    Verdict.ACCEPT: "success",
    Verdict.WARN: "success",
    Verdict.NEUTRALISE: "success",
    Verdict.QUARANTINE: "partial",
    Verdict.REJECT: "failed",
}
"""What an import's row says first, by the verdict: READY, QUARANTINED and REJECTED are what they lead to."""

EVENT_KINDS = (
    "export.begun", "export.done", "export.refused", "change.refused", "sync.imported", "import.begun",
    "import.refused", "change.undone", "push.done", "push.failed",
)  # fmt: skip
"""Events that are rows by themselves; an import's row is made from its change once there is one."""

STATUSES = ("success", "partial", "failed")
TYPES = ("export", "import", "undo", "push")
"""What a row can be of; an older tool may have had others."""

_PAGES, _PAGE = 4, 1000
"""How many events are looked at at a time, for each row that is wanted, and at most."""


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """One row. ``record_key`` names what it was made from; sizes are bytes; ``metadata`` is a JSON object."""

    record_key: str
    timestamp: str
    agent: str
    sync_type: str
    patch_name: str
    source_branch: str
    target_branch: str
    commits_count: int
    files_modified: int
    patch_size: int
    status: str
    error_message: str
    metadata: str


COLUMNS = tuple(field.name for field in dataclasses.fields(SyncRecord))


def from_change(change: Change, carrier: str = "") -> SyncRecord:
    """The row of an import: where the change stands now. ``carrier`` is the file that carried it, where that is known."""
    status = STATUS[change.state]
    facts = {
        "change_id": change.id, "revision": change.revision, "state": change.state.value, "title": change.title,
        "verdict": change.verdict.value if change.verdict else "", "method": change.method, "base": change.base,
        "task": change.task, "signed_by": change.about.get("signed_by", ""), "head": change.head, "tree": change.tree, "files": list(change.files[:1000]), "updated_at": change.updated_at,
    }  # fmt: skip
    return SyncRecord(
        record_key=change.subject,
        timestamp=change.created_at,
        agent=change.agent,
        sync_type="import",
        patch_name=carrier or posixpath.basename(change.source.replace("\\", "/")),
        source_branch=str(change.about.get("branch", "")),
        target_branch=change.target.removeprefix("refs/heads/"),
        commits_count=len(change.commits),
        files_modified=len(change.files),
        patch_size=change.size_bytes,
        status=status,
        error_message="" if status == "success" else change.reason or f"the change is {change.state}",
        metadata=_json(facts),
    )


def from_event(event: Event) -> SyncRecord:
    """The row of an export, of a refusal that made no change, or of a record that an older tool had made."""
    data = event.data
    old = event.kind == "sync.imported"
    status = str(data.get("status", "")) if old else STATUS[event.kind]
    if event.kind == "export.done" and data.get("omissions"):
        status = "partial"
    said = str(data.get("error_message", "")) if old else "" if status == "success" else event.text
    if status == "partial" and event.kind == "export.done":
        said = f"left out and not accepted: {', '.join(map(str, data['omissions']))}"
    return SyncRecord(
        record_key=_key_of(event),
        timestamp=str(data.get("timestamp") or event.at),
        agent=event.actor,
        sync_type=str(data.get("sync_type", "")) if old else kind_of(event.kind),
        patch_name=str(data.get("patch_name", "")),
        source_branch=str(data.get("source_branch", "")),
        target_branch=str(data.get("target_branch", "")),
        commits_count=_whole(data.get("commits_count")),
        files_modified=_whole(data.get("files_modified")),
        patch_size=_whole(data.get("patch_size")),
        status=status,
        error_message=said,
        metadata=_json(data),
    )


def kind_of(event: str) -> str:
    """Which of :data:`TYPES` an event of this kind is a row of."""
    return {"change.refused": "import", "change.undone": "undo"}.get(event, event.partition(".")[0])


def touched(history: History, after: int) -> tuple[list[SyncRecord], list[str]]:
    """The rows that events with a number above ``after`` made or changed (with 0: every row there is), and keys of rows that are none any more.

    An import that was begun is a row of its own until its change, or its refusal, stands for it.
    """
    rows: dict[str, SyncRecord] = {}
    gone: dict[str, None] = {}
    seen = after
    changed: dict[str, str | None] = {}
    while page := history.events(after=seen, limit=2000):
        seen = page[-1].number
        for event in page:
            if event.subject.startswith("change/"):
                carrier = str(event.data.get("patch_name", "")) if event.kind == "change.received" else None
                key = event.subject.removeprefix("change/")
                changed[key] = carrier if carrier is not None else changed.get(key)
            if event.kind in EVENT_KINDS:
                made = from_event(event)
                rows[made.record_key] = made
            elif event.kind == "import.done":
                rows.pop(event.subject, None)
                gone[event.subject] = None
    for key, carrier in changed.items():
        change = history.get(Change, key)
        if change is not None:
            rows[change.subject] = from_change(change, _received_in(history, change) if carrier is None else carrier)
    return list(rows.values()), list(gone)


def all_records(history: History, *, agent: str = "", status: str = "") -> list[SyncRecord]:
    """Every row there is, or those of one agent or with one status, oldest first."""
    rows, _ = touched(history, 0)
    fitting = (one for one in rows if agent in ("", one.agent) and status in ("", one.status))
    return sorted(fitting, key=lambda one: (one.timestamp, one.record_key))


def newest_records(history: History, limit: int) -> list[SyncRecord]:
    """The newest ``limit`` rows, oldest first, without reading what is older: nothing was done after it was recorded."""
    changes = history.find(Change, newest_first=True, limit=limit)
    rows = {one.subject: from_change(one, _received_in(history, one)) for one in changes}
    over: set[str] = set()
    before = history.last_event() + 1
    while page := _own_events(history, before, min(_PAGES * limit, _PAGE)):
        before = page[-1].number
        for event in page:
            if event.kind == "import.done":
                over.add(event.subject)
            elif event.subject not in over:
                made = from_event(event)
                rows.setdefault(made.record_key, made)
        times = sorted((one.timestamp for one in rows.values()), reverse=True)[:limit]
        if len(times) == limit and times[-1] >= page[-1].at:
            break
    return sorted(rows.values(), key=lambda one: (one.timestamp, one.record_key))[-limit:]


def _own_events(history: History, before: int, limit: int) -> list[Event]:
    kinds = (*EVENT_KINDS, "import.done")
    marks = ", ".join("?" for _ in kinds)
    sql = f"SELECT number, at, kind, subject, text, actor, data FROM events WHERE number < ? AND kind IN ({marks}) ORDER BY number DESC LIMIT ?"  # noqa: S608 - marks only
    return [event_of(row) for row in history.execute(sql, (before, *kinds, limit))]


def carrier_of(history: History, change: Change) -> str:
    """The file that carried a change: as it was recorded on receipt, else the last part of its source."""
    return _received_in(history, change) or posixpath.basename(change.source.replace("\\", "/"))


def _received_in(history: History, change: Change) -> str:
    events = history.events(subject=change.subject, kind="change.received", limit=1)
    return str(events[0].data.get("patch_name", "")) if events else ""


def _key_of(event: Event) -> str:
    """Exports and imports are one row each, from begun to over; what may happen again to one subject is numbered."""
    word = {"change.refused": "refused", "change.undone": "undone", "push.done": "push", "push.failed": "push"}
    return f"{event.subject}/{word[event.kind]}/{event.number}" if event.kind in word else event.subject


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _json(value: Any) -> str:
    return storable(json.dumps(value, ensure_ascii=True, separators=(",", ":")))
