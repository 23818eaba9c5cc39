"""Every import leaves a trace: begun before, its outcome after, also when it was refused before anything was kept.

Beside the history, one JSON document for each import goes to ``.sync/logs/import_TIME.log`` where there is a ``.sync``.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ecluse.clock import instant, new_id, now
from ecluse.errors import Problem
from ecluse.files import sync_room, write_atomically
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.sync_records import STATUS
from ecluse.intake import journals
from ecluse.intake.inbox import receive
from ecluse.intake.manifest import clean
from ecluse.intake.sources import Piped
from ecluse.model import Change, Event


def receive_recorded(
    repository: Repository,
    history: History,
    source: Path | Piped,
    *,
    target: str | None = None,
    ref: str = "",
    actor: str,
    wants_landing: bool = False,
) -> Change:
    """:func:`ecluse.intake.inbox.receive`, recorded: ``import.begun`` before, ``import.done`` or ``import.refused`` after.

    Exports that are known from journals beside the bundle and from the bundle's own manifest are taken into the history
    as well. Raises what ``receive`` raises.
    """
    subject = f"import/{new_id('imp')}"
    name = clean(source.name) if isinstance(source, Path) else "(standard input)"
    data: dict[str, Any] = {"patch_name": name, "target_branch": clean(target or "")}
    history.note(Event("import.begun", subject, f"import of {name} begun", actor, data))
    if isinstance(source, Path):
        journals.merge_beside(history, repository, source)
    try:
        change = receive(repository, history, source, target=target, ref=ref, actor=actor, wants_landing=wants_landing)
    except Problem as problem:
        data |= {"code": problem.code, "patch_size": _size(source)}
        if problem.code == "replay.conflict":  # recorded with the change whose name it claims
            history.note(Event("import.done", subject, f"{name} was refused: {problem.code}", actor, data))
        else:
            text = f"import of {name} refused: {problem.code}: {clean(problem.message)}"
            history.note(Event("import.refused", subject, text, actor, data))
        _write_log(
            repository, {"status": "failed", "code": problem.code, "message": clean(problem.message), "patch": name}
        )
        raise
    with history.transaction():
        history.note(Event("import.done", subject, f"{name} is {change.key}", actor, {**data, "change": change.key}))
        journals.note_claimed(repository, history, change)
    return change


def log_judged(repository: Repository, change: Change) -> None:
    """Leave what a judged change came to in ``.sync/logs``."""
    facts = {
        "status": STATUS[change.state], "code": change.reason.partition(":")[0] if change.reason else "",
        "message": change.reason or change.title, "agent": change.agent, "base": change.base, "head": change.head,
        "target": change.target.removeprefix("refs/heads/"), "change_id": change.id, "revision": change.revision,
        "patch": Path(change.source).name, "files": len(change.files), "size_bytes": change.size_bytes,
        "commits": len(change.commits), "path": change.ref, "method": change.method,
        "verdict": change.verdict.value if change.verdict else "",
    }  # fmt: skip
    _write_log(repository, facts)


def _write_log(repository: Repository, facts: dict[str, Any]) -> None:
    top = repository.work_tree
    folder = sync_room(top) / "logs" if top is not None else None
    if folder is None or not folder.is_dir() or folder.is_symlink() or folder.parent.is_symlink():
        return
    path = folder / f"import_{now().astimezone():%Y%m%d_%H%M%S}_{new_id('log')[-4:]}.log"
    row = {"at": instant(), "action": "import", **facts}
    with contextlib.suppress(Problem):  # a log that cannot be written stops no import
        write_atomically(path, json.dumps(row, ensure_ascii=True, indent=1).encode("ascii") + b"\n")


def _size(source: Path | Piped) -> int:
    path = source if isinstance(source, Path) else source.path
    with contextlib.suppress(OSError):
        return path.stat().st_size if path.is_file() else 0
    return 0
