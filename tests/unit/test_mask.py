"""Secrets stay out of text in every spelling programs give them."""

from __future__ import annotations

import base64
import json
import os
import secrets
import urllib.parse
from pathlib import Path

import pytest

from ecluse.secrets.mask import MASK, Masker

SHARED = Path(os.environ.get("ECLUSE_SHARED") or Path(__file__).resolve().parents[3] / "shared")


def vectors() -> list[dict[str, object]]:
    path = SHARED / "vectors" / "masking.json"
    if not path.is_file():
        return []
    return [vector for vector in json.loads(path.read_text("utf-8"))["vectors"] if "log" in vector]


@pytest.mark.skipif(not vectors(), reason="the reference vectors are not beside this repository (ECLUSE_SHARED)")
def test_every_reference_vector_that_must_be_masked_is_masked() -> None:
    leaks = []
    for vector in vectors():
        masker = Masker()
        masker.add(str(vector["secret"]))
        out = masker.mask(str(vector["log"]))
        if vector["want"] == "mask" and any(part in out for part in vector["leak_if_present"]):  # type: ignore[attr-defined]
            leaks.append((vector["id"], out))
        if vector["want"] == "must_not_mask":
            assert out == vector["log"], vector["id"]
    assert leaks == []


@pytest.fixture
def secret() -> str:
    return secrets.token_hex(6) + "/+&" + secrets.token_hex(6)


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda s: urllib.parse.quote(s, safe=""),
        lambda s: urllib.parse.quote(urllib.parse.quote(s, safe=""), safe="").lower(),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.urlsafe_b64encode(b"user:" + s.encode() + b"@host").decode(),
        lambda s: s.encode().hex(),
        lambda s: s.encode().hex().upper(),
        lambda s: json.dumps(json.dumps({"k": s})),
        lambda s: s.replace("/", "\\/"),
        lambda s: s.replace("&", "&amp;"),
        lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    ],
    ids=[
        "plain",
        "url",
        "url-twice",
        "base64",
        "base64-url-inside",
        "hex",
        "HEX",
        "json-twice",
        "slash",
        "html",
        "\\u",
    ],
)
def test_common_encodings_are_masked(secret: str, write) -> None:  # type: ignore[no-untyped-def]
    masker = Masker()
    masker.add(secret)
    written = write(secret)
    out = masker.mask(f"before {written} after")
    assert MASK in out and secret not in out and written[4:-4] not in out
    assert out.startswith("before ") and out.endswith(" after")


def test_a_value_of_several_lines_is_masked_line_by_line(secret: str) -> None:
    masker = Masker()
    masker.add(f"{secret}-one\n{secret}-two\n}}\n")
    assert masker.mask(f"a {secret}-two b") == f"a {MASK} b"
    assert masker.mask("}") == "}"


def test_a_short_value_is_refused_and_leaves_text_alone() -> None:
    masker = Masker()
    assert masker.add("abc") is False
    assert masker.mask("abc abcd") == "abc abcd"


def test_text_without_a_secret_comes_back_unchanged(secret: str) -> None:
    masker = Masker()
    masker.add(secret)
    text = "100% done \\ C:\\path & more"
    assert masker.mask(text) == text


def test_values_inside_documents_are_masked(secret: str) -> None:
    masker = Masker()
    masker.add(secret)
    assert masker.mask_any({"a": [f"x{secret}", 1, None]}) == {"a": [f"x{MASK}", 1, None]}


@pytest.mark.parametrize(
    "write",
    [
        str.upper,
        str.lower,
        lambda s: "\u200b".join(s),
        lambda s: s[:5] + "\u2060" + s[5:],
        lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
        lambda s: base64.b64encode(b"x" + base64.b64encode(s.encode() + b"\n")).decode(),
    ],
    ids=["upper", "lower", "zero width", "word joiner", "twice", "twice with a line end"],
)
def test_spellings_beyond_those_that_must_be_masked(secret: str, write: object) -> None:
    masker = Masker()
    masker.add(secret)
    text = f"[{write(secret)}]"  # type: ignore[operator]
    out = masker.mask(text)
    assert MASK in out and len(out) < len(text)


def test_characters_of_no_width_stay_where_nothing_is_hidden() -> None:
    masker = Masker()
    masker.add("a-secret-value")
    assert masker.mask("fam\u200dily") == "fam\u200dily"
