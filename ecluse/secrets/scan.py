"""Finds values shaped like secrets, and files that hold secrets by their name. Never returns a value.

Rules are shapes: what a provider's token looks like, a private key block, or a value too random to be a word that is
assigned to a name such as ``password``. A cheap search for fixed words decides whether a rule is tried at all.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ecluse.dataclass import dataclass
from ecluse.patterns import expression


@dataclass(frozen=True, slots=True)
class SecretHit:
    """One value shaped like a secret: the ``rule`` that saw it and its ``line`` (from 1)."""

    rule: str
    line: int


LEFT_OUT = "(left out: it looks like a secret)"


def covered(text: str) -> str:
    """``text``, or a remark in its place when it holds what looks like a secret."""
    return LEFT_OUT if text and scan(text.encode("utf-8", "backslashreplace")) else text


_PROVIDERS: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = (
    ("aws-access-key-id", (b"AKIA", b"ASIA"), rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("github-token", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b"),
    ("github-token", (b"github_pat_",), rb"\bgithub_pat_[A-Za-z0-9_]{22,255}\b"),
    ("gitlab-token", (b"glpat-", b"gldt-", b"glrt-"), rb"\bgl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}"),
    ("slack-token", (b"xoxb-", b"xoxp-", b"xoxa-", b"xoxr-", b"xoxs-"), rb"\bxox[bpars]-[A-Za-z0-9-]{20,}"),
    (
        "slack-webhook",
        (b"hooks.slack.com",),
        rb"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,}",
    ),
    ("stripe-key", (b"sk_live_", b"rk_live_"), rb"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    ("anthropic-key", (b"sk-ant-",), rb"\bsk-ant-[A-Za-z0-9_-]{24,}"),
    ("openai-key", (b"sk-",), rb"\bsk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{24,}|\bsk-[A-Za-z0-9]{40,}\b"),
    ("google-api-key", (b"AIza",), rb"\bAIza[A-Za-z0-9_-]{35}"),
    ("google-oauth-secret", (b"GOCSPX-",), rb"\bGOCSPX-[A-Za-z0-9_-]{24,}"),
    ("npm-token", (b"npm_",), rb"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi-token", (b"pypi-AgE",), rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    ("jwt", (b"eyJ",), rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}"),
    (
        "private-key",
        (b"PRIVATE KEY",),
        rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\\nr\s]*(?:[A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=]{32,}",
    ),
    (
        "url-password",
        (b"://",),
        rb"\b[a-z][a-z0-9+.-]*://[^\s:/@'\"<>${}]+:(?![A-Za-z]+[0-9]{0,3}@(?:127\.0\.0\.1|[A-Za-z0-9_-]+)(?![A-Za-z0-9_.-]))(?P<value>[^\s:/@'\"<>${}]{8,})@[A-Za-z0-9]",
    ),
)
_COMPILED = tuple((rule, words, expression(shape)) for rule, words, shape in _PROVIDERS)

_NAMES = (b"password", b"passwd", b"pwd", b"secret", b"token", b"api_key", b"apikey", b"api-key", b"access_key",
          b"accesskey", b"private_key", b"privatekey", b"credential", b"auth_key")  # fmt: skip
_ASSIGNMENT = expression(
    rb"(?P<name>[A-Za-z0-9_.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    rb"|credential|auth[_-]?key)[A-Za-z0-9_-]*)[\"']?\]?\s*(?::=|=>|=|:)\s*"
    rb"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\r\n]{8,400})(?P=quote)|(?P<bare>[^\s\"'`,;(){}\[\]<>]{16,400}))",
    re.IGNORECASE,
)
_AWS_SECRET = expression(rb"aws_?(?:secret)?_?(?:access)?_?(?:secret)?_?key$", re.IGNORECASE)
_PLACEHOLDER = expression(
    rb"example|sample|dummy|placeholder|change.?me|your[_-]|xxxx|redacted|todo|insert|replace|not.?a.?secret|fake"
    rb"|^\$|\$\{|\{\{|%\(|^<|\*\*\*|\.\.\.|environ|getenv|process\.env|secrets\.|vault|^sha(?:1|256|512)[:-]|^https?:",
    re.IGNORECASE,
)
_WIDE = {
    2: (expression(rb"(?:[\t\n\r -~]\0){8,}"), expression(rb"(?:\0[\t\n\r -~]){8,}")),
    4: (expression(rb"(?:[\t\n\r -~]\0{3}){8,}"), expression(rb"(?:\0{3}[\t\n\r -~]){8,}")),
}
"""Eight or more characters of so many bytes in a row, either end first."""

_LOCK_FILE = expression(r"(?:^|/)(?:[^/]*\.lock|[^/]*-lock\.(?:json|yaml)|go\.sum|npm-shrinkwrap\.json)$")
_SIEVE_BYTES = 32 << 20
_GROUP_BYTES = 128 << 10
_ATTRIBUTE = expression(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_CALLED = expression(rb"[A-Za-z_][\w.]*")
_WORDS = expression(rb"^[A-Za-z]+(?:[ ._/:-][A-Za-z]+)*[0-9]{0,4}$")


def scan(data: bytes, path: str = "") -> list[SecretHit]:
    """The secret-shaped values of a file, by line.

    Binary content is searched for provider tokens as well: a token in a compiled file is as public as in a text.
    So is what stands in UTF-16 or UTF-32, as a file or as a piece of one: eight characters or more, each a zero byte (or
    three) from the next. Only a file of zero bytes costs that.
    In lock files (by ``path``) only provider tokens count, because checksums look like anything.
    """
    return [SecretHit(rule, line) for rule, line, _ in _found(data, path)]


class Sieve:
    """Tells the many files apart that cannot hold a secret: a line that was seen once is not searched again.

    Every rule begins with fixed words within one line; a file none of whose lines has one is clean. Versions of one
    file share most of their lines, so five hundred commits cost about what they change.
    """

    def __init__(self) -> None:
        self._clean: set[bytes] = set()
        self._held = 0

    def may_hold(self, data: bytes) -> bool:
        """Whether ``data`` has a line with any rule's words; then :func:`scan` is to be asked."""
        fresh = set(data.split(b"\n")) - self._clean
        text = b"\n".join(fresh)
        if _has_words(text):
            return True
        self._remember(fresh, len(text))
        return False

    def suspects(self, files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Those of ``files`` (name and content) that :meth:`may_hold` something; the same answer for less.

        The new lines of many files are searched at once; only where that finds something are its files asked singly.
        """
        lines, group, size = set[bytes](), list[tuple[str, bytes]](), 0
        for name, data in files:
            lines |= set(data.split(b"\n")) - self._clean
            group.append((name, data))
            size += len(data)
            if size > _GROUP_BYTES:
                yield from self._of_group(lines, group)
                lines, group, size = set(), [], 0
        yield from self._of_group(lines, group)

    def _of_group(self, lines: set[bytes], group: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        text = b"\n".join(lines)
        if _has_words(text):
            yield from ((name, data) for name, data in group if self.may_hold(data))
        else:
            self._remember(lines, len(text))

    def _remember(self, lines: set[bytes], size: int) -> None:
        if self._held + size <= _SIEVE_BYTES:
            self._clean |= lines
            self._held += size + 60 * len(lines)


def scan_added(old: bytes, new: bytes, path: str = "") -> list[SecretHit]:
    """The hits of ``new`` whose values were not in ``old`` already: what a change brings, not what it inherits.

    What was there in another encoding was there.
    """
    found = _found(new, path)
    if found and old:
        thin = _without_zeros(old)
        found = [one for one in found if one[2] not in old and one[2] not in thin]
    return [SecretHit(rule, line) for rule, line, _ in found]


def is_lock_file(path: str) -> bool:
    """Whether a file of this name lists checksums, which look like anything: only provider tokens count in it."""
    return _LOCK_FILE.search(path) is not None


def _found(data: bytes, path: str) -> list[tuple[str, int, bytes]]:
    """(rule, line, value) of each hit, in their order."""
    raw = list(_searched(data, _candidates(data), assigns=_may_assign(data, path)))
    if b"\0" in data:
        thin = _without_zeros(data)
        assigns = not is_lock_file(path) and _is_wide_text(data) and _has_name(thin)
        for step in (2, 4):
            shapes = [one for one in _candidates(thin) if _has_wide(data, one[0], step)]
            if shapes or assigns:
                raw += {
                    (start + step * at, rule, value)
                    for start, text in _wide_runs(data, step)
                    for at, rule, value in _searched(text, shapes, assigns=assigns)
                }
    raw.sort()
    return [(rule, data.count(b"\n", 0, at) + 1, value) for at, rule, value in raw]


def _searched(
    data: bytes, shapes: list[tuple[str, re.Pattern[bytes]]], *, assigns: bool
) -> Iterator[tuple[int, str, bytes]]:
    """(offset, rule, value) of what is found by ``shapes`` and, if it ``assigns``, by the names of values."""
    taken = []
    for rule, shape in shapes:
        for match in shape.finditer(data):
            value = match.groupdict().get("value") or match.group()
            if not _PLACEHOLDER.search(value):
                taken.append(match.span())
                yield match.start(), rule, match.group()
    for match in _ASSIGNMENT.finditer(data) if assigns else ():
        value = match.group("quoted") or match.group("bare")
        at = match.start("quoted") if match.group("quoted") else match.start("bare")
        if any(start < at + len(value) and at < end for start, end in taken):
            continue
        if match.group("bare") and data[match.end() : match.end() + 1] == b"(" and _CALLED.fullmatch(value):
            continue
        judged = _judge_assignment(match.group("name"), value, quoted=bool(match.group("quote")))
        if judged:
            yield at, judged, value


def _has_wide(data: bytes, rule: str, step: int) -> bool:
    """Whether a word of a rule is in it as characters of ``step`` bytes: those that only lack zeros between them are not."""
    gap = bytes(step - 1)
    return any(
        gap.join(bytes((one,)) for one in word) in data
        for name, words, _ in _COMPILED
        if name == rule
        for word in words
    )


def _wide_runs(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    """(offset, text) of each run of characters of ``step`` bytes; seen from both ends, one is the right one."""
    for shape in _WIDE[step]:
        for match in shape.finditer(data):
            yield match.start(), _without_zeros(match.group())


def _is_wide_text(data: bytes) -> bool:
    """Whether a file is a text in UTF-16 or UTF-32: by its mark, or because nearly every second byte is zero, or three of four."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    for step in (2, 4):
        sample = data[: 8192 - 8192 % step]
        lanes = sorted(sample[at::step].count(0) for at in range(step))
        if not lanes[0] and lanes[1] > 0.9 * (len(sample) // step):
            return True
    return False


def _without_zeros(data: bytes) -> bytes:
    return data.translate(None, b"\0") if b"\0" in data else data


def _has_words(data: bytes) -> bool:
    """Whether any rule's words are in it, also as characters of more than one byte."""
    thin = _without_zeros(data)
    return bool(_candidates(thin)) or _has_name(thin)


def _candidates(data: bytes) -> list[tuple[str, re.Pattern[bytes]]]:
    """The rules whose fixed words occur; plain loops, because this is asked of every version of every file.

    ``find``, because ``in`` with bytes makes an exception inside each time that costs more than the search.
    """
    found = []
    find = data.find
    for rule, words, shape in _COMPILED:
        for word in words:
            if find(word) >= 0:
                found.append((rule, shape))
                break
    return found


def _may_assign(data: bytes, path: str) -> bool:
    if b"\0" in data[:8192] or is_lock_file(path):
        return False
    return _has_name(data)


def _has_name(data: bytes) -> bool:
    find = data.lower().find
    for name in _NAMES:  # noqa: SIM110 - a loop costs a third of a generator here
        if find(name) >= 0:
            return True
    return False


def _judge_assignment(name: bytes, value: bytes, *, quoted: bool) -> str | None:
    if _PLACEHOLDER.search(value) or _WORDS.match(value):
        return None
    if _AWS_SECRET.search(name) and re.fullmatch(rb"[A-Za-z0-9/+=]{40}", value):
        return "aws-secret-key"
    if not re.fullmatch(rb"[\x21-\x7e]+", value):
        return None
    classes = sum(bool(re.search(kind, value)) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]"))
    lower = name.lower()
    if (b"password" in lower or b"passwd" in lower or b"pwd" in lower) and quoted:
        strong = len(value) >= 10 and classes >= 3 and b" " not in value and _entropy(value) >= 3.0
        return "password-assignment" if strong else None
    if not quoted and _ATTRIBUTE.fullmatch(value):
        return None
    if not re.search(rb"[0-9]", value) or not re.search(rb"[A-Za-z]", value):
        return None
    if re.search(rb"[(){}\[\]<>]|::|->|\.\w+\.", value) or (value.count(b"/") > 3 and b"+" not in value):
        return None
    return "secret-assignment" if len(value) >= 16 and _entropy(value) >= 3.4 else None


def _entropy(value: bytes) -> float:
    """Bits per character."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values())


_HARMLESS_ENV = expression(r"(?:example|sample|template|dist|default|defaults|test|schema)$")
_SOURCE = {".py", ".pyi", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".go", ".rs", ".java", ".kt", ".c", ".h", ".cc", ".cpp",
           ".cs", ".rb", ".php", ".swift", ".scala", ".sh", ".md", ".rst", ".html", ".css", ".sql", ".proto"}  # fmt: skip
_NAMED = {
    ".netrc", "_netrc", ".git-credentials", ".pgpass", ".pypirc", ".htpasswd", ".dockercfg", ".my.cnf", ".s3cfg",
    "credentials", "credentials.json", "credentials.yml", "credentials.yaml", "credentials.ini", "credentials.toml",
    "secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml", "secrets.ini", "secrets.env", "master.key",
    "client_secret.json", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
}  # fmt: skip
_SUFFIXED = {".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".tfstate", ".key"}
_BELOW = {".ssh": "ssh-folder", ".gnupg": "gnupg-folder"}
_PAIRS = {(".aws", "credentials"), (".docker", "config.json"), (".kube", "config")}


@functools.lru_cache(maxsize=10_000)
def sensitive_path(path: str) -> str | None:
    """The rule by which a file of this name holds secrets, or ``None``. Examples and source code are let through."""
    parts = PurePosixPath(path).parts
    if not parts:
        return None
    name = parts[-1].lower()
    stem, _, suffix = name.rpartition(".")
    if (name.startswith(".env") and name != ".envrc") or (suffix == "env" and stem):
        return None if any(_HARMLESS_ENV.search(word) for word in name.split(".") if word != "env") else "env-file"
    if name in _NAMED:
        return "credential-file"
    if f".{suffix}" in _SUFFIXED and stem:
        return "key-file"
    for folder in parts[:-1]:
        if folder.lower() in _BELOW:
            return _BELOW[folder.lower()]
        if folder.lower() in ("secrets", ".secrets") and f".{suffix}" not in _SOURCE:
            return "secrets-folder"
    if len(parts) > 1 and (parts[-2].lower(), name) in _PAIRS:
        return "credential-file"
    return None
