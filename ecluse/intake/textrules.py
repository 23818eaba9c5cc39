"""What a reader of a change could be made not to see: characters that hide, turn or imitate, and lines nobody reads."""

from __future__ import annotations

import functools
import re
import unicodedata

from ecluse.intake.pathrules import BIDI, INVISIBLE, shown
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

_LINE_CAP = 5000
_CODE = expression(
    r"\.(?:py|pyi|pyx|js|mjs|cjs|ts|tsx|jsx|vue|svelte|astro|go|rs|java|kts?|groovy|gradle|c|h|cc|cpp|hpp|cs|fs|vb|rb|php|swift|scala|dart|exs?"
    r"|erl|hs|clj|jl|r|lua|pl|pm|sh|bash|zsh|fish|ps1|psm1|bat|cmd|awk|sql|proto|graphql|tf|hcl|nix|zig|nim|css|scss|ya?ml|toml|json)$"
    r"|(?:^|/)(?:GNUmakefile|Makefile|Dockerfile|Jenkinsfile|Vagrantfile|Rakefile|Gemfile|Procfile|justfile|CMakeLists\.txt)$",
    re.IGNORECASE,
)
"""Names of files that machines carry out; so does any file that begins with ``#!``."""

_CONTROL = expression(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]|\r(?![\r\n])")
_CONTROL_BYTES = bytes((*range(9), 0x0B, *range(0x0D, 0x20), 0x7F))
"""Every byte that the expression can begin with: a file without one is not searched line by line."""

_COOKIE = expression(rb"(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")
"""The encoding that Python takes a source for, in one of its first two lines."""

_WORD = expression(r"[^\W\d_](?:\w)*")
_LETTERS = expression(r"[^\W\d_]{3,}")
_LIKE_LATIN = ("CYRILLIC", "ARMENIAN", "CHEROKEE", "FULLWIDTH", "MATHEMATICAL")
_GREEK_TWINS = frozenset(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b1\u03b9\u03bd\u03bf\u03c1\u03c5\u03f2\u03f3"
)
_TWINS = frozenset(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d"
)
"""Cyrillic letters that are drawn like Latin ones; Greek letters that are: the others stand in many a formula."""

_LINE_BREAKERS = frozenset((*range(0x80, 0xA0), 0x2028, 0x2029))
"""Controls of eight bits, and ends of lines that some readers know and others do not."""

_AT_HOME = expression(
    "(?<=[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f])\u200d(?=[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])"
    "|\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
    "|(?<=[\u0600-\u07ff\u0900-\u0dff\u1780-\u17ff])[\u200c\u200d](?=[\u0600-\u07ff\u0900-\u0dff\u1780-\u17ff])"
    "|(?<=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
)
"""Where unseen characters belong: pictures made of several, three flags, joined letters of scripts that join, variants of ideographs."""

_STRAY_SELECTOR = expression("[A-Za-z_\u00c0-\u024f\u0370-\u052f\ufe00-\ufe0f\U000e0100-\U000e01ef][\ufe00-\ufe0f]")
"""A variation selector behind nothing that has variants, or behind another: that is how bytes are hidden in a text."""

_BLANK_BRAILLE = frozenset((0x2800,))
_BRAILLE = frozenset(range(0x2801, 0x2900))
_JOINERS = frozenset((0x200C, 0x200D, 0xFEFF))


def judge_text(path: str, data: bytes, old: bytes) -> list[Finding]:
    """Judge what a file says now; what its former version ``old`` said already is not held against the change."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) and (wide := _from_wide(data)):
        data, old = wide, _from_wide(old)
    elif b"\0" in data[:8192]:
        return _judge_zeros(path, data, old)
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
    if path.endswith((".py", ".pyw")) and _reads_otherwise(data) and not _reads_otherwise(old):
        text = "says that it is in an encoding in which plain letters are other letters"
        found.append(_finding("text.control_chars", Verdict.QUARANTINE, path, text))
    if not data.isascii():
        found += _judge_characters(path, data, old)
    return found


def _reads_otherwise(data: bytes) -> bool:
    """Whether Python would read other characters where everybody sees plain ASCII (UTF-7, unicode_escape, EBCDIC)."""
    said = _COOKIE.match(data)
    if not said:
        return False
    plain = bytes(range(0x5C)) + bytes(range(0x5D, 0x80)) + b"\\x41 +AGE- ~{!!~}"
    try:
        return plain.decode(said[1].decode("ascii", "replace")) != plain.decode("ascii")
    except LookupError:
        return False  # no such encoding: nothing reads it
    except ValueError:
        return True


def _from_wide(data: bytes) -> bytes:
    """A text of sixteen-bit characters in UTF-8; empty where it is none."""
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        return b""


def _judge_zeros(path: str, data: bytes, old: bytes) -> list[Finding]:
    """To git a file with zero bytes is binary, and no diff shows it; many an interpreter reads it all the same."""
    if b"\0" in old[:8192] or not _is_code(path, data):
        return []
    text = "is code and holds zero bytes, so that no diff shows what it says"
    return [_finding("text.control_chars", Verdict.QUARANTINE, path, text)]


def _is_code(path: str, data: bytes) -> bool:
    return data.startswith(b"#!") or _CODE.search(path) is not None


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
    codes = {ord(c) for c in _AT_HOME.sub("", fresh) if not c.isascii()}
    if codes & _LINE_BREAKERS:
        text = "holds control characters, or line ends that not every reader takes for one"
        found.append(_finding("text.control_chars", Verdict.QUARANTINE, path, text))
    if codes & BIDI:
        found.append(
            _finding("text.bidi", Verdict.QUARANTINE, path, "holds characters that turn the direction of text")
        )
    code = _is_code(path, data)
    hidden = codes & INVISIBLE
    if not code or data.startswith(b"\xef\xbb\xbf"):
        hidden -= _JOINERS
    if codes & _BLANK_BRAILLE and not codes & _BRAILLE:
        hidden |= _BLANK_BRAILLE
    if _STRAY_SELECTOR.search(fresh):
        hidden |= codes & frozenset(range(0xFE00, 0xFE10))
    if hidden:
        names = ", ".join(f"U+{one:04X}" for one in sorted(hidden)[:5])
        found.append(
            _finding("text.invisible", Verdict.QUARANTINE, path, f"holds characters that nobody sees ({names})")
        )
    if code and any(_is_mixed(word) for word in set(_WORD.findall(fresh))):
        found.append(
            _finding("text.homoglyph", Verdict.QUARANTINE, path, "holds a word that mixes look-alike alphabets")
        )
    elif code and not _TWINS.isdisjoint(fresh) and _only_twins(fresh, data.decode("utf-8", "replace")):
        text = "holds words of another alphabet whose letters all look Latin, and no other words of it"
        found.append(_finding("text.homoglyph", Verdict.QUARANTINE, path, text))
    return found


def is_mixed(text: str) -> bool:
    """Whether a word of ``text`` mixes Latin letters with letters of another alphabet that look like them."""
    return not text.isascii() and any(_is_mixed(word) for word in _WORD.findall(text))


def _is_mixed(word: str) -> bool:
    if word.isascii():
        return False
    kinds = set(map(_kind, word))
    if "latin" not in kinds:
        return False
    return "like" in kinds or any(_is_disguised(run) for run in _LETTERS.findall(word))


@functools.cache
def _kind(character: str) -> str:
    name = unicodedata.name(character, "") if character.isalpha() else ""
    return "latin" if name.startswith("LATIN") else "like" if name.startswith(_LIKE_LATIN) else ""


def _is_disguised(run: str) -> bool:
    """Letters in one row, Latin and Greek ones that look Latin. Two letters are a formula."""
    return not _GREEK_TWINS.isdisjoint(run) and any(c.isascii() for c in run)


def _only_twins(fresh: str, whole: str) -> bool:
    """Whether a text that is not in Cyrillic has words of Cyrillic twins of Latin letters: nobody writes those by hand."""
    cyrillic = {c for c in whole if "\u0400" <= c <= "\u052f"}
    return cyrillic <= _TWINS and any(len(word) > 1 and set(word) <= _TWINS for word in set(_WORD.findall(fresh)))


def _finding(code: str, verdict: Verdict, path: str, why: str) -> Finding:
    return Finding(code, verdict, f"{shown(path)} {why}", path)
