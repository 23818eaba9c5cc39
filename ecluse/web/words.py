"""How values are written for people: states, instants, durations, sizes, ids. Nothing here trusts its input."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote

from ecluse import clock
from ecluse.history.records import storable

TONES: dict[str, str] = {
    **dict.fromkeys(("accept", "landed", "green", "done", "live", "success", "answered", "ready", "approve"), "good"),
    **dict.fromkeys(("reject", "rejected", "stopped", "red", "error", "failed", "failure"), "bad"),
    **dict.fromkeys(
        ("quarantine", "quarantined", "conflict", "blocked", "waiting", "asking", "open", "warn", "warning", "stuck"),
        "wait",
    ),
    **dict.fromkeys(("neutralise", "expired", "rolled_back", "rolling_back"), "wait"),
    **dict.fromkeys(("running", "testing", "moving", "begun"), "busy"),
}
"""State, verdict or result -> tone (good, bad, wait, busy); anything else is idle. A tone is never shown alone."""

_PAGES = {"change": "changes", "run": "runs", "landing": "landings", "release": "releases"}
_PAGES |= {"gate": "gates", "deployment": "deployments"}
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Text with control, direction-changing and zero-width characters and undecodable bytes written out."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", storable(text))


def uncoloured(text: str) -> str:
    """A program's output without its terminal colours and cursor movements, as :func:`visible`."""
    return visible(_ANSI.sub("", text).rstrip("\r\n"))


def tone(state: object) -> str:
    """The tone in which a state is shown: good, bad, wait, busy or idle."""
    return TONES.get(str(getattr(state, "value", state)), "idle")


def word(state: object) -> str:
    """A state as words: ``rolling_back`` becomes ``rolling back``."""
    return str(getattr(state, "value", state)).replace("_", " ")


def short(oid: str) -> str:
    """An object id as people quote it: twelve characters."""
    return oid[:12]


def many(number: int, one: str, more: str = "") -> str:
    """``1 file``, ``3 files``."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def size(count: float) -> str:
    """Bytes as people write them, in units of 1024."""
    if count < 1024:
        return f"{count:,.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024 or unit == "GiB":
            break
    return f"{count:,.1f} {unit}"


def duration(milliseconds: float) -> str:
    """Milliseconds as people write them: ``4 ms``, ``1.2 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.1f} s"
    seconds = round(milliseconds / 1000)
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def rate(share: float | None) -> str:
    """A share of 0 to 1 in per cent; a dash when there is nothing to share."""
    return "–" if share is None else f"{share * 100:.0f} %"


def moment(instant: str) -> str:
    """An instant in full, to the second; text that is not an instant as it is."""
    parsed = _parse(instant)
    return f"{parsed:%Y-%m-%d %H:%M:%S} UTC" if parsed else instant


def ago(instant: str) -> str:
    """How long ago (or how far ahead) an instant lies; a date when that is more than a day."""
    parsed = _parse(instant)
    if parsed is None:
        return instant
    present = clock.now()
    seconds = (present - parsed).total_seconds()
    if abs(seconds) >= 86_400:
        date = f"{parsed.day} {parsed:%b}"
        return date if parsed.year == present.year else f"{date} {parsed.year}"
    span = _span(abs(seconds))
    if not span:
        return "just now"
    return f"{span} ago" if seconds > 0 else f"in {span}"


def _span(seconds: float) -> str:
    if seconds < 5:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h"


def _parse(instant: str) -> datetime | None:
    try:
        return clock.parse(instant)
    except ValueError:
        return None


def path_of(*parts: object) -> str:
    """An address below the root, each part quoted: nothing in a part can leave it."""
    return "/" + "/".join(quote(storable(str(part)), safe="") for part in parts)


def subject_path(subject: str) -> str:
    """The page that shows a subject (``run/run-01``); empty when there is none."""
    noun, _, key = subject.partition("/")
    if noun not in _PAGES or not key:
        return ""
    return path_of(_PAGES[noun], *key.split("/")) if noun == "change" else path_of(_PAGES[noun], key)
