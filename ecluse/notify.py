"""Messages out: one JSON document to the webhook that the policy names, one text to each address for apprise.

The caller has written its own event first; this is only the copy that goes out. An address may itself be a secret, so it
is never recorded. A message that fails is recorded, no more; one that may have been sent is not sent again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecluse import http
from ecluse.clock import after, instant
from ecluse.errors import Problem
from ecluse.files import write_atomically
from ecluse.model import Event
from ecluse.secrets.scan import covered

if TYPE_CHECKING:
    from ecluse.config import NotifyConfig
    from ecluse.history import History

TIMEOUT_S = 5.0
FRESH_S = 3600.0
"""What happened longer ago, in seconds, is no news: it is not sent when a webhook is named later."""

KINDS = frozenset(
    {
        "change.ready", "change.quarantined", "change.conflict", "change.rejected", "change.refused", "import.refused",
        "change.undone", "landing.landed", "landing.red", "landing.failed", "landing.blocked", "push.done",
        "push.failed",
    }
)  # fmt: skip
"""Events of intake and landing that are sent when the policy's ``events`` name them; releases send their own."""

_TOLD = ("change_id", "revision", "verdict", "code", "commit", "base", "target_branch", "agent", "run", "remote")
_LOOK_BACK = 2000


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message: sent, or why not."""

    sent: bool
    why: str = ""


def send(
    history: History, settings: NotifyConfig, kind: str, text: str, data: dict[str, Any], *, always: bool = False
) -> Delivery:
    """Send a message when the policy names an address and wants this ``kind`` (with ``always``: any kind).

    Never raises for what the network or the receiver does: that is recorded as ``notify.failed`` and returned.
    """
    if not settings.webhook and not settings.apprise:
        return Delivery(False, "no webhook is configured")
    if not always and kind not in settings.events:
        return Delivery(False, f"{kind} is not among the events that the policy sends")
    document = {"schema_version": 1, "kind": kind, "text": text, "at": instant(), "data": data}
    delivery = _deliver(settings, kind, text, json.dumps(document, ensure_ascii=False).encode("utf-8"))
    subject = f"release/{data['release']}" if "release" in data else "notify"
    if delivery.sent:
        history.note(Event("notify.sent", subject, f"message {kind} was sent", data={"kind": kind}))
    else:
        said = f"message {kind} could not be sent: {delivery.why}"
        history.note(Event("notify.failed", subject, said, data={"kind": kind}))
    return delivery


def announce(history: History, settings_of: Callable[[], NotifyConfig]) -> int:
    """Send what intake and landing recorded since the last time, each event once; how many were sent or tried.

    Only the holder of the line's lock may call this. ``settings_of`` is asked only when there is something to send.
    """
    place = history.path.with_name("notify.cursor")
    seen = 0
    with contextlib.suppress(OSError, ValueError):
        seen = int(place.read_text("ascii"))
    events = history.events(after=max(seen, history.last_event() - _LOOK_BACK), limit=_LOOK_BACK)
    fresh = [event for event in events if event.kind in KINDS and event.at > after(-FRESH_S)]
    if not fresh:
        return 0
    settings = settings_of()
    if not settings.webhook and not settings.apprise:
        return 0
    wanted = [event for event in fresh if event.kind in settings.events]
    for event in wanted:
        write_atomically(place, str(event.number).encode("ascii"))  # before: a message cut short is not sent twice
        told = {"subject": event.subject, "event": event.number, "actor": covered(event.actor)}
        facts = {name: event.data[name] for name in _TOLD if event.data.get(name) not in (None, "")}
        told |= {name: covered(value) if isinstance(value, str) else value for name, value in facts.items()}
        send(history, settings, event.kind, covered(event.text), told)
    return len(wanted)


def _deliver(settings: NotifyConfig, kind: str, text: str, body: bytes) -> Delivery:
    """Send one message to every address; sent only when each took it."""
    outcomes = [_post(settings.webhook, body)] if settings.webhook else []
    if settings.apprise:
        outcomes.append(_tell_apprise(settings.apprise, kind, text))
    return next((one for one in outcomes if not one.sent), Delivery(True))


def _tell_apprise(addresses: tuple[str, ...], kind: str, text: str) -> Delivery:
    try:
        apprise = import_module("apprise")
    except ImportError:
        return Delivery(False, "apprise is not installed (pip install 'ecluse[notify]')")
    messenger = apprise.Apprise()
    if not all(messenger.add(os.path.expandvars(address)) for address in addresses):
        return Delivery(False, "apprise does not understand one of the addresses")
    sent = bool(messenger.notify(title=f"Écluse: {kind}", body=text))
    return Delivery(True) if sent else Delivery(False, "apprise could not reach one of the addresses")


def _post(address: str, body: bytes) -> Delivery:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        answer = http.request(address, "POST", headers=headers, body=body, timeout_s=TIMEOUT_S)
    except Problem as problem:
        return Delivery(False, problem.message.replace(address, "the webhook").replace(repr(address), "the webhook"))
    if 200 <= answer.status < 300:
        return Delivery(True)
    return Delivery(False, f"the webhook answered {answer.status}")
