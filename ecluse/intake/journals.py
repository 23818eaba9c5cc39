"""Exports that were made without Écluse: read from the journals they left and from the manifests of their bundles.

A journal is a stranger's file: few and small ones are read, strictly, never through a link; words are cut and cleaned,
what looks like a secret is left out. Reading the same journal again records nothing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ecluse.errors import Invalid, Problem, Refused
from ecluse.files import read_capped, sync_room
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.lookup import export_known
from ecluse.intake import strictjson
from ecluse.intake.manifest import ID, Manifest, clean
from ecluse.intake.sources import read_claims
from ecluse.model import Change, Event
from ecluse.patterns import expression
from ecluse.secrets.scan import covered

FILES_CAP = 500
"""How many journals of a folder are read: the newest by name."""

FILE_BYTES = 64 << 10
_ROWS_CAP = 200
_INSTANT = expression(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z\Z")
_OID = expression(r"[0-9a-f]{40}\Z")
_STATUSES = ("success", "partial", "failed")


def merge(history: History, folder: Path) -> int:
    """Take the exports that the journals ``export_*.log`` in ``folder`` tell of into the history; how many were new."""
    if not folder.is_dir() or folder.is_symlink():
        return 0
    names = sorted(path.name for path in folder.glob("export_*.log"))[-FILES_CAP:]
    return sum(_take(history, row, name) for name in names for row in _rows(folder / name))


def merge_beside(history: History, repository: Repository, source: Path) -> int:
    """:func:`merge` of this checkout's own ``.sync/logs`` and of the ``logs`` beside the folder that ``source`` lies in."""
    folder = source if source.is_dir() else source.parent
    places = [folder.parent / "logs"] if folder.name == "patches" and source.exists() else []
    if repository.work_tree is not None:
        places.append(sync_room(repository.work_tree) / "logs")
    return sum(merge(history, place) for place in dict.fromkeys(places))


def note_claimed(repository: Repository, history: History, change: Change) -> bool:
    """Record the export that a bundle's own manifest tells of, unless it is on record; whether it was new."""
    folder = repository.state_dir / "inbox" / change.digest
    if export_known(history, change.id, change.revision):
        return False
    try:
        index = json.loads((folder / ".parcel.json").read_bytes())
    except (OSError, ValueError):
        return False
    path = folder / str(index.get("manifest") or "none")
    said = read_claims(path) if path.is_file() else None
    if not isinstance(said, Manifest) or said.foreign:
        return False
    whole = strictjson.loads(read_capped(path, strictjson.MAX_BYTES))  # read_claims has read it before us
    git = whole.get("git", {})
    patch = said.payload("patch") or said.payload("bundle")
    row = {
        "status": "success", "agent": said.agent.name, "target": said.target, "base": said.base, "head": said.head,
        "change_id": said.id, "revision": said.revision, "patch": patch.name if patch else "",
        "files": len(said.files), "commits": git.get("commits_ahead"), "branch": git.get("branch"),
        "message": said.title, "size_bytes": sum(max(one.size, 0) for one in said.payloads), "path": "",
        "at": whole.get("export_date"), "exporter": whole.get("generator"),
    }  # fmt: skip
    return _take(history, row, "its manifest")


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one journal: one JSON document, or one on each line. What cannot be read is passed over."""
    if path.is_symlink() or not path.is_file():
        return []
    try:
        data = read_capped(path, FILE_BYTES)
    except Problem:
        return []
    whole = _parse(data)
    parts = [whole] if whole is not None else [_parse(line) for line in data.splitlines()[:_ROWS_CAP]]
    return [row for row in parts if isinstance(row, dict) and row.get("action") == "export"]


def _parse(data: bytes) -> Any:
    try:
        return strictjson.loads(data, "the journal")
    except (Refused, Invalid):
        return None


def _take(history: History, row: dict[str, Any], where: str) -> bool:
    status = row.get("status")
    if status not in _STATUSES:
        return False
    change_id, revision = _text(row, "change_id"), _number(row, "revision")
    named = bool(ID.match(change_id)) and revision > 0 and status != "failed"
    raw = json.dumps({str(key)[:60]: str(value)[:2000] for key, value in row.items()}, sort_keys=True)
    digest = hashlib.sha256(raw.encode("utf-8", "backslashreplace")).hexdigest()[:20]
    subject = f"export/{change_id}.{revision}" if named else f"export/journal-{digest}"
    data = _facts(row, change_id if named else "", revision if named else 0)
    data["journal"] = clean(where)
    text = f"{change_id}/{revision} exported" if named else "export refused" if status == "failed" else "exported"
    text = f"{text} by {data['exporter'] or 'an exporter'}: {data['message']}"
    kind = "export.refused" if status == "failed" else "export.done"
    if status == "partial":
        data["omissions"] = ["see its manifest"]
    with history.transaction():
        if history.events(subject=subject, limit=1) or (named and export_known(history, change_id, revision)):
            return False
        history.note(Event(kind, subject, text, _text(row, "agent"), data))
    return True


def _facts(row: dict[str, Any], change_id: str, revision: int) -> dict[str, Any]:
    """The fields of the specification, as the history keeps them for an export made here."""
    at = row.get("at")
    return {
        "change_id": change_id,
        "revision": revision,
        "patch_name": _text(row, "patch"),
        "source_branch": _text(row, "branch"),
        "target_branch": _text(row, "target"),
        "commits_count": _number(row, "commits"),
        "files_modified": _number(row, "files"),
        "patch_size": _number(row, "size_bytes"),
        "timestamp": at if isinstance(at, str) and _INSTANT.match(at) else "",
        "base": _oid(row, "base"),
        "head": _oid(row, "head"),
        "code": _text(row, "code"),
        "message": _text(row, "message"),
        "exporter": _text(row, "exporter"),
        "path": _text(row, "path"),
    }


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return covered(clean(value)) if isinstance(value, str) else ""


def _number(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 50 else 0


def _oid(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) and _OID.match(value) else ""
