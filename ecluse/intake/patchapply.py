"""Patches applied to a tree that exists in memory only: exact lines, no guessing, nothing read outside the tree."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ecluse.dataclass import dataclass, field
from ecluse.errors import Refused
from ecluse.git import Repository
from ecluse.intake import binarypatch
from ecluse.intake.binarypatch import refuse
from ecluse.intake.objects import Reader
from ecluse.intake.patchfile import FilePatch, Hunk
from ecluse.intake.pathrules import judge_path, shown
from ecluse.intake.treerules import link_problem
from ecluse.model import Finding, Verdict

TOTAL_CAP = 128 << 20
_WINDOW = 20_000
_TRIES = 50
_EFFORT_CAP = 20_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the tree: its mode, its blob id, and its content where this change made it."""

    mode: str
    id: str
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps in bytes and files."""

    max_files: int
    max_file_bytes: int


def blob_id(data: bytes) -> str:
    """The id that git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()


def does_not_apply(why: str) -> Refused:
    """The problem for a change that was made for another state of the files."""
    return Refused(
        "base.does_not_apply", f"{why}.", "fetch the commit it was made on, or have it made again on the present state"
    )


def check_path(path: str) -> None:
    """Refuse a path that the path rules reject, before anything is looked up under it."""
    worst = next((one for one in judge_path(path) if one.verdict is Verdict.REJECT), None)
    if worst:
        raise refuse(worst.code, worst.message)


@dataclass(slots=True)
class Draft:
    """A tree under work. ``writes`` since the last :meth:`commit`: path to entry, or ``None`` for a deletion."""

    reader: Reader
    files: dict[str, Entry]
    limits: Limits
    findings: list[Finding] = field(default_factory=list)
    folders: Counter[str] = field(default_factory=Counter)
    made: int = 0
    effort: int = 0

    @classmethod
    def of(cls, repository: Repository, reader: Reader, commit: str, limits: Limits) -> Draft:
        """The tree of ``commit``."""
        listed = os.fsdecode(repository.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout)
        rows = (line.partition("\t") for line in listed.split("\0") if line)
        draft = cls(reader, {path: Entry(facts[:6], facts.split()[2]) for facts, _, path in rows}, limits)
        for path in draft.files:
            draft.folders.update(_parents(path))
        return draft

    def content(self, entry: Entry) -> bytes:
        """The bytes of a file. Raises :class:`Refused` for a submodule."""
        if entry.data is not None:
            return entry.data
        if entry.mode == "160000":
            return f"Subproject commit {entry.id}\n".encode("ascii")
        return self.reader.read(entry.id)[1]

    def make(self, mode: str, data: bytes) -> Entry:
        """A new file, counted against the caps."""
        if mode == "160000":
            word = data.removeprefix(b"Subproject commit ").strip()
            if len(word) != 40 or not set(word) <= set(b"0123456789abcdef"):
                raise refuse("patch.malformed", "A submodule of the patch does not name a commit")
            return Entry(mode, word.decode("ascii"))
        if len(data) > self.limits.max_file_bytes:
            raise refuse("limit.file_size", f"A file has {len(data):,} bytes, more than {self.limits.max_file_bytes:,}")
        self.made += len(data)
        if self.made > TOTAL_CAP:
            raise refuse("limit.expanded", f"The files of the change have more than {TOTAL_CAP:,} bytes together")
        return Entry(mode, blob_id(data), data)

    def spend(self, effort: int) -> None:
        """Count work (in lines compared) that a hostile change could ask for without end."""
        self.effort += effort
        if self.effort > _EFFORT_CAP:
            raise refuse("limit.time", "The change needs too much searching: too many of its parts are elsewhere")

    def note(self, code: str, path: str, why: str) -> None:
        """Keep a remark that does not keep the change out."""
        self.findings.append(Finding(code, Verdict.WARN, f"{shown(path)} {why}", path))

    def put(self, removed: set[str], written: dict[str, Entry]) -> dict[str, Entry | None]:
        """Carry out one commit's deletions and writes together; refuse what needs a file and a folder of one name."""
        for path in removed:
            del self.files[path]
            self.folders.subtract(_parents(path))
        for path, entry in written.items():
            if path not in self.files:
                self.folders.update(_parents(path))
            self.files[path] = entry
        for path in written:
            for parent in _parents(path):
                if parent in self.files:
                    self._below_a_file(path, parent, parent in written)
        for path in written:
            if self.folders[path] > 0:
                raise does_not_apply(f"{shown(path)} is a folder")
        changes: dict[str, Entry | None] = dict.fromkeys(sorted(removed - set(written)))
        return changes | dict(sorted(written.items()))

    def _below_a_file(self, path: str, parent: str, together: bool) -> None:
        standing = self.files[parent]
        if standing.mode != "120000":
            raise does_not_apply(f"{shown(parent)} is a file, {shown(path)} cannot lie below it")
        reason = link_problem(parent, self.content(standing)) if together else None
        if reason:
            raise refuse(reason[0], f"the link {shown(parent)} {reason[1]}")
        raise refuse("symlink.write_through", f"{shown(path)} is written below {shown(parent)}, which is a link")


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def apply_patch(draft: Draft, patches: Sequence[FilePatch]) -> dict[str, Entry | None]:
    """Apply the sections of one commit to ``draft`` at once; the written and deleted (``None``) paths.

    Raises :class:`Refused`: ``base.does_not_apply``, or a rule that the patch breaks.
    """
    for one in patches:
        check_path(one.old)
        check_path(one.new)
    _check_once(patches)
    removed: set[str] = set()
    written: dict[str, Entry] = {}
    for one in patches:
        standing = draft.files.get(one.old)
        action = one.action
        if action == "modify" and standing is None and one.hunks and one.hunks[0].old == (0, 0):
            action = "add"  # a plain diff has no other way to say so
        if action == "add" and one.old in draft.files:
            raise does_not_apply(f"{shown(one.new)} is there already")
        if action != "add" and standing is None:
            raise does_not_apply(f"There is no file {shown(one.old)}")
        made = _make(draft, one, action, standing)
        if action in ("delete", "rename"):
            removed.add(one.old)
        if made is not None:
            written[one.new] = made
    for one in patches:
        if one.action in ("rename", "copy") and one.new in draft.files and one.new not in removed:
            raise does_not_apply(f"{shown(one.new)} is there already")
    return draft.put(removed, written)


def _check_once(patches: Sequence[FilePatch]) -> None:
    """Every path is given its content once and taken away once: two sections for one file hide the second."""
    given = Counter(one.new for one in patches if one.action != "delete")
    taken = Counter(one.old for one in patches if one.action in ("delete", "rename", "modify"))
    for path, number in (given | taken).items():
        if number > 1:
            raise refuse("patch.duplicate_file", f"{shown(path)} is in the patch twice")


def _make(draft: Draft, one: FilePatch, action: str, standing: Entry | None) -> Entry | None:
    """The file after one section; ``None`` where it is deleted. Checks what the section says of both states."""
    if one.old_id and not (standing.id if standing else "0" * 40).startswith(one.old_id):
        draft.note("patch.index_mismatch", one.new, "was another file where the patch was made, says its index line")
    if standing and one.old_mode and one.old_mode != standing.mode:
        draft.note("patch.mode_mismatch", one.new, f"has the mode {standing.mode}, the patch says {one.old_mode}")
    mode = one.new_mode or (standing.mode if standing else "100644")
    if standing and not one.hunks and not one.binary and action != "delete" and "160000" not in (mode, standing.mode):
        return replace(standing, mode=mode)  # moved or given another mode: the content is not looked at
    before = draft.content(standing) if standing else b""
    if one.binary:
        data = binarypatch.unpack(one.binary, draft.limits.max_file_bytes)
        if one.binary.kind == "delta":
            if standing and one.old_id != standing.id:
                raise does_not_apply(f"The binary file {shown(one.old)} is another one here")
            data = binarypatch.apply_delta(before, data, draft.limits.max_file_bytes)
    else:
        data = _apply_hunks(draft, one, before)
        if one.crlf and one.new_id and not blob_id(data).startswith(one.new_id):
            data = _with_its_own_ends(draft, one, before, data)
    if action == "delete":
        if data:
            raise does_not_apply(f"{shown(one.old)} holds more than the patch takes away")
        return None
    if standing and data == before:
        return replace(standing, mode=mode) if "160000" not in (mode, standing.mode) else standing
    made = draft.make(mode, data)
    if len(one.new_id) == 40 and one.new_id != made.id:
        if one.binary:
            raise refuse(
                "patch.malformed", f"The binary file {shown(one.new)} does not become what its index line says"
            )
        draft.note("patch.index_mismatch", one.new, "does not become the file that its index line names")
    return made


def _with_its_own_ends(draft: Draft, one: FilePatch, before: bytes, data: bytes) -> bytes:
    """``data``, or what the lines make with the CRs that they came with, where that is what the index line names.

    A transport that puts a CR on every line may leave alone those that have one.
    """
    try:
        kept = _apply_hunks(draft, replace(one, crlf=False), before)
    except Refused:
        return data
    return kept if blob_id(kept).startswith(one.new_id) else data


def _apply_hunks(draft: Draft, one: FilePatch, before: bytes) -> bytes:
    if not one.hunks:
        return before
    lines = before.split(b"\n")
    have = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    made: list[bytes] = []
    at = shift = 0
    for hunk in one.hunks:
        used, place = _find(draft, have, at, hunk, shift, one.crlf)
        if place is None:
            raise does_not_apply(f"The lines around {hunk.old[0]} of {shown(one.old)} are not what the patch expects")
        stated = max(hunk.old[0] - (hunk.old[1] > 0), 0)
        if place != stated + shift:
            draft.note("patch.offset", one.old, f"takes the patch {place - stated:+d} lines away from where it says")
        shift = place - stated
        made += have[at:place]
        made += [data for mark, data in used if mark != b"-"]
        at = place + sum(1 for mark, _ in used if mark != b"+")
    made += have[at:]
    if any(not line.endswith(b"\n") for line in made[:-1]):
        raise does_not_apply(f"The end of {shown(one.old)} is not what the patch expects")
    return b"".join(made)


def _find(
    draft: Draft, have: list[bytes], least: int, hunk: Hunk, shift: int, crlf: bool
) -> tuple[tuple[tuple[bytes, bytes], ...], int | None]:
    """(the hunk's lines as they fit, where they fit): at the stated line, else at the nearest line that is equal."""
    forms = [hunk.lines]
    if crlf:
        forms.append(tuple((mark, data.replace(b"\r\n", b"\n")) for mark, data in hunk.lines))
    stated = max(hunk.old[0] - (hunk.old[1] > 0), 0) + shift
    for lines in forms:
        wanted = [data for mark, data in lines if mark != b"+"]
        if not wanted:  # nothing to compare with: what the transport did is undone
            return forms[-1], (stated if least <= stated <= len(have) and (hunk.old[0] or not have) else None)
        if stated >= least and have[stated : stated + len(wanted)] == wanted:
            return lines, stated
        first = wanted[0]
        window = range(max(least, stated - _WINDOW), min(len(have) - len(wanted) + 1, stated + _WINDOW))
        near = sorted((n for n in window if have[n] == first), key=lambda n: abs(n - stated))[:_TRIES]
        draft.spend(len(window) + len(near) * len(wanted))
        for place in near:
            if have[place : place + len(wanted)] == wanted:
                return lines, place
    return hunk.lines, None
