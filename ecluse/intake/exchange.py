"""Both directions through one folder that the repository and a sandbox see: bundles come in, the trunk goes out.

In the folder lie the sandbox's exports (``sync_cloud_*``) and the repository's ``trunk.bundle``. Each side looks when it
likes; a look at a folder in which nothing changed does nothing. Work that is wholly committed is handed over; half-done
work lies there as a checkpoint, which the repository leaves alone.
"""

from __future__ import annotations

import json
from pathlib import Path

from ecluse.errors import Problem
from ecluse.git import Repository
from ecluse.history import History
from ecluse.intake.checkpoint import STATUS, Checkpoints, is_checkpoint
from ecluse.intake.homeward import Homeward, Taken, brings_news, make_homeward, take_homeward
from ecluse.intake.inbox import receive
from ecluse.intake.outbox import Exported, ExportRequest
from ecluse.model import Change, ChangeState

TRUNK = "trunk.bundle"
_LATER = ("bundle.payload_missing", "file.missing", "file.changed", "disk.full", "disk.error", "history.busy")


_OVER = (ChangeState.LANDED, ChangeState.SUPERSEDED, ChangeState.UNDONE)
"""States in which the same bundle has nothing more to say."""


class SandboxSide:
    """The sandbox's side of a folder: takes the trunk when there is news, hands over when there is new work."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository = repository
        self.folder = folder
        self._keeper = Checkpoints(repository)
        self._taken: tuple[int, int] | None = None

    def look(self, request: ExportRequest) -> tuple[Taken | None, Exported | None]:
        """Take, then hand over; each is ``None`` when there was nothing. Raises what taking and exporting raise."""
        return self._take(), self._keeper.take(request, finish=True)

    def _take(self) -> Taken | None:
        path = self.folder / TRUNK
        try:
            seen = path.stat()
        except OSError:
            return None
        mark = (seen.st_mtime_ns, seen.st_size)
        if mark == self._taken:
            return None
        known = self._taken is None and not brings_news(self.repository, path)
        self._taken = mark
        return None if known else take_homeward(self.repository, path)


class TrunkSide:
    """The repository's side of one agent's folder: takes finished exports in, keeps ``trunk.bundle`` up to date."""

    def __init__(self, repository: Repository, agent: str, folder: Path, *, land: bool = False) -> None:
        self.repository = repository
        self.agent = agent
        self.folder = folder
        self.land = land
        self._seen: dict[str, tuple[int, int]] = {}
        self._told: dict[str, tuple[tuple[int, int] | None, str]] = {}

    def take_in(self, history: History, *, actor: str) -> tuple[tuple[Change, ...], tuple[Problem, ...]]:
        """Receive the newest finished export of each change; what was looked at before is passed over.

        What cannot be received is told of once, also where it is looked at again because the rest may be on its way.
        """
        received, problems = [], []
        for key, path in self._newest():
            known = history.get(Change, key)
            if known is not None and known.state in _OVER:
                continue
            try:
                change = receive(self.repository, history, path, actor=actor, wants_landing=self.land)
            except Problem as problem:
                if problem.code in _LATER:  # what is still on its way is looked at again, and told of once
                    told = (self._seen.pop(path.name, None), problem.code)
                    if self._told.get(path.name) == told:
                        continue
                    self._told[path.name] = told
                problems.append(problem)
            else:
                received.append(change)
        return tuple(received), tuple(problems)

    def send(self, history: History, *, actor: str) -> Homeward | None:
        """Bring ``trunk.bundle`` up to date; ``None`` while nothing ever came from the agent, or nothing is new."""
        if not history.count(Change, agent=self.agent):
            return None
        done = make_homeward(self.repository, history, self.agent, self.folder / TRUNK, actor=actor)
        return done if done.path is not None and done.fresh else None

    def checkpoints(self) -> tuple[str, ...]:
        """The manifests of half-done work that lie in the folder, which are imported by name only."""
        found = sorted(self.folder.glob("sync_cloud_*.json")) if self.folder.is_dir() else ()
        return tuple(path.name for path in found if is_checkpoint(path))

    def _newest(self) -> list[tuple[str, Path]]:
        """(key, manifest) of those that were not looked at yet, the newest revision of each change, oldest change first."""
        best: dict[str, tuple[int, Path]] = {}
        for path in sorted(self.folder.glob("sync_cloud_*.json")) if self.folder.is_dir() else ():
            try:
                seen, said = path.stat(), json.loads(path.read_bytes())
                change, revision = str(said["change"]["id"]), int(said["change"]["revision"])
                passing = said.get("status") == STATUS
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue  # half carried over, taken away meanwhile, or no manifest: the next look sees
            mark = (seen.st_mtime_ns, seen.st_size)
            if passing or self._seen.get(path.name) == mark:
                continue
            self._seen[path.name] = mark
            if change not in best or revision > best[change][0]:
                best[change] = (revision, path)
        return [(f"{change}/{revision}", path) for change, (revision, path) in best.items()]
