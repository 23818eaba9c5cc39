"""Every export leaves a trace: events where the repository has a history, else a log file; also when it was refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecluse import __version__
from ecluse.clock import instant, new_id, now
from ecluse.errors import Failed, Problem
from ecluse.files import sync_room, write_atomically
from ecluse.git import Repository
from ecluse.intake.manifest import clean
from ecluse.intake.outbox import Exported, ExportRequest, export
from ecluse.model import Event


def export_recorded(repository: Repository, request: ExportRequest) -> Exported:
    """:func:`ecluse.intake.outbox.export`, recorded: ``export.begun`` before, ``export.done`` or ``export.refused`` after.

    Where there is no history, or none that may be written, one JSON line goes to ``.sync/logs/export_*.log`` (without ``.sync``: to
    ``.git/ecluse/logs``); a log that cannot be written does not stop an export. Raises what ``export`` raises.
    """
    subject = f"export/{new_id('exp')}"
    agent = clean(request.agent.name)
    with contextlib.ExitStack() as stack:
        branch = repository.branch() or "(detached)"
        begun = Event("export.begun", subject, f"export of {branch} begun", agent, {"source_branch": branch})
        return _follow(repository, request, subject, _journal(repository, begun, stack), agent)


def _journal(repository: Repository, begun: Event, stack: contextlib.ExitStack) -> Callable[[Event], object]:
    """Where events go: the history, once it has taken that the export begun; else, and where it is not ours to write,
    the log files."""
    if (repository.state_dir / "history.db").exists():
        from ecluse.history import History

        try:
            history = stack.enter_context(History.open(repository.state_dir))
            history.note(begun)
        except Failed as problem:
            if not problem.code.startswith("disk."):
                raise
        else:
            return history.note
    return lambda event: _write_log(repository, event)


def _follow(
    repository: Repository, request: ExportRequest, subject: str, note: Callable[[Event], object], agent: str
) -> Exported:
    branch = repository.branch() or "(detached)"
    try:
        done = export(repository, request)
    except Problem as problem:
        data = {"code": problem.code, "source_branch": branch}
        note(Event("export.refused", subject, f"export refused: {problem.code}: {problem.message}", agent, data))
        raise
    text = f"{done.change_id}/{done.revision} exported to {done.path}: {done.title}"
    note(Event("export.done", subject, text, agent, _facts(done, branch)))
    return done


def _facts(done: Exported, branch: str) -> dict[str, Any]:
    carried = {one["kind"]: one for one in done.payloads}
    return {
        "change_id": done.change_id,
        "revision": done.revision,
        "title": done.title,
        "path": str(done.path),
        "patch_name": carried.get("patch", carried["bundle"])["name"],
        "names": [done.path.name, *(one["name"] for one in done.payloads)],
        "source_branch": branch,
        "target_branch": "",
        "commits_count": done.commits,
        "files_modified": len(done.files),
        "files": [one["path"] for one in done.files[:1000]],
        "patch_size": sum(one["size"] for one in done.payloads),
        "omissions": [one["path"] for one in done.omissions[:50]],
        "base": done.base,
        "head": done.head,
        "tree": done.tree,
    }


def _write_log(repository: Repository, event: Event) -> Path | None:
    """One export, one file: names do not collide, because the subject's id is in them."""
    top = repository.work_tree
    room = sync_room(top) if top is not None else None
    folder = room / "logs" if room is not None and room.is_dir() else repository.state_dir / "logs"
    path = folder / f"export_{now():%Y%m%d_%H%M%S}_{event.subject[-4:]}.log"
    data, refused = event.data, event.kind == "export.refused"
    row = {
        "at": instant(), "action": "export", "code": data.get("code", ""),
        "status": "failed" if refused else "partial" if data.get("omissions") else "success",
        "message": event.text if refused else data.get("title", ""), "exporter": f"ecluse {__version__}",
        "agent": event.actor, "branch": data.get("source_branch", ""), "base": data.get("base", ""),
        "target": data.get("target_branch", ""), "head": data.get("head", ""), "change_id": data.get("change_id", ""),
        "revision": data.get("revision", 0), "patch": data.get("patch_name", ""), "path": data.get("path", ""),
        "files": data.get("files_modified", 0), "size_bytes": data.get("patch_size", 0),
        "commits": data.get("commits_count", 0),
    }  # fmt: skip
    with contextlib.suppress(Problem):
        write_atomically(path, json.dumps(row, ensure_ascii=True).encode("ascii", "backslashreplace") + b"\n")
        return path
    return None
