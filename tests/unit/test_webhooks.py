"""Signatures of webhooks: the reference cases on our receiver, and what we send on the same receiver."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from ecluse import webhooks
from ecluse.errors import Refused
from ecluse.webhooks import Delivery

NOW = {"github": 1_700_000_000, "gitlab": 1_700_000_000, "standard-webhooks": 1_700_000_299}


def heard(headers: dict[str, Any], body: bytes, secret: str, now: int) -> Delivery | str:
    """The delivery, or the code of the refusal."""
    listed = {name.lower(): value if isinstance(value, list) else [value] for name, value in headers.items()}
    try:
        return webhooks.verify(listed, body, secret, now)
    except Refused as problem:
        return problem.code


def test_the_reference_cases(shared: Path) -> None:
    cases = json.loads((shared / "vectors" / "webhooks.json").read_text())
    for case in cases:
        now = 1_700_000_301 if "1700000301" in case["want"] else NOW[case["forge"]]
        said = heard(case["headers"], base64.b64decode(case["body_b64"]), case["secret"], now)
        if case["want"].startswith("401"):
            assert said == "webhook.signature", case["id"]
        elif case["want"].startswith("415"):
            assert said == "webhook.type", case["id"]
        else:  # 413 and the repeated delivery are the door's: tests/integration/release/test_bridge.py
            assert isinstance(said, Delivery), case["id"]
            assert said.proves_body is (case["forge"] != "gitlab"), case["id"]
    assert len(cases) >= 12


def test_what_we_send_is_taken_and_nothing_else(tmp_path: Path) -> None:
    body, secret = b'{"kind": "release.done"}', secrets.token_hex(16)
    made = webhooks.sign(body, secret, "msg-1", 1_700_000_000)
    hub = {"X-Hub-Signature-256": made["X-Hub-Signature-256"]}
    standard = {name: text for name, text in made.items() if name.startswith("webhook-")}
    for headers in (made, hub, standard):
        assert isinstance(heard(headers, body, secret, 1_700_000_100), Delivery)
        assert heard(headers, body + b" ", secret, 1_700_000_100) == "webhook.signature"
        assert heard(headers, body, secret + "x", 1_700_000_100) == "webhook.signature"
    assert heard(standard, body, secret, 1_700_000_100) == Delivery("msg-1", True)
    assert heard(standard, body, secret, 1_699_999_699) == "webhook.signature", "from the future"
    assert heard({**standard, "webhook-id": "msg-2"}, body, secret, 1_700_000_000) == "webhook.signature"
    assert heard({**standard, "webhook-timestamp": "٣"}, body, secret, 1_700_000_000) == "webhook.signature"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json", None]
)
def test_json_by_any_of_its_names(kind: str | None) -> None:
    headers = webhooks.sign(b"{}", "key", "1", 0) | ({"Content-Type": kind} if kind else {})
    assert isinstance(heard(headers, b"{}", "key", 0), Delivery)
    assert heard({**headers, "Content-Type": "text/plain"}, b"{}", "key", 0) == "webhook.type"


def test_a_secret_that_is_empty_proves_nobody() -> None:
    """A variable that was forgotten is empty, and everybody can sign with that."""
    assert heard(webhooks.sign(b"{}", "", "1", 0), b"{}", "", 0) == "webhook.signature"
    assert heard({"X-Gitlab-Token": ""}, b"{}", "", 0) == "webhook.signature"


def test_neighbours_of_the_reference_cases() -> None:
    made = webhooks.sign(b"{}", "key", "1", 0)
    hub, standard = made["X-Hub-Signature-256"], made["webhook-signature"]
    dated = {"webhook-id": "1", "webhook-timestamp": "0"}
    for headers in (
        {"X-Hub-Signature-256": hub.removeprefix("sha256=")},
        {"X-Hub-Signature-256": hub.upper()},
        {"X-Hub-Signature-256": f"{hub}, {hub}"},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256=00", **dated, "webhook-signature": standard},
        {**dated, "webhook-signature": standard.replace("v1,", "v1a,")},
        {**dated, "webhook-signature": standard.removeprefix("v1,")},
        {**dated, "webhook-signature": ""},
        {"webhook-id": "1", "webhook-signature": standard},
        {"webhook-timestamp": "0", "webhook-signature": standard},
        {**dated, "webhook-timestamp": "-1", "webhook-signature": standard},
        {**dated, "webhook-timestamp": ["0", "0"], "webhook-signature": standard},
        {"X-Gitlab-Token": "KEY"},
        {"X-Gitlab-Token": "key "},
        {"Authorization": "Bearer key"},
    ):
        assert heard(headers, b"{}", "key", 0) == "webhook.signature", headers
    assert isinstance(heard({**dated, "webhook-signature": f"v1a,x  {standard}"}, b"{}", "key", 300), Delivery)
