"""Messages out: to the webhook, Slack, Telegram and mail that the policy names. What fails is recorded, no more.

The caller has written its own event first; these are only the copies that go out. Addresses and tokens may be secrets:
they are never recorded, and the policy names them as ``env:NAME`` so that they are not in the repository either.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecluse import http, webhooks
from ecluse.clock import after, instant, new_id, now
from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Problem
from ecluse.files import write_atomically
from ecluse.model import Event
from ecluse.secrets.scan import covered
from ecluse.secrets.source import from_environment

if TYPE_CHECKING:
    from ecluse.config import MailConfig, NotifyConfig, TelegramConfig
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
_SLACK_CHARACTERS = 3500
_TELEGRAM_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message: sent by at least one way, and why not by the others."""

    sent: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    kind: str
    text: str
    data: dict[str, Any]


Way = Callable[[Message], None]
"""Sends a message or raises :class:`Problem`."""


def send(
    history: History, settings: NotifyConfig, kind: str, text: str, data: dict[str, Any], *, always: bool = False
) -> Delivery:
    """Send a message by every way of the policy when it wants this ``kind`` (with ``always``: any kind).

    Never raises for what the network or a receiver does: that is recorded as ``notify.failed`` and returned.
    """
    subject = f"release/{data['release']}" if "release" in data else f"run/{data['run']}" if "run" in data else "notify"

    def record(way: str, why: str) -> None:
        name = "" if way == "webhook" else f" to {way}"
        facts = {"kind": kind, "way": way}
        if why:
            said = f"message {kind} could not be sent{name}: {why}"
            history.note(Event("notify.failed", subject, said, data=facts))
        else:
            history.note(Event("notify.sent", subject, f"message {kind} was sent{name}", data=facts))

    return deliver(settings, Message(kind, text, data), record, always=always)


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
    if not reaches_out(settings):
        return 0
    wanted = [event for event in fresh if event.kind in settings.events]
    for event in wanted:
        write_atomically(place, str(event.number).encode("ascii"))  # before: a message cut short is not sent twice
        told = {"subject": event.subject, "event": event.number, "actor": covered(event.actor)}
        facts = {name: event.data[name] for name in _TOLD if event.data.get(name) not in (None, "")}
        told |= {name: covered(value) if isinstance(value, str) else value for name, value in facts.items()}
        send(history, settings, event.kind, covered(event.text), told)
    return len(wanted)


def deliver(
    settings: NotifyConfig, message: Message, record: Callable[[str, str], None], *, always: bool = False
) -> Delivery:
    """Send by every way; ``record`` hears of each with why it failed, or nothing when it did not."""
    ways = list(_ways(settings))
    if not ways:
        return Delivery(False, "no webhook and no other way is configured")
    if not always and message.kind not in settings.events:
        return Delivery(False, f"{message.kind} is not among the events that the policy sends")
    failed = []
    for name, way in ways:
        try:
            way(message)
        except Problem as problem:
            failed.append(f"{name}: {problem.message}" if len(ways) > 1 else problem.message)
            record(name, problem.message)
        else:
            record(name, "")
    return Delivery(len(failed) < len(ways), "; ".join(failed))


def reaches_out(settings: NotifyConfig) -> bool:
    """Whether a message leaves this machine: there is a webhook or another way."""
    return any(True for _ in _ways(settings))


def _ways(settings: NotifyConfig) -> Iterator[tuple[str, Way]]:
    if settings.webhook:
        yield "webhook", lambda message: _webhook(settings, message)
    if settings.slack:
        yield "slack", lambda message: _slack(settings.slack, message)
    telegram, mail = settings.telegram, settings.mail
    if telegram is not None:
        yield "telegram", lambda message: _telegram(telegram, message)
    if mail is not None:
        yield "mail", lambda message: _mail(mail, message)
    if settings.apprise:
        yield "apprise", lambda message: _apprise(settings.apprise, message)


def _apprise(addresses: tuple[str, ...], message: Message) -> None:
    try:
        apprise = import_module("apprise")
    except ImportError:
        raise Problem(
            "notify.no_apprise",
            "apprise is not installed (pip install 'ecluse[notify]').",
            "pip install 'ecluse[notify]'",
        ) from None
    messenger = apprise.Apprise()
    if not all(messenger.add(os.path.expandvars(address)) for address in addresses):
        raise Problem("notify.apprise", "apprise does not understand one of the addresses.", "look at [notify] apprise")
    if not messenger.notify(title=f"Écluse: {message.kind}", body=message.text):
        raise Problem("notify.apprise", "apprise could not reach one of the addresses.", "look whether they are right")


def _webhook(settings: NotifyConfig, message: Message) -> None:
    document = {"kind": message.kind, "text": message.text, "at": instant(), "data": message.data}
    address, secret = from_environment(settings.webhook), from_environment(settings.webhook_secret)
    _post("the webhook", address, {"schema_version": 1, **document}, secret)


def _slack(address: str, message: Message) -> None:
    text = message.text[:_SLACK_CHARACTERS]
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)  # so that no text of a change can call a whole channel
    _post("Slack", from_environment(address), {"text": text})


def _telegram(settings: TelegramConfig, message: Message) -> None:
    token, chat = from_environment(settings.token), from_environment(settings.chat)
    address = f"{settings.api.rstrip('/')}/bot{token}/sendMessage"
    _post("Telegram", address, {"chat_id": chat, "text": message.text[:_TELEGRAM_CHARACTERS]})


def _post(receiver: str, address: str, document: dict[str, Any], secret: str = "") -> None:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8")
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if secret:
        headers |= webhooks.sign(body, secret, new_id("msg"), int(now().timestamp()))
    try:
        answer = http.request(address, "POST", headers=headers, body=body, timeout_s=TIMEOUT_S)
    except Problem as problem:
        said = problem.message.replace(repr(address), receiver).replace(address, receiver)
        raise Problem("notify.no_answer", said, "look whether the receiver runs") from None
    if not 200 <= answer.status < 300:
        raise Problem("notify.refused", f"{receiver} answered {answer.status}", "look at the receiver's settings")


def _mail(settings: MailConfig, message: Message) -> None:
    import smtplib
    import ssl
    from email.message import EmailMessage
    from email.utils import formatdate

    letter = EmailMessage()
    first = " ".join(message.text.split("\n", 1)[0].split())
    letter["Subject"] = f"[ecluse] {first[:150]}"
    letter["From"] = settings.sender
    letter["To"] = ", ".join(settings.to)
    letter["Date"] = formatdate()
    letter["X-Ecluse-Kind"] = message.kind
    letter.set_content(message.text + "\n")
    try:
        parts = urlsplit(from_environment(settings.server))
        port = parts.port
    except ValueError as error:
        raise Invalid(
            "notify.mail_server", f"notify.mail.server is no address: {error}.", "write it as smtp://host:port"
        ) from error
    if parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not parts.hostname:
        raise Invalid(
            "notify.mail_server",
            "notify.mail.server is no address of a mail server.",
            "write it as smtp://host:port, smtps://host:port or smtp+starttls://host:port",
        )
    try:
        with contextlib.ExitStack() as stack:
            server: smtplib.SMTP
            if parts.scheme == "smtps":
                # Without a context of ours smtplib would believe any certificate.
                checked = ssl.create_default_context()
                server = smtplib.SMTP_SSL(parts.hostname, port or 0, timeout=TIMEOUT_S, context=checked)
            else:
                server = smtplib.SMTP(parts.hostname, port or 0, timeout=TIMEOUT_S)
            stack.enter_context(server)
            if parts.scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.user:
                server.login(from_environment(settings.user), from_environment(settings.password))
            server.send_message(letter)
    except (OSError, smtplib.SMTPException) as error:
        raise Problem("notify.mail", f"the mail server did not take it: {error}", "look at notify.mail") from error
