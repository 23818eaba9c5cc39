"""Reading many objects of one repository cheaply: one process of git for all of them, and never two held at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from ecluse.errors import Failed, Refused
from ecluse.git import ChangedPath, Repository
from ecluse.process import Pipe

_WINDOW = 38
"""Objects asked for at once: few enough that two questions fit into any system's pipe while git is answering."""

_DISCARD = 1 << 20
_KEEP_BYTES = 32 << 20
READ_CAP = 20 << 20
"""A file above this many bytes is never held whole: it is judged as far as its first bytes say, and left to a person."""


class Reader:
    """A long-lived ``git cat-file`` for the sizes and contents of many objects. Use it as a context."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._process: Pipe | None = None

    def __enter__(self) -> Reader:
        self._process = self._repository.open_pipe("cat-file", "--batch-command")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            assert self._process.stdin and self._process.stdout  # noqa: S101 - open_pipe always makes pipes
            self._process.stdout.close()  # first: a reader that stopped half way leaves git with more to say
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()

    def read(self, oid: str) -> tuple[str, bytes]:
        """(kind, content) of an object. Raises :class:`Refused` (``bundle.incomplete``) when it is not there."""
        self._ask("contents", (oid,))
        kind, size = self._head(oid)
        return kind, self._body(size)

    def read_many(self, oids: Iterable[str], cap: int | None = None) -> Iterator[tuple[str, str, bytes]]:
        """(id, kind, content) of each object in this order, one held at a time; git is always asked ahead.

        Those above ``cap`` bytes are passed over. The caller takes all of them, or ends the context. Raises what
        :meth:`read` raises.
        """
        for oid in self._pipelined("contents", oids):
            kind, size = self._head(oid)
            if cap is not None and size > cap:
                self._pass_over(size + 1)
            else:
                yield oid, kind, self._body(size)

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The size in bytes of each object that is there."""
        found = {}
        for oid in self._pipelined("info", dict.fromkeys(oids)):
            words = self._line()
            if len(words) == 3:
                found[oid] = int(words[2])
        return found

    def peek(self, oid: str, number: int) -> bytes:
        """The first bytes of an object of any size; the rest is never held. Raises what :meth:`read` raises."""
        self._ask("contents", (oid,))
        left = self._head(oid)[1]
        first = self._take(min(number, left))
        self._pass_over(left - len(first) + 1)
        return first

    def _pipelined(self, word: str, oids: Iterable[str]) -> Iterator[str]:
        wanted = list(oids)
        windows = [wanted[at : at + _WINDOW] for at in range(0, len(wanted), _WINDOW)]
        for window in windows[:1]:
            self._ask(word, window)
        for number, window in enumerate(windows):
            for ahead in windows[number + 1 : number + 2]:
                self._ask(word, ahead)
            yield from window

    def _ask(self, word: str, oids: Sequence[str]) -> None:
        assert self._process and self._process.stdin  # noqa: S101 - inside the context only
        try:
            self._process.stdin.write("".join(f"{word} {oid}\n" for oid in oids).encode("ascii"))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _died() from None

    def _line(self) -> list[str]:
        assert self._process and self._process.stdout  # noqa: S101 - inside the context only
        line = self._process.stdout.readline()
        if not line:
            raise _died()
        return line.decode("ascii", "replace").split()

    def _head(self, oid: str) -> tuple[str, int]:
        words = self._line()
        if len(words) != 3:
            raise Refused(
                "bundle.incomplete", f"The object {oid[:12]} is missing from the bundle.", "ask for a fresh bundle"
            )
        return words[1], int(words[2])

    def _body(self, size: int) -> bytes:
        data = self._take(size)
        self._take(1)
        return data

    def _pass_over(self, left: int) -> None:
        while left:
            left -= len(self._take(min(left, _DISCARD)))

    def _take(self, size: int) -> bytes:
        assert self._process and self._process.stdout  # noqa: S101 - inside the context only
        data = self._process.stdout.read(size)
        if len(data) != size:
            raise _died()
        return data


class Blobs:
    """The files of a change, each read once as far as memory allows: those of the result and of its base are kept."""

    def __init__(self, reader: Reader, changes: Sequence[ChangedPath], history: Sequence[ChangedPath]) -> None:
        self._reader = reader
        self._former = [change.old_id for change in changes if change.old_mode.startswith("100")]
        self._brought = [c.new_id for c in (*changes, *history) if c.status != "D" and c.new_mode != "160000"]
        self._known: dict[str, int] = {}
        self._wanted = {*self._former, *(change.new_id for change in changes)}
        self._kept: dict[str, bytes] = {}
        self._held = 0

    def weigh(self) -> dict[str, int]:
        """The bytes of everything that the change brings, by id. What it starts from is read as well: it is compared."""
        self._known = self._reader.sizes((*self._former, *self._brought))
        for _ in self.each((oid for oid in self._former if oid in self._known), READ_CAP):
            pass
        return self._known

    def __call__(self, oid: str) -> bytes:
        """The bytes of one file. Raises :class:`Refused` (``limit.file_size``) above :data:`READ_CAP`."""
        if oid in self._kept:
            return self._kept[oid]
        if self.size(oid) > READ_CAP:
            raise Refused(
                "limit.file_size",
                f"A file that has to be read whole has {self.size(oid):,} bytes, more than {READ_CAP:,}.",
                "make it smaller",
            )
        data = self._reader.read(oid)[1]
        self._keep(oid, data)
        return data

    def each(self, oids: Iterable[str], cap: int) -> Iterator[tuple[str, bytes]]:
        """(id, content) of each file up to ``cap`` bytes. Nothing else is read until all of them were taken.

        Raises :class:`Refused` (``bundle.incomplete``) for one that is missing, or is no file.
        """
        wanted = [oid for oid in dict.fromkeys(oids) if self._known.get(oid, 0) <= cap]
        kept = [oid for oid in wanted if oid in self._kept]
        for oid, kind, data in self._reader.read_many((oid for oid in wanted if oid not in self._kept), cap):
            if kind != "blob":
                raise Refused("bundle.incomplete", f"The file object {oid[:12]} is missing.", "ask for a fresh bundle")
            self._keep(oid, data)
            yield oid, data
        for oid in kept:
            yield oid, self._kept[oid]

    def has(self, oid: str) -> bool:
        """Whether a file is there. In a partial clone those of the base that nobody looked at are not."""
        return bool(self.size(oid)) or oid in self._known

    def size(self, oid: str) -> int:
        """The bytes of a file; 0 for one that is not there, which shows when it is read."""
        if oid not in self._known:
            self._known |= self._reader.sizes([oid])
        return self._known.get(oid, 0)

    def peek(self, oid: str, number: int) -> bytes:
        """The first bytes of a file of any size."""
        return self._kept[oid][:number] if oid in self._kept else self._reader.peek(oid, number)

    def _keep(self, oid: str, data: bytes) -> None:
        if oid in self._wanted and oid not in self._kept and self._held + len(data) < _KEEP_BYTES:
            self._kept[oid] = data
            self._held += len(data)


def _died() -> Failed:
    return Failed("git.died", "git ended in the middle of an object.", "type the same command again")


def commit_changes(repository: Repository, commits: Iterable[str]) -> dict[str, list[ChangedPath]]:
    """What each commit changed against its parent; a merge counts only what differs from all its parents."""
    wanted = list(commits)
    listed = repository.run(
        "diff-tree", "--stdin", "-r", "-c", "--root", "-z", "--raw", "--no-renames", "--no-abbrev",
        stdin="".join(f"{oid}\n" for oid in wanted).encode("ascii"),
    )  # fmt: skip
    found: dict[str, list[ChangedPath]] = {oid: [] for oid in wanted}
    current = ""
    fields = iter(os.fsdecode(listed.stdout).split("\0"))
    for word in fields:
        if word.startswith(":"):
            parents = len(word) - len(word.lstrip(":"))
            facts = word[parents:].split(" ")
            modes, ids, status = facts[: parents + 1], facts[parents + 1 : -1], facts[-1]
            found[current].append(ChangedPath(status[0], modes[0], modes[-1], ids[0], ids[-1], next(fields)))
        elif word:
            current = word.strip()
    return found


def read_blobs(repository: Repository, oids: Iterable[str], cap: int) -> Iterator[tuple[str, bytes]]:
    """(id, content) of each blob up to ``cap`` bytes, each once, one held at a time.

    Raises :class:`Refused` (``bundle.incomplete``) for one that is missing, or is no blob.
    """
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return
    with Reader(repository) as reader:
        sizes = reader.sizes(wanted)
        for oid, kind, data in reader.read_many(oid for oid in wanted if sizes.get(oid, 0) <= cap):
            if kind != "blob":
                raise Refused("bundle.incomplete", f"The file object {oid[:12]} is missing.", "ask for a fresh bundle")
            yield oid, data
