"""Concurrency groups: at most one holder at a time, over all runs of this machine.

Each group has a folder in the cache. Who comes takes a number, and waits until every holder before it is gone. Who comes
later takes the place of whoever still waits (``queue: max`` keeps them all, in order), and with ``cancel-in-progress``
ends the one that runs as well. Places are held by locks of the operating system: a dead process keeps none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ecluse.checks.evaluate import Scope
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.matrix import resolve
from ecluse.checks.values import is_truthy, to_text
from ecluse.files import FileLock, is_locked

MAX_WAITING = 100
"""How many may wait for one group with ``queue: max``, as on GitHub; who comes then is cancelled."""

POLL_S = 0.1
"""Seconds between two looks at a group that is waited for or held."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a ``concurrency:`` asks for: the group, whether it ends who runs, and whether all waiting ones stay."""

    group: str
    cancels: bool = False
    keeps_all: bool = False


def claim_of(raw: Any, scope: Scope) -> Claim | None:
    """The claim of a ``concurrency:``; nothing when there is none. Raises :class:`ExpressionProblem`."""
    if raw is None:
        return None
    found = resolve(raw, scope)
    table = found if isinstance(found, dict) else {"group": found}
    group = to_text(table.get("group")).strip()
    if not group:
        raise ExpressionProblem("evaluation", "The concurrency group is empty")
    claim = Claim(group, is_truthy(table.get("cancel-in-progress")), to_text(table.get("queue")) == "max")
    if claim.cancels and claim.keeps_all:
        raise ExpressionProblem("evaluation", "'queue: max' cannot be combined with 'cancel-in-progress: true'")
    return claim


def cache_folder() -> Path:
    """Where the groups of this user lie; it may be deleted when nothing runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecluse" / "concurrency"


class Place(Enum):
    """Where a turn stands: waiting, holding the group, or gone because someone else took its place."""

    WAITING = "waiting"
    HOLDING = "holding"
    REPLACED = "replaced"


class Turn:
    """One claim's way through its group. Used by one thread."""

    def __init__(self, root: Path, owner: str, claim: Claim) -> None:
        import hashlib

        name = hashlib.sha256(f"{owner}\0{claim.group.lower()}".encode()).hexdigest()[:32]
        self.claim = claim
        self.folder = root / name
        self.place = Place.WAITING
        self._holding = FileLock(self.folder / "holding")
        with self._door():
            self.number = self._read("last") + 1
            self._write("last", self.number)
            if not claim.keeps_all:
                self._write("replaced-before", self.number)
            if claim.cancels:
                self._write("ended-before", self.number)
            if claim.keeps_all and self._count_waiting() >= MAX_WAITING:
                self.place = Place.REPLACED
            self._waiting = FileLock(self._waiting_path(self.number))
            self._waiting.acquire()

    def poll(self) -> Place:
        """Look whether the turn has come, or was taken over; cheap enough for ten times a second."""
        if self.place is not Place.WAITING:
            return self.place
        with self._door():
            if max(self._read("replaced-before"), self._read("ended-before")) > self.number:
                self.place = Place.REPLACED
            elif not self._others_before() and self._holding.acquire():
                self.place = Place.HOLDING
        if self.place is not Place.WAITING:
            self._leave_queue()
        return self.place

    @property
    def must_end(self) -> bool:
        """Whether someone who came later asks the holder to end."""
        return self.place is Place.HOLDING and self._read("ended-before") > self.number

    def release(self) -> None:
        """Give the group to the next."""
        self._leave_queue()
        self._holding.release()
        self.place = Place.REPLACED

    def _count_waiting(self) -> int:
        return sum(is_locked(path) for path in self.folder.glob("*.waiting"))

    def _others_before(self) -> bool:
        for path in self.folder.glob("*.waiting"):
            number = int(path.stem) if path.stem.isdecimal() else self.number
            if number < self.number:
                if is_locked(path):
                    return True
                path.unlink(missing_ok=True)  # its process died
        return False

    def _leave_queue(self) -> None:
        self._waiting.release()
        self._waiting_path(self.number).unlink(missing_ok=True)

    def _waiting_path(self, number: int) -> Path:
        return self.folder / f"{number}.waiting"

    @contextlib.contextmanager
    def _door(self) -> Iterator[None]:
        with FileLock(self.folder / "door").held():
            yield

    def _read(self, name: str) -> int:
        try:
            text = (self.folder / name).read_text("ascii")
        except FileNotFoundError:
            return 0
        return int(text) if text.isdecimal() else 0

    def _write(self, name: str, number: int) -> None:
        aside = self.folder / f"{name}.new"
        aside.write_text(str(number), "ascii")
        aside.replace(self.folder / name)


class Gate:
    """The groups that one workflow, call or job has to hold while it runs, taken one after the other."""

    def __init__(self, owner: str, claims: Iterable[Claim], above: Iterable[str] = ()) -> None:
        """``owner`` is the repository whose groups they are.

        ``above`` are the groups that are held around it; asking for one of them again could never end.
        """
        self._root, self._owner = cache_folder(), owner
        self._open = list(claims)
        self._turns: list[Turn] = []
        held = {group.lower() for group in above}
        again = next((claim.group for claim in self._open if claim.group.lower() in held), None)
        self.groups = [claim.group for claim in self._open]
        self.reason = f"the concurrency group '{again}' is held by what it is part of: a deadlock" if again else ""
        self.was_open = False
        self.is_announced = False

    def poll(self) -> bool:
        """Whether all groups are held and nobody asks for an end; else ``reason`` says why it is over, if it is."""
        while not self.reason and (self._open or self._waits()):
            if not self._waits():
                self._turns.append(Turn(self._root, self._owner, self._open.pop(0)))
            turn = self._turns[-1]
            place = turn.poll()
            if place is Place.REPLACED:
                why = "too many wait" if turn.claim.keeps_all else "another one waits"
                self.reason = f"cancelled: {why} for the concurrency group '{turn.claim.group}'"
            if place is Place.WAITING:
                return False
        ended = next((turn for turn in self._turns if turn.must_end), None)
        if ended is not None and not self.reason:
            self.reason = f"cancelled: a newer one takes over the concurrency group '{ended.claim.group}'"
        self.was_open = self.was_open or not self.reason
        return not self.reason

    def _waits(self) -> bool:
        return bool(self._turns) and self._turns[-1].place is Place.WAITING

    def release(self) -> None:
        for turn in self._turns:
            turn.release()
        self._turns = []
        self._open = []
