"""What a reader of a change could be made not to see: characters that hide, turn or imitate, and lines nobody reads."""

from __future__ import annotations

import re
import unicodedata

from ecluse.intake.pathrules import BIDI, INVISIBLE, shown
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

_LINE_CAP = 5000
_CODE = expression(
    r"\.(?:py|pyi|js|mjs|cjs|ts|tsx|jsx|go|rs|java|kt|c|h|cc|cpp|hpp|cs|rb|php|swift|scala|sh|bash|ps1|sql|pl|lua|ya?ml|toml|json)$",
    re.IGNORECASE,
)
_CONTROL = expression(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]|\r(?![\r\n])")
_CONTROL_BYTES = bytes((*range(9), 0x0B, *range(0x0D, 0x20), 0x7F))
"""Every byte that the expression can begin with: a file without one is not searched line by line."""

_WORD = expression(r"[^\W\d_](?:\w)*")
_LIKE_LATIN = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "FULLWIDTH", "MATHEMATICAL")
_LINE_BREAKERS = frozenset((*range(0x80, 0xA0), 0x2028, 0x2029))
"""Controls of eight bits, and ends of lines that some readers know and others do not."""

_JOINED_PICTURES = expression(
    "(?<=[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f])\u200d(?=[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])"
)
_JOINERS = frozenset((0x200C, 0x200D, 0xFEFF))


def judge_text(path: str, data: bytes, old: bytes) -> list[Finding]:
    """Judge what a file says now; what its former version ``old`` said already is not held against the change."""
    if b"\0" in data[:8192]:
        return []
    found = []
    if len(data.translate(None, _CONTROL_BYTES)) < len(data) and any(
        _CONTROL.search(line) for line in _new_lines(data, old)
    ):
        found.append(
            _finding(
                "text.control_chars", Verdict.QUARANTINE, path, "holds control characters that hide text in a terminal"
            )
        )
    longest = max(map(len, data.split(b"\n"))) if len(data) > _LINE_CAP else 0
    if longest > _LINE_CAP and longest > max(map(len, old.split(b"\n"))):
        found.append(
            _finding("text.unreviewable", Verdict.WARN, path, f"has a line of {longest:,} bytes that nobody can review")
        )
    if not data.isascii():
        found += _judge_characters(path, data, old)
    return found


def judge_oversized(path: str, first: bytes, size: int) -> list[Finding]:
    """Judge a file that is too large to be read whole by its first bytes: as a text, a person has to look at it."""
    if b"\0" in first:
        return []
    text = f"is a text of {size:,} bytes, too many to be judged or reviewed"
    return [_finding("text.unreviewable", Verdict.QUARANTINE, path, text)]


def _new_lines(data: bytes, old: bytes) -> list[bytes]:
    known = {line.rstrip(b"\r") for line in old.split(b"\n")}
    return [line for one in data.split(b"\n") if (line := one.rstrip(b"\r")) not in known]


def _judge_characters(path: str, data: bytes, old: bytes) -> list[Finding]:
    found = []
    fresh = b"\n".join(_new_lines(data, old)).decode("utf-8", "replace")
    codes = {ord(c) for c in _JOINED_PICTURES.sub("", fresh) if not c.isascii()}
    if codes & _LINE_BREAKERS:
        text = "holds control characters, or line ends that not every reader takes for one"
        found.append(_finding("text.control_chars", Verdict.QUARANTINE, path, text))
    if codes & BIDI:
        found.append(
            _finding("text.bidi", Verdict.QUARANTINE, path, "holds characters that turn the direction of text")
        )
    hidden = codes & INVISIBLE
    if _CODE.search(path) is None or data.startswith(b"\xef\xbb\xbf"):
        hidden -= _JOINERS
    if hidden:
        names = ", ".join(f"U+{code:04X}" for code in sorted(hidden)[:5])
        found.append(
            _finding("text.invisible", Verdict.QUARANTINE, path, f"holds characters that nobody sees ({names})")
        )
    if _CODE.search(path) and any(_is_mixed(word) for word in _WORD.findall(fresh)):
        found.append(
            _finding("text.homoglyph", Verdict.QUARANTINE, path, "holds a word that mixes look-alike alphabets")
        )
    return found


def _is_mixed(word: str) -> bool:
    if word.isascii():
        return False
    names = [unicodedata.name(c, "") for c in word if c.isalpha()]
    latin = any(name.startswith("LATIN") for name in names)
    return latin and any(name.startswith(_LIKE_LATIN) for name in names)


def _finding(code: str, verdict: Verdict, path: str, why: str) -> Finding:
    return Finding(code, verdict, f"{shown(path)} {why}", path)
