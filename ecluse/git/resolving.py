"""Merges in which named rules resolve what is simple: the same change on both sides, changelogs, recorded resolutions.

A rule only ever sees the three sides of one file, as bytes; nothing of them is run, and no work tree of anybody's is
touched. What a rule makes is tested like every other candidate.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ecluse.dataclass import dataclass
from ecluse.errors import Failed
from ecluse.git.invocation import git
from ecluse.git.nouns import MergeResult
from ecluse.git.repository import Repository
from ecluse.git.trees import with_files

MAX_PATHS = 50
MAX_BYTES = 1 << 20
_MARKER = 43
"""Width of the markers between conflicting lines; a file that has such lines itself is left alone."""
_RECORDED_CAP = 2000
_PLAIN = ("100644", "100755")
_MESSAGES = ("Auto-merging", "CONFLICT (contents)")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that are on, whose file is a changelog, whose is for a person, and the folder ``rr-cache``."""

    names: tuple[str, ...]
    takes_union: Callable[[str], bool]
    guarded: Callable[[str], bool]
    recorded: Path


@dataclass(frozen=True, slots=True)
class Settled:
    """A merge after the rules: ``conflicts`` are left (then ``tree`` means nothing), ``resolved`` is path and rule."""

    tree: str
    conflicts: tuple[str, ...]
    resolved: tuple[dict[str, str], ...] = ()


def told(resolved: Iterable[Mapping[str, str]]) -> str:
    """What rules resolved, for a person: the first ten paths, each with its rule."""
    every = [f"{one['path']} ({one['rule']})" for one in resolved]
    return ", ".join(every[:10]) + (f" and {len(every) - 10} more" if len(every) > 10 else "")


@dataclass(frozen=True, slots=True)
class _Sides:
    """One file that conflicts: its mode, its blobs (base, ours, theirs) and what they hold."""

    path: str
    mode: str
    blobs: tuple[str, str, str]
    base: bytes
    ours: bytes
    theirs: bytes


def merge_by_rules(
    repository: Repository, ours: str, theirs: str, rules: Rules, merged: MergeResult | None = None
) -> Settled:
    """Merge two commits in memory; where every conflict is simple, with the files that the rules make of them.

    ``merged`` is what :func:`merge_many` said of the two, where it was asked.
    """
    merged = merged or repository.merge(ours, theirs)
    if not merged.conflicts or not rules.names or len(merged.conflicts) > MAX_PATHS:
        return Settled(merged.tree, merged.conflicts)
    staged, odd = _look(repository, ours, theirs)
    files: dict[str, bytes] = {}
    modes: dict[str, str] = {}
    resolved = []
    for path in merged.conflicts:
        sides = None if path in odd or rules.guarded(path) else _read(repository, path, staged.get(path, {}))
        found = _settle(repository, merged.tree, sides, rules) if sides else None
        if sides is None or found is None:
            continue
        rule, files[path] = found
        modes[path] = sides.mode
        resolved.append({"path": path, "rule": rule})
    left = tuple(dict.fromkeys(path for path in (*merged.conflicts, *odd) if path not in files))
    if left:
        return Settled(merged.tree, left)
    return Settled(with_files(repository, merged.tree, files, modes), (), tuple(resolved))


def merge_many(repository: Repository, pairs: Sequence[tuple[str, str]]) -> list[MergeResult]:
    """What :meth:`Repository.merge` says of each pair of commits (ids, with history in common), by one process for all.

    A git that cannot do that (before 2.39), or that stops at one of them, is asked for what is missing one by one.
    """
    words = ("merge-tree", "--write-tree", "--stdin", "-z", "--name-only", "--no-messages")
    asked = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs)
    done = repository.run(*words, stdin=asked.encode("ascii"), check=False)
    fields = iter(os.fsdecode(done.stdout).split("\0"))
    found: list[MergeResult] = []
    while (status := next(fields, "")) in ("0", "1"):  # whether it is clean, its tree, its conflicts, nothing
        tree = next(fields, "")
        conflicts = tuple(dict.fromkeys(iter(lambda: next(fields, ""), "")))
        found.append(MergeResult(tree, conflicts if status == "0" else ()))
    complete = found if done.code == 0 else found[:-1]
    return complete + [repository.merge(*pair) for pair in pairs[len(complete) :]]


def _look(repository: Repository, ours: str, theirs: str) -> tuple[dict[str, dict[str, tuple[str, str]]], list[str]]:
    """Path -> stage -> mode and blob, and the paths that conflict in more than their content."""
    done = repository.run("merge-tree", "--write-tree", "-z", "--messages", ours, theirs, check=False)
    if done.code not in (0, 1):
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Failed("merge.failed", f"git could not merge {theirs[:12]} into {ours[:12]}: {said}", "git fsck")
    fields = iter(os.fsdecode(done.stdout).split("\0")[1:])
    staged: dict[str, dict[str, tuple[str, str]]] = {}
    for field in fields:
        if not field:
            break
        facts, _, path = field.partition("\t")
        mode, blob, stage = facts.split(" ")
        staged.setdefault(path, {})[stage] = (mode, blob)
    odd: list[str] = []
    for field in fields:
        if not field:
            break
        paths = [next(fields) for _ in range(int(field))]
        kind, _ = next(fields), next(fields)
        if kind not in _MESSAGES:
            odd += paths if kind.startswith("CONFLICT") else []
    return staged, odd


def _read(repository: Repository, path: str, staged: dict[str, tuple[str, str]]) -> _Sides | None:
    """The three sides of a small text that both changed; ``None`` for anything else."""
    if set(staged) != {"1", "2", "3"}:
        return None
    modes = {mode for mode, _ in staged.values()}
    if len(modes) != 1 or not modes <= set(_PLAIN):
        return None
    blobs = (staged["1"][1], staged["2"][1], staged["3"][1])
    if any(int(repository.text("cat-file", "-s", blob)) > MAX_BYTES for blob in blobs):
        return None
    base, ours, theirs = (repository.blob(blob) for blob in blobs)
    if any(b"\0" in data for data in (base, ours, theirs)):
        return None
    return _Sides(path, modes.pop(), blobs, base, ours, theirs)


def _settle(repository: Repository, tree: str, sides: _Sides, rules: Rules) -> tuple[str, bytes] | None:
    """The first rule that resolves the whole file, and what it makes of it."""
    if "identical" in rules.names and (made := _by_identical(sides)) is not None:
        return "identical", made
    if "union" in rules.names and rules.takes_union(sides.path) and (made := _by_union(sides)) is not None:
        return "union", made
    if "rerere" in rules.names and (made := _by_rerere(repository, tree, sides, rules.recorded)) is not None:
        return "rerere", made
    return None


# -- the same change on both sides ----------------------------------------------------------------------------------


def _by_identical(sides: _Sides) -> bytes | None:
    """Where both made the same change and only one of them changed more right beside it: that one's lines."""
    text = _merge_file(sides, "--diff3")
    if text is None:
        return None
    made: list[bytes] = []
    part = ""
    parts: dict[str, list[bytes]] = {}
    names = {b"<": "ours", b"|": "base", b"=": "theirs", b">": ""}
    for line in text.split(b"\n")[:-1]:
        marker = line[:1] if line[:_MARKER] == line[:1] * _MARKER and line[:1] in names else b""
        if not marker:
            (parts[part] if part else made).append(line)
            continue
        part = names[marker]
        if part:
            parts[part] = []
            continue
        hunk = _settle_hunk(parts["base"], parts["ours"], parts["theirs"])
        if hunk is None:
            return None
        made += hunk
    return b"".join(line + b"\n" for line in made)


def _settle_hunk(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> list[bytes] | None:
    if ours == theirs:
        return ours
    for rich, poor in ((ours, theirs), (theirs, ours)):
        if _is_part(base, rich, poor):
            return rich
    return None


def _is_part(base: list[bytes], rich: list[bytes], poor: list[bytes]) -> bool:
    """Whether ``poor`` is ``base`` with nothing but a change at its begin or end that ``rich`` made as well."""
    head = _common(rich, poor)
    tail = _common(rich[head:][::-1], poor[head:][::-1])
    same = rich[:head] + (rich[-tail:] if tail else [])
    if not any(re.search(rb"\w", line) for line in same):
        return False
    rest = poor[head : len(poor) - tail]
    if not rest:
        return not base or (len(base) == len(same) and base != same)
    if tail and head:
        places = [n for n in range(len(base) - len(rest) + 1) if base[n : n + len(rest)] == rest]
        return len(places) == 1
    return (base[-len(rest) :] if head else base[: len(rest)]) == rest and len(base) >= len(rest)


def _common(one: list[bytes], other: list[bytes]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# -- changelogs -----------------------------------------------------------------------------------------------------


def _by_union(sides: _Sides) -> bytes | None:
    """All lines of both, the target's first, where neither side took a line away; checked against both."""
    base, ours, theirs = (data.split(b"\n") for data in (sides.base, sides.ours, sides.theirs))
    if not (_holds(ours, base) and _holds(theirs, base)):
        return None
    text = _merge_file(sides, "--union")
    if text is None:
        return None
    lines = text.split(b"\n")
    return text if _holds(lines, ours) and _holds(lines, theirs) else None


def _holds(lines: list[bytes], wanted: Iterable[bytes]) -> bool:
    """Whether ``wanted`` are all in ``lines``, in their order."""
    left = iter(lines)
    return all(line in left for line in wanted)


def _merge_file(sides: _Sides, how: str) -> bytes | None:
    """What ``git merge-file`` makes of the three sides, outside any repository."""
    sources = {"ours": sides.ours, "base": sides.base, "theirs": sides.theirs}
    for data in sources.values():
        if data and not data.endswith(b"\n"):
            return None  # a marker would give it the line end that it lacks
        if any(mark * _MARKER in data for mark in (b"<", b"|", b"=", b">")):
            return None
    with tempfile.TemporaryDirectory(prefix="ecluse-merge-") as scratch:
        for name, data in sources.items():
            Path(scratch, name).write_bytes(data)
        style = ("-c", "merge.conflictStyle=merge")
        words = ("merge-file", "-p", "-q", how, f"--marker-size={_MARKER}", *sources)
        done = git([*style, *words], cwd=Path(scratch), check=False)
    return done.stdout if 0 <= done.code < 128 else None


# -- resolutions that people recorded -------------------------------------------------------------------------------


def _by_rerere(repository: Repository, tree: str, sides: _Sides, recorded: Path) -> bytes | None:
    """What ``git rerere`` makes of it with the recorded resolutions, under another name in a clone that is thrown away."""
    if not recorded.is_dir():
        return None
    held = repository.read(tree, sides.path, cap=4 * MAX_BYTES)
    if held is None:
        return None
    with repository.temporary_clone(bare=False) as room:
        top = room.work_tree
        if top is None or not _copy_recorded(recorded, room.common_dir / "rr-cache"):
            return None
        (top / "file").write_bytes(held)
        rows = (f"{sides.mode} {blob} {stage}\tfile\0" for stage, blob in enumerate(sides.blobs, 1))
        room.run("update-index", "-z", "--index-info", stdin="".join(rows).encode("ascii"))
        room.run("-c", "rerere.enabled=true", "-c", "rerere.autoUpdate=false", "rerere", check=False)
        made = (top / "file").read_bytes()
    if made == held or re.search(rb"^(?:<{7}|>{7}|\|{7})(?: |$)", made, re.MULTILINE):
        return None
    return made


def _copy_recorded(source: Path, target: Path) -> int:
    """Copy the recorded resolutions (plain files only); how many there are."""
    number = 0
    for folder in sorted(source.iterdir())[:_RECORDED_CAP]:
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        (target / folder.name).mkdir(parents=True)
        for file in folder.iterdir():
            if file.name.startswith(("preimage", "postimage")) and file.is_file() and not file.is_symlink():
                shutil.copy2(file, target / folder.name / file.name)
        number += 1
    return number
