"""Which change an export is a revision of: an id that stays over re-exports, and a number that never comes twice."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ecluse.clock import new_id
from ecluse.dataclass import dataclass
from ecluse.errors import Problem
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.intake import outcomes
from ecluse.intake.turn import turn

_FILE = "exports.json"


@dataclass(frozen=True, slots=True)
class Lineage:
    id: str
    revision: int


def next_revision(
    repository: Repository, base: str, head: str, outputs: Path | None, beyond: Collection[str]
) -> Lineage:
    """Name this export, and keep the name before anything is published: a number skipped is better than one used twice.

    It is a new revision of the last change exported from this branch, unless that one is in ``base`` by now (it has
    landed); ``beyond`` are the commits between ``base`` and ``head``. Where ``.git`` cannot be written, the manifests
    of earlier exports in ``outputs`` are asked instead.
    """
    branch = repository.branch() or "(detached)"
    with turn(repository.state_dir / "exports.busy"):
        kept = _kept(repository)
        last = kept.get(branch) or _from_outputs(outputs, branch)
        if last and not _has_landed(repository, last, base, beyond):
            lineage = Lineage(str(last["id"]), int(last["revision"]) + 1)
        else:
            lineage = Lineage(new_id("chg"), 1)
        kept[branch] = {"id": lineage.id, "revision": lineage.revision, "head": head, "base": base}
        with contextlib.suppress(Problem):  # a read-only .git: the outputs are the memory then
            write_atomically(repository.state_dir / _FILE, json.dumps(kept, indent=1).encode())
    return lineage


def _has_landed(repository: Repository, last: dict[str, Any], base: str, beyond: Collection[str]) -> bool:
    head = str(last.get("head", ""))
    if head and head in outcomes.landed_heads(repository):
        return True
    if head in beyond:
        return False
    return bool(base and head and repository.resolve(head) and repository.is_ancestor(head, base))


def _kept(repository: Repository) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads((repository.state_dir / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _from_outputs(outputs: Path | None, branch: str) -> dict[str, Any] | None:
    if outputs is None or not outputs.is_dir():
        return None
    newest: dict[str, Any] | None = None
    for path in sorted(outputs.glob("sync_cloud_*.json"))[-50:]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(path.read_bytes())
            if said["git"]["branch"] == branch:
                found = {
                    "id": said["change"]["id"],
                    "revision": said["change"]["revision"],
                    "head": said["head"]["commit"],
                }
                if newest is None or found["revision"] >= newest["revision"] or found["id"] != newest["id"]:
                    newest = found
    return newest
