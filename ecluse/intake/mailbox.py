"""Mails that carry patches (``git format-patch``, ``b4``): split, read and taken apart by rules that have one reading."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, mktime_tz, parsedate_tz

from ecluse.clock import now
from ecluse.dataclass import dataclass
from ecluse.errors import Refused
from ecluse.git import Identity
from ecluse.intake import patchfile
from ecluse.intake.binarypatch import refuse
from ecluse.intake.patchfile import FilePatch
from ecluse.intake.pathrules import BIDI
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

_FROM_LINE = expression(rb"From \S+ .*\d\d:\d\d(?::\d\d)?.* \d{4}\s*$")
_HEADER = expression(rb"([A-Za-z][A-Za-z0-9-]{0,70}):(.*)$")
_HEADERS_CAP = 64 << 10
_FUTURE = timedelta(days=366)
_TAG = expression(r"\s*(?:re|fwd?|aw)\s*:\s*|\s*\[[^\]\n]*\b(?:PATCH|RFC|RESEND)\b[^\]\n]*\]\s*", re.IGNORECASE)
_COUNT = expression(r"\[[^\]\n]*\bPATCH\b[^\]\n]*?\b(\d{1,4})/(\d{1,4})\]", re.IGNORECASE)
_CHARSETS = ("utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "latin1", "windows-1252")
_IN_BODY = expression(rb"(?:From|Date|Subject): ?(.*)$", re.IGNORECASE)
_GROUP = expression(r"^(?:[^\":<]|\"[^\"]*\")*:")
"""A colon before the address, outside quotes: a list of several, or a header that goes on as another."""

_DIFF = expression(rb"(?:diff --git |--- (?:a/|\"a/|/dev/null)|Index: )")


@dataclass(frozen=True, slots=True)
class Piece:
    """One commit to be: who, when (seconds since 1970 and offset as git writes it; empty: not said), words, changes."""

    author: Identity | None
    when: str
    message: str
    files: tuple[FilePatch, ...]
    base: str = ""


def is_mail(data: bytes) -> bool:
    """Whether a file begins like a mail: a ``From `` line, or header lines of which one is ``From`` or ``Subject``."""
    head = data[:4096].split(b"\n")
    if _FROM_LINE.match(head[0].rstrip(b"\r")):
        return True
    names = set()
    for line in head:
        match = _HEADER.match(line)
        if match is None and not line.startswith((b" ", b"\t")):
            break
        if match:
            names.add(match[1].lower())
    return b"from" in names and bool(names & {b"subject", b"date"})


def read_mails(boxes: Sequence[bytes], max_commits: int, max_files: int) -> tuple[list[Piece], list[Finding]]:
    """The commits of mail boxes, in order. Raises :class:`Refused` (``mail.*``, ``author.*``, ``patch.*``, ``limit.*``)."""
    if sum(map(len, boxes)) > patchfile.SIZE_CAP or sum(one.count(b"\n") for one in boxes) > patchfile.LINES_CAP:
        raise refuse("limit.patch_size", f"The mails have more than {patchfile.SIZE_CAP:,} bytes together")
    mails = [mail for box in boxes for mail in split(box)]
    if len(mails) > max_commits:
        raise refuse("limit.commits", f"There are {len(mails):,} mails, the cap is {max_commits:,} commits")
    pieces: list[Piece] = []
    findings: list[Finding] = []
    numbers: list[tuple[int, int]] = []
    for mail in mails:
        headers, body = headers_of(mail)
        subject = header_text(headers.get("subject", ""))
        count = _COUNT.search(subject)
        if count:
            numbers.append((int(count[1]), int(count[2])))
            if int(count[1]) == 0 and len(mails) > 1 and not re.search(rb"^diff --git ", body, re.M):
                continue  # a cover letter
        pieces.append(_read(headers, subject, body, max_files, findings))
    _check_numbers(numbers, len(pieces))
    return pieces, findings


def _check_numbers(numbers: list[tuple[int, int]], pieces: int) -> None:
    """A series that counts itself must be whole, in order, and nothing else."""
    if not numbers:
        return
    of = {total for _, total in numbers}
    order = [number for number, _ in numbers if number]
    if len(of) != 1 or order != list(range(1, len(order) + 1)) or len(order) != of.pop() or len(order) != pieces:
        raise refuse("mail.count_mismatch", "The mails are not the whole series that their subjects count")


def split(data: bytes) -> list[bytes]:
    """The mails of a box. A ``From `` line that does not clearly begin a mail could be read in two ways: refused."""
    lines = data.split(b"\n")
    starts = []
    for number, line in enumerate(lines):
        if not _FROM_LINE.match(line.rstrip(b"\r")):
            continue
        follows = lines[number + 1] if number + 1 < len(lines) else b""
        signed = number > 1 and lines[number - 2].rstrip() == b"--"  # b4 writes no blank line after a signature
        clear = number == 0 or signed or not lines[number - 1].strip()
        if not clear or not _HEADER.match(follows.rstrip(b"\r")):
            raise refuse(
                "mail.count_mismatch", f"Line {number + 1} is a bare `From ` line that would split a mail in two"
            )
        starts.append(number)
    if not starts or starts[0] != 0:
        if starts:
            raise refuse("mail.count_mismatch", "A `From ` line stands in the middle of a single mail")
        return [data]
    ends = [*starts[1:], len(lines)]
    return [b"\n".join(lines[begin + 1 : end]) for begin, end in zip(starts, ends, strict=True)]


def headers_of(mail: bytes) -> tuple[dict[str, str], bytes]:
    """(headers by lower-case name, body as it was written). Headers that matter may come once."""
    if b"\0" in mail:
        raise refuse("mail.malformed", "A mail holds NUL bytes")
    crlf = mail.partition(b"\n")[0].endswith(b"\r")
    end = mail.find(b"\r\n\r\n" if crlf else b"\n\n")
    if end < 0 or end > _HEADERS_CAP:
        raise refuse("mail.malformed", "A mail has no end of its header lines, or more than 64 KiB of them")
    found: dict[str, str] = {}
    last = ""
    for line in mail[:end].replace(b"\r\n", b"\n").split(b"\n"):
        match = _HEADER.match(line)
        if line[:1] in (b" ", b"\t") and last:
            found[last] += " " + line.strip().decode("utf-8", "replace")
            continue
        if match is None:
            raise refuse("mail.malformed", "A header line of a mail is not well formed")
        last = match[1].decode("ascii").lower()
        if last in found and last in ("from", "date", "subject", "content-type", "content-transfer-encoding"):
            raise refuse("mail.duplicate_header", f"A mail has the header {last} twice")
        found[last] = match[2].strip().decode("utf-8", "replace")
    return found, _decoded(found, mail[end + (4 if crlf else 2) :])


def _decoded(headers: dict[str, str], body: bytes) -> bytes:
    kind = headers.get("content-type", "text/plain").lower()
    if kind.partition(";")[0].strip() != "text/plain":
        multi = kind.startswith(("multipart/", "message/"))
        code = "mail.multipart" if multi else "mail.not_plain"
        raise refuse(code, f"A mail is {kind[:40]!a}; only plain text has one reading")
    way = headers.get("content-transfer-encoding", "8bit").lower().strip()
    if way in ("7bit", "8bit", "binary"):
        return body
    if way == "quoted-printable":
        return quopri.decodestring(body)
    if way == "base64":
        try:
            return base64.b64decode(b"".join(body.split()), validate=True)
        except ValueError as error:
            raise refuse("mail.malformed", "A mail says that it is base64 and is not") from error
    raise refuse("mail.malformed", f"A mail is encoded as {way[:40]!a}, which is not known")


def header_text(header: str) -> str:
    """A header's text with its encoded words read."""
    try:
        parts = decode_header(header)
        return "".join(
            part.decode(charset or "utf-8", "replace") if isinstance(part, bytes) else part for part, charset in parts
        )
    except (HeaderParseError, LookupError, ValueError) as error:
        raise refuse("mail.malformed", "A header of a mail is encoded in a way that is not known") from error


def _read(headers: dict[str, str], subject: str, body: bytes, max_files: int, findings: list[Finding]) -> Piece:
    author = _author(headers.get("from", ""))
    when = _date(headers.get("date", ""))
    message, patch = _take_apart(body, max_files)
    said, rest = _in_body(message)
    if said:
        text = "a mail names another author, date or title inside its text; the mail's own headers count"
        findings.append(Finding("mail.in_body_from", Verdict.NEUTRALISE, text))
    charset = re.search(r"charset=\"?([A-Za-z0-9_-]+)", headers.get("content-type", ""))
    name = charset[1].lower() if charset else "utf-8"
    if name not in _CHARSETS:
        raise refuse("mail.charset", f"A mail is written in {name[:40]!a}; send it in UTF-8")
    words = rest.decode("utf-8" if name == "ascii" or name == "us-ascii" else name, "replace")
    title = title_of(subject)
    whole = f"{title}\n\n{words.strip()}".strip() if title else words.strip()
    if not whole:
        raise refuse("mail.malformed", "A mail has neither a subject nor a message")
    if patch.crlf:
        findings.append(Finding("patch.crlf", Verdict.WARN, "a transport has put a CR on every line; it is taken off"))
    return Piece(author, when, whole.replace("\r\n", "\n") + "\n", patch.files, patch.base)


def title_of(subject: str) -> str:
    text = subject
    while (match := _TAG.match(text)) and match.end():
        text = text[match.end() :]
    return " ".join(text.split())


def _author(header: str) -> Identity:
    found = [(name, address) for name, address in getaddresses([header]) if name or address]
    if len(found) != 1 or _GROUP.search(header) or not re.fullmatch(r"[^\s<>@\0]+@[^\s<>@\0]+", found[0][1]):
        raise refuse("author.invalid", "A mail does not come from one author with an address")
    name, address = header_text(found[0][0]).strip(), found[0][1]
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or ord(c) in BIDI or c in "<>" for c in name + address):
        raise refuse("author.invalid", "The author of a mail has control characters in name or address")
    if len(name) > 200 or len(address) > 250:
        raise refuse("author.invalid", "The author of a mail has a name or address that is too long")
    return Identity(name or address, address)


def _date(header: str) -> str:
    """The date as git writes it. Raises :class:`Refused` (``author.date``)."""
    parts = parsedate_tz(header) if header and len(header) < 200 else None
    if parts is None:
        raise refuse("author.date", "A mail has no date, or one that cannot be read")
    offset = parts[9] or 0
    try:
        datetime(*parts[:6])
        moment = mktime_tz(parts)
    except (OverflowError, ValueError):
        moment = -1
    if not 0 <= moment <= (now() + _FUTURE).timestamp() or abs(offset) > 14 * 3600:
        raise refuse("author.date", "A mail is dated on no day, before 1970, far in the future, or in no time zone")
    return f"{int(moment)} {'-' if offset < 0 else '+'}{abs(offset) // 3600:02d}{abs(offset) % 3600 // 60:02d}"


def _take_apart(body: bytes, max_files: int) -> tuple[bytes, patchfile.Patch]:
    """(message, patch). A diff in the message that another tool would apply is refused."""
    lines = body.split(b"\n")
    line = next((n for n, one in enumerate(lines) if one.rstrip(b"\r") == b"---"), None)
    diff = next((n for n, one in enumerate(lines) if _DIFF.match(one)), None)
    if diff is None:
        raise refuse("mail.no_patch", "A mail of the series carries no patch")
    if line is None or diff < line:  # no separator, or a line of the patch that only looks like one
        try:
            return b"\n".join(lines[:diff]), patchfile.parse(b"\n".join(lines[diff:]), max_files)
        except Refused as problem:
            if line is None or not problem.code.startswith("patch."):
                raise
            raise refuse(
                "mail.diff_in_message", "A diff stands in the message of a mail, where some tools would apply it"
            ) from problem
    return b"\n".join(lines[:line]), patchfile.parse(b"\n".join(lines[line + 1 :]), max_files)


def _in_body(message: bytes) -> tuple[list[bytes], bytes]:
    """(header lines at the beginning of a message, the message without them)."""
    lines = message.lstrip(b"\r\n").split(b"\n")
    said = []
    while lines and _IN_BODY.match(lines[0].rstrip(b"\r")):
        said.append(lines.pop(0))
    if not said:
        return [], message
    return said, b"\n".join(lines)
