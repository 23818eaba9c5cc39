"""Hides known secret values in text, also when they come encoded as programs commonly write them.

Covered are the plain value, backslash and JSON escapes at any depth, percent-encoding (repeated too), HTML entities,
shell quoting, hexadecimal, and Base64 at any alignment. Hashes and ciphers of a secret are not the secret and stay.
"""

from __future__ import annotations

import base64
import re

from ecluse.patterns import expression

MASK = "***"
MINIMUM_LENGTH = 4
"""Shorter values are not masked: they would blot out ordinary words and so tell the reader more than they hide."""

_ENCODED_MINIMUM = 6  # a shorter value in hexadecimal or Base64 would hit unrelated text
_CASE_MINIMUM = 12  # a shorter value in another case is likely to be a word
_NO_WIDTH = expression("[\u00ad\u200b-\u200f\u2060\ufeff]")
_HTML = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class Masker:
    """Collects secret values and replaces them by ``***``. Adding is safe while other threads mask."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._needles: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None
        self._always = False

    def add(self, secret: str) -> bool:
        """Hide ``secret`` from now on: whole, trimmed and line by line.

        Returns whether anything of it can be masked; ``False`` for a value under :data:`MINIMUM_LENGTH` characters.
        """
        candidates = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
        found = {value for value in candidates if len(value) >= MINIMUM_LENGTH}
        if found - self._values:
            self._compile(self._values | found)
        return bool(found)

    def mask(self, text: str) -> str:
        """``text`` with every known secret replaced; costs a few substring searches when there is none.

        A text in which a secret is broken up by characters of no width loses all of these.
        """
        if self._pattern is not None and not text.isascii() and (bare := _NO_WIDTH.sub("", text)) != text:
            masked = self._masked(bare)
            return masked if masked != bare else text
        return self._masked(text)

    def _masked(self, text: str) -> str:
        pattern = self._pattern
        if pattern is None:
            return text
        if not self._always and "%" not in text and "\\" not in text and not self._touches(text):
            return text
        return pattern.sub(MASK, text)

    def mask_any(self, value: object) -> object:
        """``value`` with every text inside lists, tuples and dictionaries masked, keys too."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return {self.mask_any(key): self.mask_any(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.mask_any(item) for item in value)
        return value

    def _touches(self, text: str) -> bool:
        return any(needle in text for needle in self._needles)

    def _compile(self, values: frozenset[str]) -> None:
        alternatives: list[str] = []
        needles: set[str] = set()
        always = False
        for value in sorted(values, key=len, reverse=True):
            alternatives.append("".join(map(_spellings, value)))
            core = max(re.findall(r"[A-Za-z0-9]+", value), key=len, default="")
            needles.add(core) if core else (always := True)
            for other in {value.upper(), value.lower()} - {value} if len(value) >= _CASE_MINIMUM else ():
                alternatives.append(re.escape(other))
                needles.add(other)
            if len(value) >= _ENCODED_MINIMUM:
                encoded = _encoded_forms(value)
                alternatives += [expression for expression, _ in encoded]
                needles.update(needle for _, needle in encoded)
        # The pattern goes last: a thread that still sees the old one only misses a value that was just being added.
        self._values, self._needles, self._always = values, tuple(needles), always
        self._pattern = re.compile("|".join(alternatives))


def _spellings(character: str) -> str:
    """An expression for every way one character of a secret may be written."""
    ways = [r"\\*" + re.escape(character)]
    octets = character.encode("utf-8", "surrogatepass")
    ways.append("".join(rf"%(?:25)*{_any_case(f'{octet:02x}')}" for octet in octets))
    number = ord(character)
    units = [number] if number < 0x10000 else [0xD800 + ((number - 0x10000) >> 10), 0xDC00 + (number & 0x3FF)]
    ways.append("".join(rf"\\+u{_any_case(f'{unit:04x}')}" for unit in units))
    if not character.isalnum():
        ways.append(rf"&(?:amp;)*#(?:0*{number}|[xX]0*{_any_case(f'{number:x}')});")
        if character in _HTML:
            ways.append(f"&(?:amp;)*{_HTML[character]};")
        if character == "'":
            ways += [r"'\\+''", "'\"'\"'"]
        if character == " ":
            ways.append(r"\+")
        if character in "\n\r\t":
            ways.append(r"\\+" + {"\n": "n", "\r": "r", "\t": "t"}[character])
    # Longer spellings first: "&amp;" begins with the plain "&".
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _encoded_forms(value: str) -> list[tuple[str, str]]:
    """Pairs of (expression, plain text that must be there for it to match) for hexadecimal and Base64."""
    octets = value.encode("utf-8", "surrogatepass")
    low = octets.hex()
    forms = [(low, low), (low.upper(), low.upper()), *_base64_forms(octets)]
    if len(octets) >= _CASE_MINIMUM:  # encoded twice, which begins at the first alignment
        forms += _base64_forms(base64.b64encode(octets[: len(octets) // 3 * 3]))
    return forms


def _base64_forms(octets: bytes) -> list[tuple[str, str]]:
    forms = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + octets).decode().rstrip("=")
        first = -(-offset * 8 // 6)  # characters that carry bits of what stands before
        last = (offset + len(octets)) * 8 // 6  # characters that carry no bit of what follows
        core = encoded[first:last]
        if len(core) < _ENCODED_MINIMUM:
            continue
        for text in {core, core.replace("+", "-").replace("/", "_")}:
            before = "[A-Za-z0-9+/_-]?" if first else ""
            forms.append((f"{before}{re.escape(text)}[A-Za-z0-9+/_-]?={{0,2}}", text))
    return forms
