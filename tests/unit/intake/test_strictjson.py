"""The strict reading of JSON and of manifests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecluse.errors import Refused
from ecluse.intake import manifest, strictjson
from ecluse.intake.manifest import Manifest, Payload
from ecluse.model import Agent

OID = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "meta.type"),
        (b"{", "meta.syntax"),
        (b'{"a": 1, "a": 2}', "meta.duplicate_key"),
        (b'{"a": {"b": 1, "b": 1}}', "meta.duplicate_key"),
        (b'{"a": NaN}', "meta.number"),
        (b'{"a": -Infinity}', "meta.number"),
        (b'{"a": 1e999999}', "meta.number"),
        (b'{"a": ' + b"9" * 400 + b"}", "meta.number"),
        (b'{"a": 9007199254740993}', "meta.number"),
        (b"[" * 50 + b"]" * 50, "meta.depth"),
        (b'{"a": "\xff"}', "meta.encoding"),
        (b'{"a": 1}\n{"approved": true}', "meta.trailing"),
        (b'\xef\xbb\xbf{"a": 1}', "meta.syntax"),
        (b'{"a": 1,}', "meta.syntax"),
    ],
)
def test_refused(text: bytes, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        strictjson.loads(text)
    assert refusal.value.code == code


def test_brackets_inside_texts_are_not_depth() -> None:
    assert strictjson.loads(json.dumps({"a": "[{" * 100 + '\\"'}).encode()) == {"a": "[{" * 100 + '\\"'}


def test_depth_is_judged_before_parsing() -> None:
    with pytest.raises(Refused) as refusal:
        strictjson.loads(b'{"a":' * 200_000)
    assert refusal.value.code == "meta.depth"


def example(**changes: Any) -> bytes:
    found = Manifest(
        id="chg-1", revision=2, title="a title", agent=Agent("a1", "tool"), base=OID, base_tree=OID, head=OID, tree=OID,
        payloads=(Payload("bundle", "x.bundle", "0" * 64, 3),), target="main", note="two\nlines",
    )  # fmt: skip
    document = json.loads(
        manifest.write(found, {"export_timestamp": "t", "git": {}, "patch": {}, "status": "exported"})
    )
    document.update(changes)
    return json.dumps(document).encode()


def test_round_trip() -> None:
    found = manifest.read(example())
    assert (found.id, found.revision, found.note, found.agent.tool) == ("chg-1", 2, "two\nlines", "tool")
    assert found.payload("bundle") == Payload("bundle", "x.bundle", "0" * 64, 3)
    assert found.payload("patch") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"approved": True}, "meta.unknown_field"),
        ({"schema": "other/9"}, "meta.schema"),
        ({"change": {"id": "../../x", "revision": 1}}, "meta.id"),
        ({"change": {"id": "x", "revision": True}}, "meta.type"),
        ({"change": {"id": "x", "revision": 0}}, "meta.number"),
        ({"change": {"id": "x"}}, "meta.type"),
        ({"change": {"id": "x", "revision": 1, "title": "ok\u001b[1A"}}, "text.control_chars"),
        ({"note": "safe \u202e not"}, "text.control_chars"),
        ({"base": {"commit": "--output=x"}}, "meta.base"),
        ({"head": {"commit": [OID], "tree": OID}}, "meta.type"),
        ({"payloads": []}, "meta.type"),
        ({"payloads": [{"kind": "bundle", "name": "../x", "sha256": "0" * 64, "size": 1}]}, "path.dotdot"),
        ({"payloads": [{"kind": "bundle", "name": "a/x", "sha256": "0" * 64, "size": 1}]}, "path.payload"),
        ({"payloads": [{"kind": "bundle", "name": "x", "sha256": "0" * 63, "size": 1}]}, "meta.payload_sha"),
        ({"payloads": [{"kind": "bundle", "name": "x", "sha256": "0" * 64, "size": 1}] * 2}, "meta.duplicate_key"),
        ({"files": ["a"]}, "meta.type"),
    ],
)
def test_manifest_refusals(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        manifest.read(example(**changes))
    assert refusal.value.code == code


def test_clean_makes_words_that_a_manifest_may_carry() -> None:
    for text in ("bell\a and \x1b[2J", "a\r\nb", "turn \u202e round", "lone \udcff byte", "x" * 9000):
        title, note = manifest.clean(text), manifest.clean(text, multiline=True)
        assert title.isprintable()
        assert manifest.read(example(change={"id": "x", "revision": 1, "title": title})).title == title
        assert manifest.read(example(note=note)).note == note
