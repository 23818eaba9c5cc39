"""What differs between trees, found folder by folder, so that it is counted before anything lists it.

A pair of folders is compared once, however often it occurs: a small pack that stands for 10^10 files costs what the
pack costs, and five hundred commits on one large tree cost what they change.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from ecluse.errors import Refused
from ecluse.git import ChangedPath, Repository
from ecluse.git.nouns import EMPTY_TREE, ZERO
from ecluse.intake.quarantine import limits_for
from ecluse.process import Pipe

MAX_TREE_DEPTH = 200
_WINDOW = 20
"""Pairs asked at once: few enough that two questions fit into any system's pipe while git is still answering."""

_NONE, _FOLDER = "000000", "040000"

Pair = tuple[str, str]
"""Two tree ids; empty for no tree."""

_Row = tuple[str, str, str, str, str, str]
"""Status, both modes, both ids, name."""


class Differences:
    """The differences between trees of one repository. Use it as a context; ``limit`` is the most files that any pair
    of trees may differ in before it no longer matters how many more there are."""

    def __init__(self, repository: Repository, limit: int) -> None:
        self._repository = repository
        self._limit = limit
        self._process: Pipe | None = None
        self._rows: dict[Pair, list[_Row]] = {}
        self._counts: dict[Pair, int] = {}
        self._end = f"end {os.urandom(16).hex()}\n".encode("ascii")
        """What ends an answer: nobody who made the trees can have used it as a name."""

    def __enter__(self) -> Differences:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._process is not None:
            assert self._process.stdin and self._process.stdout  # noqa: S101 - open_pipe always makes pipes
            self._process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    @property
    def trees(self) -> set[str]:
        """Every tree on the newer side that was looked into so far."""
        return {new for _, new in self._rows if new}

    def load(self, pairs: Iterable[Pair]) -> None:
        """Compare pairs of trees, level by level; stop once they must differ in more files than all of them may.

        Raises :class:`Refused` (``bundle.incomplete``, ``path.too_deep``) for a tree that is missing, or nested too deep.
        """
        level = [pair for pair in dict.fromkeys(pairs) if pair not in self._rows and pair[0] != pair[1]]
        left = self._limit * len(level)
        depth = 0
        while level and left >= 0:
            _check_depth(depth)
            below: dict[Pair, None] = {}
            for pair, rows in self._compare(level):
                self._rows[pair] = rows
                children = [_child(row) for row in rows]
                left -= children.count(None)
                below.update((one, None) for one in children if one is not None and one not in self._rows)
                if left < 0:
                    self._close()  # what it was asked ahead is of no interest any more
                    break
            level, depth = list(below), depth + 1

    def count(self, old: str, new: str) -> int:
        """How many files differ between two trees; more than the limit when they were not compared to the end."""
        return self._count((old, new), 0)

    def paths(self, old: str, new: str) -> list[ChangedPath]:
        """The files that differ between two trees, in git's order. Only for pairs whose count is known to be sane."""
        found: list[ChangedPath] = []
        self._expand((old, new), "", found)
        return found

    def _count(self, pair: Pair, depth: int) -> int:
        if pair[0] == pair[1]:
            return 0
        if pair not in self._counts:
            _check_depth(depth)
            rows = self._rows.get(pair)
            if rows is None:
                return self._limit + 1
            children = [_child(row) for row in rows]
            self._counts[pair] = sum(1 if one is None else self._count(one, depth + 1) for one in children)
        return self._counts[pair]

    def _expand(self, pair: Pair, prefix: str, found: list[ChangedPath]) -> None:
        if self._count(pair, 0) == 0:
            return
        for row in self._rows[pair]:
            status, old_mode, new_mode, old_id, new_id, name = row
            child = _child(row)
            if child is None:
                found.append(ChangedPath(status, old_mode, new_mode, old_id, new_id, prefix + name))
            else:
                self._expand(child, f"{prefix}{name}/", found)

    def _compare(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, list[_Row]]]:
        """The rows of each pair; one window is asked ahead of the one that is read, so that git never waits for us."""
        windows = [pairs[at : at + _WINDOW] for at in range(0, len(pairs), _WINDOW)]
        asked = [self._ask(window) for window in windows[:1]]
        for number, window in enumerate(windows):
            asked += [self._ask(one) for one in windows[number + 1 : number + 2]]
            yield from zip(window, _parse(self._answer(), asked[number]), strict=True)

    def _ask(self, pairs: Sequence[Pair]) -> bytes:
        if self._process is None:
            words = ("diff-tree", "--stdin", "-z", "--raw", "--no-renames", "--no-abbrev")
            self._process = self._repository.open_pipe(*words, limits=limits_for(0))
        assert self._process.stdin  # noqa: S101 - open_pipe always makes pipes
        asked = b"".join(f"{old or EMPTY_TREE} {new or EMPTY_TREE}\n".encode("ascii") for old, new in pairs)
        try:
            self._process.stdin.write(asked + self._end)  # what is no object id comes back as it is, and flushes
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _died() from None
        return asked

    def _answer(self) -> bytes:
        assert self._process and self._process.stdout  # noqa: S101 - open_pipe always makes pipes
        said: list[bytes] = []
        while not said or not said[-1].endswith(self._end):
            said.append(self._process.stdout.readline())
            if not said[-1]:
                raise _died()
        said[-1] = said[-1][: -len(self._end)]
        return b"".join(said)


def _died() -> Refused:
    return Refused("limit.expanded", "git ended while it compared the change's folders.", "hand over a smaller change")


def _parse(said: bytes, asked: bytes) -> list[list[_Row]]:
    """The rows of each pair of one answer: a line with the pair, then NUL-ended facts and names."""
    rows: list[list[_Row]] = []
    heads: list[bytes] = []
    fields = iter(said.split(b"\0"))
    for field in fields:
        *lines, facts = field.split(b"\n")
        heads += lines
        rows += ([] for _ in lines)
        if facts:
            old_mode, new_mode, old_id, new_id, status = facts[1:].decode("ascii").split(" ")
            name = os.fsdecode(next(fields))
            rows[-1] += _plain_rows((status[0], old_mode, new_mode, old_id, new_id, name))
    if heads != asked.splitlines():
        raise Refused(
            "bundle.incomplete", "A folder of the change is missing, or is no folder.", "ask for a fresh bundle"
        )
    return rows


def _plain_rows(row: _Row) -> list[_Row]:
    """A row of which one side is a folder and the other a file, as the two rows that git makes of it elsewhere."""
    _, old_mode, new_mode, old_id, new_id, name = row
    if _FOLDER not in (old_mode, new_mode) or old_mode == new_mode or _NONE in (old_mode, new_mode):
        return [row]
    return [("D", old_mode, _NONE, old_id, ZERO, name), ("A", _NONE, new_mode, ZERO, new_id, name)]


def _child(row: _Row) -> Pair | None:
    """The pair of folders that a row stands for, or ``None`` for a file."""
    _, old_mode, new_mode, old_id, new_id, _ = row
    if _FOLDER not in (old_mode, new_mode):
        return None
    return (old_id if old_mode == _FOLDER else "", new_id if new_mode == _FOLDER else "")


def _check_depth(depth: int) -> None:
    if depth > MAX_TREE_DEPTH:
        raise Refused("path.too_deep", f"A tree is nested deeper than {MAX_TREE_DEPTH} folders.", "make it flatter")
