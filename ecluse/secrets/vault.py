"""Secrets from an encrypted file, opened by the tool that made it: GnuPG or age. Nothing is decrypted by us.

Both are authenticated: a file that was changed is refused, not half-read. The decrypted text never touches the disk.
It is lines ``NAME=value`` (quotes and ``\\n`` as in ``.env`` files), or a JSON object of texts for values of many lines.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from ecluse import process
from ecluse.errors import Invalid, Unsupported
from ecluse.files import read_capped
from ecluse.patterns import expression

MAX_BYTES = 1 << 20
TIMEOUT_S = 60.0
_NAME = expression(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_AGE = (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----")
_PGP = b"-----BEGIN PGP MESSAGE-----"
_HINT = "gpg --symmetric --cipher-algo AES256 --passphrase-file KEY secrets.env makes one"


def read(path: Path, key: Path | None = None) -> dict[str, str]:
    """The secrets in the encrypted file ``path``.

    ``key`` is the file with the passphrase (GnuPG) or the identity (age); without it GnuPG asks its own agent. Raises
    :class:`Invalid` when the file is not encrypted, cannot be opened with this key or holds something else, and
    :class:`ecluse.errors.Failed` when the tool is not on this machine.
    """
    data = read_capped(path, MAX_BYTES)
    if key is not None:
        read_capped(key, MAX_BYTES)  # a sentence of ours, and not the tool's, when it is missing
    if data.startswith(_AGE):
        text = _opened("age", _age(path, key), path)
    elif data.lstrip().startswith(_PGP) or _is_binary_pgp(data):
        text = _gpg(path, key)
    elif data.startswith(b"Salted__"):
        raise Unsupported(
            "secrets.openssl",
            f"{path} was made by `openssl enc`, which cannot tell whether somebody changed it.",
            _HINT,
        )
    elif b"ENC[AES256_GCM" in data:
        raise Unsupported(
            "secrets.sops",
            f"{path} is a file of sops, which hands secrets to a program by itself.",
            f"sops exec-env {path} 'ecluse run --secret NAME'",
        )
    else:
        raise Invalid("secrets.plain", f"{path} is not encrypted (with GnuPG or age), so it is not used.", _HINT)
    return parse(text, str(path))


def _is_binary_pgp(data: bytes) -> bool:
    """Whether the first packet is a session key or encrypted data (RFC 4880: tags 1, 3, 9, 18)."""
    if not data or not data[0] & 0x80:
        return False
    tag = data[0] & 0x3F if data[0] & 0x40 else (data[0] & 0x3F) >> 2
    return tag in (1, 3, 9, 18)


def _gpg(path: Path, key: Path | None) -> bytes:
    words = ["gpg", "--batch", "--quiet", "--no-tty"]
    if key is None:
        return _opened("gpg", [*words, "--decrypt", "--", str(path)], path)
    with tempfile.TemporaryDirectory(prefix="ecluse-gpg-") as home:
        words += ["--homedir", home, "--no-autostart", "--pinentry-mode", "loopback", "--passphrase-file", str(key)]
        return _opened("gpg", [*words, "--decrypt", "--", str(path)], path)


def _age(path: Path, key: Path | None) -> list[str]:
    if key is None:
        raise Invalid(
            "secrets.key", f"{path} is encrypted with age, which needs an identity.", "add: --secret-key IDENTITY_FILE"
        )
    return ["age", "--decrypt", "--identity", str(key), "--", str(path)]


def _opened(tool: str, argv: list[str], path: Path) -> bytes:
    done = process.run(argv, timeout_s=TIMEOUT_S, check=False)
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"status {done.code}"
        raise Invalid(
            "secrets.locked", f"{tool} could not open {path}: {why}.", "give the right key with: --secret-key FILE"
        )
    return done.stdout


def parse(data: bytes, name: str) -> dict[str, str]:
    """Names and values from a decrypted text. Raises :class:`Invalid`, which never shows a value."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong(name, "it is not UTF-8") from None
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            raise _wrong(name, "it begins like JSON and is none") from None
        for key, value in document.items():
            if not isinstance(value, str) or not _NAME.match(key):
                raise _wrong(name, "a name or value of its JSON is not a plain text")
        return dict(document)
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        key, separator, value = line.partition("=")
        if not separator or not _NAME.match(key.strip()):
            raise _wrong(name, f"its line {number} is not NAME=value")
        found[key.strip()] = _unquoted(value.strip())
    return found


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), value[1:-1])
    return value


def _wrong(name: str, why: str) -> Invalid:
    return Invalid(
        "secrets.form", f"What {name} holds cannot be used: {why}.", "write lines NAME=value, or a JSON object"
    )
