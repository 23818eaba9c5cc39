"""Secrets from an encrypted file: real GnuPG, honest errors for everything else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Failed, Invalid, Unsupported
from ecluse.secrets import vault


@pytest.mark.parametrize("words", [(), ("--armor",)], ids=["binary", "armoured"])
def test_a_file_of_gpg_is_opened(seal: Any, words: tuple[str, ...]) -> None:
    text = "# mine\nexport A = plain \nB='as $it is'\nC=\"two\\nlines\"\nD=x=y\n\n"
    found = vault.read(*seal(text, *words))
    assert found == {"A": "plain", "B": "as $it is", "C": "two\nlines", "D": "x=y"}


def test_values_of_many_lines_as_json(seal: Any) -> None:
    assert vault.read(*seal('{"PEM": "one\\ntwo\\n"}')) == {"PEM": "one\ntwo\n"}


def test_a_wrong_key_and_a_changed_file_are_refused(tmp_path: Path, seal: Any) -> None:
    sealed, key = seal("A=some-value\n")
    other = tmp_path / "other"
    other.write_text("something else\n")
    with pytest.raises(Invalid, match="gpg could not open") as caught:
        vault.read(sealed, other)
    assert "some-value" not in str(caught.value) and caught.value.code == "secrets.locked"
    data = bytearray(sealed.read_bytes())
    data[-3] ^= 1
    sealed.write_bytes(data)
    with pytest.raises(Invalid, match="could not open"):
        vault.read(sealed, key)
    with pytest.raises(Invalid, match="no file"):
        vault.read(sealed, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"A=plain\n", Invalid, "secrets.plain"),
        (b"", Invalid, "secrets.plain"),
        (b"Salted__" + b"x" * 40, Unsupported, "secrets.openssl"),
        (b'{"A": "ENC[AES256_GCM,data:x]", "sops": {}}', Unsupported, "secrets.sops"),
        (b"age-encryption.org/v1\n-> X25519 a\n", Invalid, "secrets.key"),
    ],
)
def test_other_files_are_not_taken(tmp_path: Path, data: bytes, kind: type[Exception], code: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(kind) as caught:
        vault.read(path)
    assert caught.value.code == code  # type: ignore[attr-defined]


def test_a_tool_that_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"age-encryption.org/v1\n-> X25519 a\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="`age` was not found"):
        vault.read(path, path)


def test_a_file_of_age_is_opened(tmp_path: Path) -> None:
    if shutil.which("age") is None or shutil.which("age-keygen") is None:
        pytest.skip("age is not on this machine")
    identity, sealed = tmp_path / "identity", tmp_path / "sealed"
    subprocess.run(["age-keygen", "-o", str(identity)], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", str(identity)], check=True, capture_output=True, text=True).stdout
    subprocess.run(["age", "-r", public.strip(), "-o", str(sealed)], input=b"A=one\n", check=True)
    assert vault.read(sealed, identity) == {"A": "one"}


@pytest.mark.parametrize("text", ["no separator", "1A=x", "{", '{"A": 1}', '{"a b": "x"}', "A-B=x"])
def test_a_text_of_another_form_shows_no_value(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        vault.parse(b"OK=the-value\n" + text.encode() if "{" not in text else text.encode(), "name")
    assert caught.value.code == "secrets.form" and "the-value" not in str(caught.value)
    with pytest.raises(Invalid):
        vault.parse(b"\xff", "name")
