"""Which series a mail belongs to: what a new version (``[PATCH v2]``) has in common with the one before it.

A version says its number and is known again by one of three: it answers a mail of the version before, it has the same
``change-id`` (as b4 writes it), or it has the same title; always from the same address. What a mail claims is never proof:
who may take the place of a signed change is decided where changes supersede each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Sequence
from email.utils import getaddresses

from ecluse.dataclass import dataclass
from ecluse.errors import Refused
from ecluse.history import History
from ecluse.history.lookup import received_with
from ecluse.intake.mailbox import header_text, headers_of, split, title_of
from ecluse.model import Change
from ecluse.patterns import expression

_VERSION = expression(r"\s*\[[^\]\n]*\b(?:PATCH|RFC)\b[^\]\n]*?\bv(\d{1,3})\b[^\]\n]*\]", re.IGNORECASE)
_CHANGE_ID = expression(rb"^change-id: ([A-Za-z0-9._-]{6,120})\s*$", re.MULTILINE)
_MESSAGE_ID = expression(r"<[^<>\s]{3,200}>")
_MAILS = 200


@dataclass(frozen=True, slots=True)
class Series:
    """A series as its first mail tells it. ``marks`` are kept to know it again; ``answers`` are marks of earlier ones."""

    version: int = 1
    sender: str = ""
    marks: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


def series_of(boxes: Sequence[bytes]) -> Series:
    """The series that mail boxes hold; nothing is known of one that breaks a rule (judging it says which)."""
    with contextlib.suppress(Refused):
        mails = [headers_of(mail) for box in boxes for mail in split(box)][:_MAILS]
        first, body = mails[0]
        subject = header_text(first.get("subject", ""))
        version = _VERSION.match(subject)
        address = (getaddresses([first.get("from", "")]) or [("", "")])[0][1].lower()
        own = _CHANGE_ID.search(body)
        same = [_mark("change-id", own[1].decode("ascii"))] if own else []
        same += [_mark("title", title_of(subject))] if title_of(subject) else []
        mine = [_mark("mail", one) for headers, _ in mails for one in _ids(headers.get("message-id", ""))]
        before = [_mark("mail", one) for name in ("in-reply-to", "references") for one in _ids(first.get(name, ""))]
        return Series(
            int(version[1]) if version else 1, _mark("from", address), (*same, *mine[:_MAILS]), (*same, *before)
        )
    return Series()


def earlier(history: History, series: Series) -> Change | None:
    """The open change that ``series`` is a new version of, or ``None``."""
    if series.version < 2 or not series.answers:
        return None
    found = received_with(history, series.sender, series.answers)
    return next((one for one in found if not one.state.is_terminal), None)


def _ids(header: str) -> Iterable[str]:
    return _MESSAGE_ID.findall(header)[:20]


def _mark(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "backslashreplace")).hexdigest()[:24]
