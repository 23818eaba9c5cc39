"""Changes that come as text (mails, patches, edits): read, applied in memory, and made into commits nobody has run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Refused
from ecluse.files import read_capped
from ecluse.git import Identity, Repository
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.intake import bundlefile, patchfile
from ecluse.intake.binarypatch import refuse
from ecluse.intake.edits import apply_edits, read_edits
from ecluse.intake.objects import Reader
from ecluse.intake.patchapply import Draft, Entry, Limits, apply_patch
from ecluse.model import Finding, Verdict

if TYPE_CHECKING:
    from ecluse.intake.mailbox import Piece

_REF = "refs/heads/incoming"
_LOOK_BACK = 50


class Form(StrEnum):
    """What a payload is, seen by its first bytes."""

    BUNDLE = "bundle"
    MAIL = "mail"
    PATCH = "patch"
    EDITS = "edits"
    ARCHIVE = "archive"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Text:
    """A change that was read and not yet applied: commits of patches, or one list of edits."""

    form: Form
    pieces: tuple[Piece, ...] = ()
    edits: tuple[dict[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    base: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The commits that were made: the base they stand on, the last of them, and what was remarked."""

    base: str
    head: str
    findings: tuple[Finding, ...]


def form_of(path: Path) -> Form:
    """What ``path`` holds. Anything unknown is not guessed at."""
    with path.open("rb") as handle:
        head = handle.read(4096)
    if head.startswith(bundlefile.MAGIC):
        return Form.BUNDLE
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")) or head[257:262] == b"ustar":
        return Form.ARCHIVE
    if head.lstrip()[:1] != b"{" and _is_mail(head):
        return Form.MAIL
    if head.lstrip()[:1] == b"[" and not path.name.endswith((".patch", ".diff")):
        return Form.EDITS
    lines = head.split(b"\n")
    marks = (b"diff --git ", b"diff --cc ", b"diff --combined ", b"--- ", b"Index: ", b"diff -")
    if path.name.endswith((".patch", ".diff")) or any(line.startswith(marks) for line in lines):
        return Form.PATCH
    return Form.UNKNOWN


def _is_mail(head: bytes) -> bool:
    from ecluse.intake.mailbox import is_mail  # parsers of mails cost a tenth of a start that mostly meets bundles

    return is_mail(head)


def read_text(paths: Sequence[Path], title: str, limits: Limits, max_commits: int) -> Text:
    """Read payloads of one form. Raises :class:`Refused` with the rule that they break."""
    from ecluse.intake.mailbox import Piece, read_mails

    forms = {form_of(path) for path in paths}
    if len(forms) > 1:
        raise refuse("intake.mixed", f"The files are of different kinds ({', '.join(sorted(forms))})")
    form = forms.pop()
    try:
        contents = [read_capped(path, patchfile.SIZE_CAP) for path in paths]
    except Invalid as problem:
        if problem.code != "file.too_large":
            raise
        raise refuse("limit.patch_size", f"A patch has more than {patchfile.SIZE_CAP:,} bytes") from problem
    if form is Form.MAIL:
        pieces, findings = read_mails(contents, max_commits, limits.max_files)
        return Text(form, tuple(pieces), (), tuple(findings), next((one.base for one in pieces if one.base), ""))
    if form is Form.EDITS:
        if len(contents) != 1:
            raise refuse("intake.mixed", "More than one list of edits was given")
        return Text(form, (), tuple(read_edits(contents[0])))
    if form is not Form.PATCH:
        raise refuse("intake.unknown", f"{paths[0].name[:80]!a} is neither a bundle nor a patch, mail or list of edits")
    if len(contents) > max_commits:
        raise refuse("limit.commits", f"There are {len(contents):,} patches, the cap is {max_commits:,}")
    made, remarks = [], []
    for path, data in zip(paths, contents, strict=True):
        patch = patchfile.parse(data, limits.max_files)
        if patch.preamble.strip():
            remarks.append(Finding("patch.preamble", Verdict.WARN, "the words before the patch are left out"))
        if patch.crlf:
            text = "a transport has put a CR on every line; it is taken off"
            remarks.append(Finding("patch.crlf", Verdict.WARN, text))
        words = title if title and len(paths) == 1 else f"Apply {path.name}"
        made.append(Piece(None, "", words.strip() + "\n", patch.files, patch.base))
    return Text(form, tuple(made), (), tuple(remarks), next((one.base for one in made if one.base), ""))


def apply_text(
    room: Repository, text: Text, bases: Sequence[str], author: Identity, title: str, limits: Limits
) -> Applied:
    """Apply a change in memory on the first of ``bases`` on which it applies, and write its commits into ``room``.

    Raises :class:`Refused`; for the first base when none fits.
    """
    first: Refused | None = None
    with Reader(room) as reader:
        for base in bases:
            draft = Draft.of(room, reader, base, limits)
            try:
                steps = _steps(draft, text, author, title, _moment(room, base))
            except Refused as problem:
                first = first or problem
                if problem.code != "base.does_not_apply":
                    break
                continue
            return Applied(base, _write(room, base, steps), (*text.findings, *draft.findings))
    assert first is not None  # noqa: S101 - there is always a base
    raise first


def candidate_bases(repository: Repository, tip: str, text: Text) -> list[str]:
    """The base that the text names, else the newest commit with every file as the first patch says it was; the tip last."""
    ids = {one.old: one.old_id for one in text.pieces[0].files if len(one.old_id) >= 7} if text.pieces else {}
    wanted = {path: oid for path, oid in ids.items() if oid.strip("0")}
    known = text.base if text.base and repository.resolve(text.base) == text.base else ""
    bases = [known] if known and repository.is_ancestor(known, tip) else []
    if not wanted or len(wanted) > 200:
        return [*bases, tip]
    listed = repository.text("rev-list", "--first-parent", f"--max-count={_LOOK_BACK}", tip).split()
    for commit in listed:
        words = ("ls-tree", "-r", "-z", "--full-tree", commit, "--", *wanted)
        rows = os.fsdecode(repository.run(*words, extra_env={"GIT_LITERAL_PATHSPECS": "1"}).stdout).split("\0")
        there = {path: facts.split()[2] for facts, _, path in (row.partition("\t") for row in rows if row)}
        if all(there.get(path, "").startswith(oid) for path, oid in wanted.items()):
            return list(dict.fromkeys((*bases, commit, tip)))
    return [*bases, tip]


def _moment(room: Repository, base: str) -> str:
    """When a change without date counts as made: with its base, so that the same change is the same commit again."""
    return room.text("log", "-1", "--format=%ct", "--end-of-options", base).split()[0] + " +0000"


@dataclass(frozen=True, slots=True)
class _Step:
    author: Identity
    when: str
    message: str
    writes: dict[str, Entry | None]


def _steps(draft: Draft, text: Text, author: Identity, title: str, moment: str) -> list[_Step]:
    if text.form is Form.EDITS:
        writes = apply_edits(draft, list(text.edits))
        number = len({edit["path"] for edit in text.edits})
        words = title or f"Edit {number} file{'' if number == 1 else 's'}"
        return [_Step(author, moment, words + "\n", writes)]
    return [
        _Step(piece.author or author, piece.when or moment, piece.message, apply_patch(draft, piece.files))
        for piece in text.pieces
    ]


def _write(room: Repository, base: str, steps: Sequence[_Step]) -> str:
    """Make the commits with ``git fast-import``: objects only, no index, no work tree. The head's id."""
    with tempfile.TemporaryFile() as stream:
        for number, step in enumerate(steps):
            who = _person(step.author) + b" " + step.when.encode("ascii")
            message = step.message.encode("utf-8", "replace")
            stream.write(b"commit %s\nauthor %s\ncommitter %s\n" % (_REF.encode("ascii"), who, who))
            stream.write(b"data %d\n%s\n" % (len(message), message))
            if number == 0:
                stream.write(b"from %s\n" % base.encode("ascii"))
            for path, entry in step.writes.items():
                _write_path(stream, path, entry)
            stream.write(b"\n")
        stream.write(b"done\n")
        stream.seek(0)
        # kept as one pack: unpacking it would touch the times of objects that the real repository has already
        room.run(
            "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--done", "--date-format=raw", stdin=stream
        )
    return room.commit_id(_REF)


def _write_path(stream: IO[bytes], path: str, entry: Entry | None) -> None:
    name = b'"' + os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    if entry is None:
        stream.write(b"D %s\n" % name)
    elif entry.data is None:
        stream.write(b"M %s %s %s\n" % (entry.mode.encode("ascii"), entry.id.encode("ascii"), name))
    else:
        stream.write(b"M %s inline %s\ndata %d\n%s\n" % (entry.mode.encode("ascii"), name, len(entry.data), entry.data))


def _person(who: Identity) -> bytes:
    name = "".join(c for c in who.name if c not in "<>\n\0").strip() or FALLBACK_IDENTITY.name
    return f"{name} <{who.email}>".encode("utf-8", "replace")
