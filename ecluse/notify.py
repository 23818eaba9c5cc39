"""Messages out: one JSON document to the webhook that the policy names. A message that fails is recorded, no more.

The caller has written its own event first; this is only the copy that goes out. The webhook's address may itself be
a secret, so it is never recorded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecluse import http
from ecluse.clock import instant
from ecluse.errors import Problem
from ecluse.model import Event

if TYPE_CHECKING:
    from ecluse.config import NotifyConfig
    from ecluse.history import History

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message: sent, or why not."""

    sent: bool
    why: str = ""


def send(
    history: History, settings: NotifyConfig, kind: str, text: str, data: dict[str, Any], *, always: bool = False
) -> Delivery:
    """Post a message when the policy has a webhook and wants this ``kind`` (with ``always``: any kind).

    Never raises for what the network or the receiver does: that is recorded as ``notify.failed`` and returned.
    """
    if not settings.webhook:
        return Delivery(False, "no webhook is configured")
    if not always and kind not in settings.events:
        return Delivery(False, f"{kind} is not among the events that the policy sends")
    document = {"schema_version": 1, "kind": kind, "text": text, "at": instant(), "data": data}
    delivery = _post(settings.webhook, json.dumps(document, ensure_ascii=False).encode("utf-8"))
    subject = f"release/{data['release']}" if "release" in data else "notify"
    if delivery.sent:
        history.note(Event("notify.sent", subject, f"message {kind} was sent", data={"kind": kind}))
    else:
        said = f"message {kind} could not be sent: {delivery.why}"
        history.note(Event("notify.failed", subject, said, data={"kind": kind}))
    return delivery


def _post(address: str, body: bytes) -> Delivery:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        answer = http.request(address, "POST", headers=headers, body=body, timeout_s=TIMEOUT_S)
    except Problem as problem:
        return Delivery(False, problem.message.replace(address, "the webhook").replace(repr(address), "the webhook"))
    if 200 <= answer.status < 300:
        return Delivery(True)
    return Delivery(False, f"the webhook answered {answer.status}")
