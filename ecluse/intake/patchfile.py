"""Patches read by us before git sees anything: what each section names, which modes, which lines, and nothing else.

Git-style and plain unified diffs. What follows a section must be another one, blank lines, or a mail's signature;
text that merely looks like more of a patch is refused.
"""

from __future__ import annotations

from ecluse.dataclass import dataclass, field
from ecluse.intake import patchnames
from ecluse.intake.binarypatch import BinaryPiece, refuse
from ecluse.intake.patchnames import DEV_NULL, decode, marked_name, unquote
from ecluse.intake.treerules import MODES
from ecluse.patterns import expression

SIZE_CAP = 32 << 20
LINES_CAP = 1_000_000
_TRAILER_LINES = 60
_HUNK = expression(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_INDEX = expression(rb"index ([0-9a-f]{4,40})\.\.([0-9a-f]{4,40})(?: ([0-7]{6}))?$")
_PIECE = expression(rb"(literal|delta) (\d{1,12})$")
_LOOKS_LIKE_MORE = expression(rb"(?:diff -|--- \S|\+\+\+ \S|@@ -|Index: |GIT binary patch)")
_BETWEEN = expression(
    rb"(?:base-commit|prerequisite-patch-id): [0-9a-f]{40}$|(?:prerequisite-)?(?:change-id|message-id): [<>\w.@:+-]{1,200}$"
)
"""What `git format-patch --base` and b4 write below a patch."""

_PLAIN_BETWEEN = expression(rb"(?:diff -(?!-)|Index: |={20,}$)")
_EXTENDED = (
    b"old mode ", b"new mode ", b"deleted file mode ", b"new file mode ", b"copy from ", b"copy to ", b"rename from ",
    b"rename to ", b"similarity index ", b"dissimilarity index ", b"index ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hunk:
    """Consecutive lines. ``old`` and ``new`` are first line (from 1) and count; ``lines`` are (mark, bytes with end)."""

    old: tuple[int, int]
    new: tuple[int, int]
    lines: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What is to become of one file: ``action`` is add, delete, modify, rename or copy; ids as the index line has them."""

    action: str
    old: str
    new: str
    old_mode: str = ""
    new_mode: str = ""
    old_id: str = ""
    new_id: str = ""
    hunks: tuple[Hunk, ...] = ()
    binary: BinaryPiece | None = None
    crlf: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """A whole patch: the words before it, its sections, and the base commit it names (empty: none)."""

    preamble: bytes
    files: tuple[FilePatch, ...]
    base: str = ""
    crlf: bool = False


@dataclass(slots=True)
class _Facts:
    """The extended header lines of one section."""

    lines: dict[bytes, bytes] = field(default_factory=dict)
    old_id: str = ""
    new_id: str = ""
    mode: str = ""


def parse(data: bytes, max_files: int) -> Patch:
    """Read a patch. Raises :class:`Refused` (``patch.*``, ``path.*``, ``mode.unknown``, ``limit.*``)."""
    if len(data) > SIZE_CAP or data.count(b"\n") > LINES_CAP:
        raise refuse("limit.patch_size", f"The patch has more than {SIZE_CAP:,} bytes or {LINES_CAP:,} lines")
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return _Parser(lines, max_files).run()


class _Parser:
    def __init__(self, lines: list[bytes], max_files: int) -> None:
        self._lines = lines
        self._at = 0
        self._max_files = max_files
        self._files: list[FilePatch] = []
        self._git: bool | None = None
        self._base = ""
        self._crlf = False

    def run(self) -> Patch:
        start = next((n for n in range(len(self._lines)) if self._starts(n)), None)
        if start is None:
            raise refuse("patch.empty", "There is no change in the patch")
        preamble = self._lines[:start]
        if any(line.startswith((b"+++ ", b"@@ -", b"GIT binary patch")) for line in preamble):
            raise refuse("patch.malformed", "Lines before the first file of the patch look like a part of it")
        self._crlf = self._lines[start].endswith(b"\r")
        self._at = start
        while self._at < len(self._lines) and self._step():
            if len(self._files) > self._max_files:
                raise refuse("limit.files", f"The patch touches more than {self._max_files:,} files")
        return Patch(b"\n".join(preamble), tuple(self._files), self._base, self._crlf)

    def _line(self, at: int | None = None) -> bytes:
        """A structural line; its CR goes where a transport has put one on every line. Empty behind the end."""
        at = self._at if at is None else at
        if at >= len(self._lines):
            return b""
        line = self._lines[at]
        return line[:-1] if self._crlf and line.endswith(b"\r") else line

    def _starts(self, at: int) -> bool:
        line = self._lines[at]
        if line.startswith((b"diff --git ", b"diff --cc ", b"diff --combined ")):
            return True
        return line.startswith(b"--- ") and at + 1 < len(self._lines) and self._lines[at + 1].startswith(b"+++ ")

    def _step(self) -> bool:
        """Read a section, or what may stand between sections; false at a mail's signature."""
        line = self._line()
        if line.startswith((b"diff --cc ", b"diff --combined ")):
            raise refuse("patch.combined", "The patch is a combined diff of a merge, which cannot be applied")
        if line.startswith(b"diff --git "):
            if self._git is False:
                raise refuse("patch.trailing_garbage", "The patch mixes plain and git-style sections")
            self._git = True
            self._files.append(self._git_section())
        elif self._git is not True and line.startswith(b"--- ") and self._line(self._at + 1).startswith(b"+++ "):
            self._git = False
            self._files.append(self._plain_section())
        elif line.rstrip(b" ") == b"--":
            self._check_trailer()
            return False
        elif line in (b"---", b"Best regards,") and self._ends_here():
            self._at += 1
        elif self._git is not True and line.startswith(b"Binary files ") and line.endswith(b" differ"):
            raise refuse("patch.binary_missing", "The content of a binary file is not in the patch")
        elif not line or _BETWEEN.match(line) or (not self._git and _PLAIN_BETWEEN.match(line)):
            if line.startswith(b"base-commit: "):
                self._base = line[13:].decode("ascii")
            self._at += 1
        else:
            raise refuse("patch.trailing_garbage", f"Line {self._at + 1} of the patch is no part of it")
        return True

    def _check_trailer(self) -> None:
        rest = self._lines[self._at + 1 :]
        if len(rest) > _TRAILER_LINES or any(_LOOKS_LIKE_MORE.match(line) for line in rest):
            raise refuse("patch.trailing_garbage", "What follows the signature looks like more of the patch")

    def _ends_here(self) -> bool:
        """Whether nothing but what b4 writes below a patch follows, up to the signature."""
        for at in range(self._at + 1, len(self._lines)):
            line = self._line(at)
            if line.rstrip(b" ") == b"--":
                break
            if line and line != b"Best regards," and not _BETWEEN.match(line):
                return False
        return True

    # -- sections ----------------------------------------------------------------------------------------------

    def _git_section(self) -> FilePatch:
        pairs = patchnames.header_pairs(self._line()[len(b"diff --git ") :])
        self._at += 1
        facts = self._extended()
        action, old, new = self._names(pairs, facts)
        binary, hunks = self._content(action, old, new)
        said = facts.lines
        old_mode = said.get(b"old mode ", said.get(b"deleted file mode ", b"")).decode("ascii", "replace") or facts.mode
        new_mode = said.get(b"new mode ", said.get(b"new file mode ", b"")).decode("ascii", "replace") or facts.mode
        for mode in (old_mode, new_mode):
            if mode and mode not in MODES:
                raise refuse("mode.unknown", f"{decode(new)[:80]!a} gets the mode {mode[:12]!a}")
        if (b"old mode " in said) != (b"new mode " in said):
            raise refuse("patch.malformed", "A section changes a mode and names only one")
        if b"new mode " in said and old_mode[:3] != new_mode[:3]:
            raise refuse("mode.unknown", f"{decode(new)[:80]!a} changes its kind by its mode alone")
        return FilePatch(
            action, decode(old), decode(new), old_mode, new_mode, facts.old_id, facts.new_id, hunks, binary, self._crlf
        )

    def _extended(self) -> _Facts:
        facts = _Facts()
        while name := next((one for one in _EXTENDED if self._line().startswith(one)), None):
            value = self._line()[len(name) :]
            if name in facts.lines:
                raise refuse("patch.malformed", f"A section of the patch says {name.decode().strip()!r} twice")
            if name == b"index ":
                match = _INDEX.match(self._line())
                if match is None:
                    raise refuse("patch.malformed", "An index line of the patch is not well formed")
                facts.old_id, facts.new_id = match[1].decode("ascii"), match[2].decode("ascii")
                facts.mode = (match[3] or b"").decode("ascii")
            facts.lines[name] = value
            self._at += 1
        return facts

    def _names(self, pairs: list[tuple[bytes, bytes]], facts: _Facts) -> tuple[str, bytes, bytes]:
        """(action, old name, new name) of a git-style section, from its extended lines and its first line."""
        said = facts.lines
        kinds = [
            kind
            for kind, marks in (
                ("add", (b"new file mode ",)),
                ("delete", (b"deleted file mode ",)),
                ("rename", (b"rename from ", b"rename to ")),
                ("copy", (b"copy from ", b"copy to ")),
            )
            if any(mark in said for mark in marks)
        ]
        if len(kinds) > 1:
            raise refuse("patch.malformed", f"A section of the patch says {' and '.join(kinds)} at once")
        action = kinds[0] if kinds else "modify"
        if action not in ("rename", "copy"):
            path = patchnames.header_path(pairs)
            return action, path, path
        word = action.encode("ascii")
        if word + b" from " not in said or word + b" to " not in said:
            raise refuse("patch.malformed", f"A {action} in the patch does not say from where to where")
        old, new = unquote(said[word + b" from "]), unquote(said[word + b" to "])
        patchnames.check_moved(pairs, old, new)
        return action, old, new

    def _content(self, action: str, old: bytes, new: bytes) -> tuple[BinaryPiece | None, tuple[Hunk, ...]]:
        line = self._line()
        if line == b"GIT binary patch":
            self._at += 1
            return self._binary(), ()
        if line.startswith(b"Binary files ") and line.endswith(b" differ"):
            raise refuse("patch.binary_missing", f"The content of the binary file {decode(new)[:80]!a} is not in it")
        if not line.startswith(b"--- "):
            return None, ()
        before = marked_name(line[4:])[0]
        after = marked_name(self._line(self._at + 1)[4:])[0] if self._line(self._at + 1).startswith(b"+++ ") else b""
        self._at += 2
        good = before == DEV_NULL if action == "add" else patchnames.strips_to(before, old)
        good &= after == DEV_NULL if action == "delete" else patchnames.strips_to(after, new)
        if not good:
            raise refuse("patch.name_mismatch", f"The --- and +++ lines do not name {decode(new)[:80]!a}")
        return None, self._hunks()

    def _plain_section(self) -> FilePatch:
        before, no_old = marked_name(self._line()[4:])
        after, no_new = marked_name(self._line(self._at + 1)[4:])
        path = decode(patchnames.plain_path(before, after))
        self._at += 2
        hunks = self._hunks()
        added = before == DEV_NULL or (no_old and hunks[0].old == (0, 0))
        deleted = after == DEV_NULL or (no_new and hunks[-1].new == (0, 0))
        if (added and hunks[0].old != (0, 0)) or (deleted and hunks[-1].new != (0, 0)) or (added and deleted):
            raise refuse("patch.malformed", f"The lines for {path[:80]!a} do not fit its names")
        action = "add" if added else "delete" if deleted else "modify"
        return FilePatch(action, path, path, hunks=hunks, crlf=self._crlf)

    # -- content -----------------------------------------------------------------------------------------------

    def _hunks(self) -> tuple[Hunk, ...]:
        found: list[Hunk] = []
        while match := _HUNK.match(self._line()):
            start, count, new_start, new_count = (int(word) if word is not None else 1 for word in match.groups())
            if (count and not start) or (new_count and not new_start):
                raise refuse("patch.malformed", "A part of a file in the patch begins before its first line")
            hunk = self._hunk((start, count), (new_start, new_count))
            if found and start < found[-1].old[0] + found[-1].old[1]:
                raise refuse("patch.malformed", "The parts of a file in the patch overlap or are out of order")
            found.append(hunk)
        if not found:
            raise refuse("patch.malformed", f"Line {self._at + 1} of the patch should begin the lines of a file")
        return tuple(found)

    def _hunk(self, old: tuple[int, int], new: tuple[int, int]) -> Hunk:
        self._at += 1
        left, right = old[1], new[1]
        lines: list[tuple[bytes, bytes]] = []
        while left or right:
            if self._at >= len(self._lines):
                raise refuse("patch.malformed", "The patch is cut short")
            line = self._lines[self._at]
            mark = b" " if line in (b"", b"\r") else line[:1]
            left -= mark in (b" ", b"-")
            right -= mark in (b" ", b"+")
            if mark == b"\\" and lines:
                lines[-1] = self._without_end(lines[-1])
            elif mark not in (b" ", b"-", b"+") or left < 0 or right < 0:
                raise refuse("patch.malformed", f"Line {self._at + 1} of the patch does not fit the counts before it")
            else:
                lines.append((mark, (line[1:] if line[:1] == mark else line) + b"\n"))
            self._at += 1
        if self._line().startswith(b"\\ "):
            if not lines:
                raise refuse("patch.malformed", "A part of the patch has no lines")
            lines[-1] = self._without_end(lines[-1])
            self._at += 1
        for side in (b"-", b"+"):
            ends = [data.endswith(b"\n") for mark, data in lines if mark in (b" ", side)]
            if not all(ends[:-1]):
                raise refuse("patch.malformed", "A line without end stands in the middle of a file")
        return Hunk(old, new, tuple(lines))

    def _without_end(self, line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        data = line[1].removesuffix(b"\n")
        return line[0], data.removesuffix(b"\r") if self._crlf else data

    def _binary(self) -> BinaryPiece:
        """The forward piece; the backward one, when there is one, is read over."""
        pieces: list[BinaryPiece] = []
        while (match := _PIECE.match(self._line())) and len(pieces) < 2:
            self._at += 1
            first = self._at
            while self._line():
                self._at += 1
            lines = tuple(self._line(number) for number in range(first, self._at))
            pieces.append(BinaryPiece(match[1].decode("ascii"), int(match[2]), lines))
            if self._at >= len(self._lines) and len(pieces) == 1 and self._lines[-1]:
                break
            self._at += 1
        if not pieces:
            raise refuse("patch.malformed", "A binary part of the patch holds nothing")
        return pieces[0]
