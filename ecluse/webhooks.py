"""Signatures of webhooks: ours when we send, those of others when we listen. Bytes are signed, never re-written JSON.

Three ways are understood: ``X-Hub-Signature-256`` (GitHub, Forgejo and many more), Standard Webhooks
(``webhook-id``, ``webhook-timestamp``, ``webhook-signature``), and the shared token of GitLab, which proves the sender
but not the body. A signature by SHA-1, or a header that is there twice, is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecluse.errors import Refused

TOLERANCE_S = 300
"""How far the sender's clock may be from ours, in seconds: the limit of Standard Webhooks."""

_ONE = (
    "x-hub-signature-256", "x-hub-signature", "x-github-delivery", "x-gitlab-token", "x-gitlab-event-uuid",
    "webhook-id", "webhook-timestamp", "webhook-signature", "content-type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that its sender has proved. ``id`` names it where it has a name; ``proves_body`` is false for a bare token:
    what it says is then a hint, and the state has to be read where it is kept.
    """

    id: str
    proves_body: bool


def sign(body: bytes, secret: str, identifier: str, seconds: int) -> dict[str, str]:
    """The headers that prove ``body`` by both kinds of signature. ``seconds`` is the moment, as Unix time."""
    return {
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
        "webhook-id": identifier,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{_standard(body, secret, identifier, str(seconds))}",
    }


def verify(headers: Mapping[str, Sequence[str]], body: bytes, secret: str, seconds: int) -> Delivery:
    """Who sends this has the secret. ``headers`` are lists of values by name in lower case; ``seconds`` is now.

    Raises :class:`Refused`: ``webhook.signature`` for one that is missing, wrong, old or there twice, ``webhook.type`` for
    a body that says it is no JSON.
    """
    given = {name: list(headers.get(name, ())) for name in _ONE}
    if any(len(values) > 1 for values in given.values()):
        raise _refused("a header that proves the sender is there twice")
    one = {name: values[0] for name, values in given.items() if values}
    delivery = _proven(one, body, secret, seconds)
    kind = one.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused("webhook.type", f"Only JSON is taken, not {kind[:80]}.", "have the sender send application/json")
    return delivery


def _proven(one: dict[str, str], body: bytes, secret: str, seconds: int) -> Delivery:
    if not secret:
        raise _refused("there is no secret here that could prove it")
    if "x-hub-signature-256" in one:
        wanted = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
        if not _same(one["x-hub-signature-256"], wanted):
            raise _refused("the signature does not match")
        return Delivery(one.get("x-github-delivery", one.get("webhook-id", "")), True)
    if "webhook-signature" in one:
        identifier, moment = one.get("webhook-id", ""), one.get("webhook-timestamp", "")
        if not identifier or not (moment.isascii() and moment.isdecimal() and len(moment) < 15):
            raise _refused("webhook-id or webhook-timestamp is missing")
        if abs(seconds - int(moment)) > TOLERANCE_S:
            raise _refused(f"it is older, or newer, than {TOLERANCE_S} seconds")
        wanted = _standard(body, secret, identifier, moment)
        found = [word[3:] for word in one["webhook-signature"].split() if word.startswith("v1,")]
        if not any(_same(word, wanted) for word in found):
            raise _refused("no signature matches")
        return Delivery(identifier, True)
    if "x-gitlab-token" in one:
        if not _same(one["x-gitlab-token"], secret):
            raise _refused("the token does not match")
        return Delivery(one.get("x-gitlab-event-uuid", ""), False)
    raise _refused("it is not signed (SHA-1 counts as unsigned)")


def _standard(body: bytes, secret: str, identifier: str, moment: str) -> str:
    signed = b".".join((identifier.encode(), moment.encode(), body))
    return base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode("ascii")


def _key(secret: str) -> bytes:
    """The key of Standard Webhooks: Base64, with or without its prefix; any other text stands for itself."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True) or secret.encode()
    except (binascii.Error, ValueError):
        return secret.encode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())


def _refused(why: str) -> Refused:
    return Refused("webhook.signature", f"The webhook is not taken: {why}.", "give both sides the same secret")
