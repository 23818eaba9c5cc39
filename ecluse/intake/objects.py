"""Reading many objects of one repository cheaply, and counting a tree's files before anything lists them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

from ecluse.errors import Failed, Refused
from ecluse.git import ChangedPath, Repository
from ecluse.process import Pipe

_BATCH_BYTES = 16 << 20
MAX_TREE_DEPTH = 200


class Reader:
    """A long-lived ``git cat-file`` for many small reads. Use it as a context."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._process: Pipe | None = None

    def __enter__(self) -> Reader:
        self._process = self._repository.open_pipe("cat-file", "--batch")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            assert self._process.stdin and self._process.stdout  # noqa: S101 - open_pipe always makes pipes
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()

    def read(self, oid: str) -> tuple[str, bytes]:
        """(kind, content) of an object. Raises :class:`Refused` (``bundle.incomplete``) when it is not there."""
        assert self._process and self._process.stdin and self._process.stdout  # noqa: S101 - inside the context only
        self._process.stdin.write(f"{oid}\n".encode("ascii"))
        self._process.stdin.flush()
        head = self._process.stdout.readline().decode("ascii", "replace").split()
        if len(head) != 3:
            raise Refused(
                "bundle.incomplete", f"The object {oid[:12]} is missing from the bundle.", "ask for a fresh bundle"
            )
        size = int(head[2])
        data = self._process.stdout.read(size + 1)
        if len(data) != size + 1:
            raise Failed("git.died", "git ended in the middle of an object.", "type the same command again")
        return head[1], data[:-1]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree object, with its mode as written."""

    mode: bytes
    name: bytes
    id: str

    @property
    def is_tree(self) -> bool:
        return self.mode.lstrip(b"0") == b"40000"


def parse_tree(data: bytes) -> list[Entry]:
    """The lines of a tree object. Raises :class:`Refused` (``tree.malformed``)."""
    found, at = [], 0
    while at < len(data):
        space = data.find(b" ", at)
        nul = data.find(b"\0", space)
        if space < 0 or nul < 0 or nul + 21 > len(data):
            raise Refused("tree.malformed", "A tree object is not well formed.", "ask for a fresh bundle")
        found.append(Entry(data[at:space], data[space + 1 : nul], data[nul + 1 : nul + 21].hex()))
        at = nul + 21
    return found


class ChangeCounter:
    """Counts the files that differ between trees, however large they would be once checked out.

    Every distinct tree is read once, so a small pack that stands for 10^10 files costs what the pack costs.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._trees: dict[str, list[Entry]] = {}
        self._whole: dict[str, int] = {}
        self._pairs: dict[tuple[str, str], int] = {}

    def count(self, old: str, new: str) -> int:
        """How many files differ between two trees (ids, empty for none)."""
        return self._count(old, new, 0)

    def _count(self, old: str, new: str, depth: int) -> int:
        if old == new:
            return 0
        if not old or not new:
            return self._all(old or new, depth)
        if (old, new) not in self._pairs:
            _check_depth(depth)
            before = {(entry.name, entry.is_tree): entry for entry in self._entries(old)}
            total = 0
            for entry in self._entries(new):
                was = before.pop((entry.name, entry.is_tree), None)
                if not entry.is_tree:
                    total += was is None or (was.id, was.mode) != (entry.id, entry.mode)
                else:
                    total += self._count(was.id if was else "", entry.id, depth + 1)
            total += sum(self._all(entry.id, depth + 1) if entry.is_tree else 1 for entry in before.values())
            self._pairs[old, new] = total
        return self._pairs[old, new]

    def _all(self, tree: str, depth: int) -> int:
        if tree not in self._whole:
            _check_depth(depth)
            self._whole[tree] = sum(
                self._all(entry.id, depth + 1) if entry.is_tree else 1 for entry in self._entries(tree)
            )
        return self._whole[tree]

    def _entries(self, tree: str) -> list[Entry]:
        if tree not in self._trees:
            kind, data = self._reader.read(tree)
            if kind != "tree":
                raise Refused(
                    "tree.malformed", f"{tree[:12]} is used as a folder and is a {kind}.", "ask for a fresh bundle"
                )
            self._trees[tree] = parse_tree(data)
        return self._trees[tree]


def _check_depth(depth: int) -> None:
    if depth > MAX_TREE_DEPTH:
        raise Refused("path.too_deep", f"A tree is nested deeper than {MAX_TREE_DEPTH} folders.", "make it flatter")


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


def read_blobs(
    repository: Repository, oids: Iterable[str], cap: int, on_too_large: Callable[[str, int], None] | None = None
) -> Iterator[tuple[str, bytes]]:
    """(id, content) of each blob up to ``cap`` bytes, in batches that never hold more than 16 MiB at once."""
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return
    asked = repository.run("cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in wanted).encode("ascii"))
    batch: list[str] = []
    held = 0
    for oid, line in zip(wanted, asked.stdout.decode("ascii", "replace").splitlines(), strict=True):
        words = line.split()
        if len(words) != 3 or words[1] != "blob":
            raise Refused("bundle.incomplete", f"The file object {oid[:12]} is missing.", "ask for a fresh bundle")
        size = int(words[2])
        if size > cap:
            if on_too_large:
                on_too_large(oid, size)
            continue
        if held + size > _BATCH_BYTES and batch:
            yield from _read_batch(repository, batch)
            batch, held = [], 0
        batch.append(oid)
        held += size
    yield from _read_batch(repository, batch)


def _read_batch(repository: Repository, batch: list[str]) -> Iterator[tuple[str, bytes]]:
    if not batch:
        return
    data = repository.run("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in batch).encode("ascii")).stdout
    at = 0
    for oid in batch:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[2])
        yield oid, data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
