"""A rolling checkpoint: the change as it stands, exported again whenever it has changed, older ones of it removed.

A sandbox that dies loses what was done since the last one. A checkpoint is a bundle like any other; its manifest says
``"status": "checkpoint"``, and only such ones are ever removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from ecluse.errors import Invalid, Refused
from ecluse.files import sync_folder
from ecluse.git import Repository
from ecluse.intake.baseline import find_baseline
from ecluse.intake.exportlog import export_recorded
from ecluse.intake.manifest import clean
from ecluse.intake.outbox import Exported, ExportRequest
from ecluse.intake.outcomes import landed_heads
from ecluse.intake.publication import default_folder, names_of
from ecluse.intake.snapshot import committer, take
from ecluse.patterns import expression

STATUS = "checkpoint"
_MANIFEST = expression(r"sync_cloud_(\d{8}_\d{6}(?:_\d+)?)\.json\Z")
_ASIDE = ".pruned-"


class Checkpoints:
    """The checkpoints of one checkout. Knows what it saw last, so that a look at unchanged work writes nothing."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._seen: tuple[str, str, str] | None = None
        self._uncommitted = False

    def take(self, request: ExportRequest, *, finish: bool = False) -> Exported | None:
        """Export the work as it is now, unless it is as it was at the last look, or there is none; then ``None``.

        With ``finish``, work that is wholly committed is a finished export and not a checkpoint; it stays until the
        next one, for a checkpoint is nothing to land. A red check is recorded and stops nothing: half-done work is what a checkpoint is for. Raises what ``export``
        raises; what was refused is not tried again before the work has changed.
        """
        state = self._state(request)
        if state is None or state == self._seen:
            return None
        outputs = default_folder(self.repository) if request.to is None else request.to
        if self._seen is None and outputs.suffix != ".tar" and state == _newest(outputs, state[2]):
            self._seen = state
            return None
        try:
            passing = not finish or self._uncommitted
            done = export_recorded(self.repository, dataclasses.replace(request, checkpoint=passing, allow_red=True))
        except (Invalid, Refused):
            self._seen = state
            raise
        self._seen = (done.base, done.head, state[2])
        if outputs.suffix != ".tar":
            prune(outputs, done.change_id, done.revision, finished=finish and not passing)
        return done

    def _state(self, request: ExportRequest) -> tuple[str, str, str] | None:
        """(base, tip, branch) of what there is to hand over; ``None`` when that is nothing."""
        head = self.repository.resolve("HEAD")
        if head is None:
            return None
        based = find_baseline(self.repository, head, request.base)
        who = committer(self.repository, clean(request.agent.name))
        with self.repository.temporary_clone() as temporary:
            work = take(self.repository, temporary, head, who=lambda: who, max_file_bytes=request.max_file_bytes)
        tip = work.commit or head
        if tip == based.commit or tip in landed_heads(self.repository):
            return None
        self._uncommitted = bool(work.commit)
        return based.commit, tip, self.repository.branch() or "(detached)"


def prune(folder: Path, change: str, revision: int, *, finished: bool = False) -> int:
    """Remove the checkpoints of ``change`` older than ``revision`` from ``folder``; return how many.

    With ``finished``, older exports of it that were no checkpoints too. The manifest goes first, by rename, so that
    half of a bundle is never taken for a whole one; what a death left behind is finished by the next call.
    """
    removed = 0
    for path, said in _manifests(folder):
        with contextlib.suppress(KeyError, TypeError):
            old = said["change"]["id"] == change and said["change"]["revision"] < revision
            if old and (finished or said.get("status") == STATUS):
                path.rename(path.with_name(f"{_ASIDE}{path.name}"))
                removed += 1
    for path in folder.glob(f"{_ASIDE}*"):
        stamp = _MANIFEST.search(path.name.removeprefix(_ASIDE))
        for name in names_of(stamp.group(1)) if stamp else ():
            (folder / name).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    if removed:
        sync_folder(folder)
    return removed


def is_checkpoint(path: Path) -> bool:
    """Whether the manifest at ``path`` says that it is one; anything that cannot be read is none."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        said = json.loads(path.read_bytes())
        return isinstance(said, dict) and said.get("status") == STATUS
    return False


def _newest(folder: Path, branch: str) -> tuple[str, str, str] | None:
    """(base, tip, branch) of the newest export of ``branch`` in ``folder``: a watch that is started again goes on."""
    found: tuple[int, tuple[str, str, str]] | None = None
    for _, said in _manifests(folder):
        with contextlib.suppress(KeyError, TypeError):
            state = (said["base"]["commit"], said["head"]["commit"], said["git"]["branch"])
            revision = int(said["change"]["revision"])
            if state[2] == branch and (found is None or revision >= found[0]):
                found = (revision, state)
    return found[1] if found else None


def _manifests(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The manifests in a folder that can be read, in the order of their names."""
    found = []
    for path in sorted(folder.glob("sync_cloud_*.json")) if folder.is_dir() else ():
        with contextlib.suppress(OSError, ValueError, RecursionError):
            said = json.loads(path.read_bytes())
            if _MANIFEST.match(path.name) and isinstance(said, dict):
                found.append((path, said))
    return found
