"""The only client of HTTP: one request, one answer, both bounded. Redirects are answers, they are not followed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from ecluse.dataclass import dataclass, field
from ecluse.errors import Failed, Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    import threading

BODY_CAP = 1 << 20
"""Bytes of an answer's body that are kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    elapsed_ms: float
    headers: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def request(
    url: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Send one request. Raises :class:`Failed` when nobody answers within ``timeout_s``, :class:`Invalid` for a bad URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(
            "http.url", f"{url!r} is not an address: {error}.", "write it as http://host:port/path"
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("http.url", f"{url!r} is not an http or https address.", "write it as http://host:port/path")
    import http.client  # costs 20 ms and more, and every door that may send a message loads this module
    import threading

    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, port, timeout=timeout_s)
    started = time.monotonic()
    late = threading.Event()
    bell = threading.Timer(timeout_s, _ring, (late, connection))
    bell.daemon = True
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        bell.start()
        connection.request(method, target, body=body, headers={"User-Agent": "ecluse", **(headers or {})})
        answer = connection.getresponse()
        content = answer.read(BODY_CAP)
        if late.is_set():
            raise TimeoutError(f"no whole answer within {timeout_s:g} s")
        elapsed = (time.monotonic() - started) * 1000
        return Answer(answer.status, content, elapsed, {k.lower(): v for k, v in answer.getheaders()})
    except (OSError, http.client.HTTPException) as error:
        why = f"no whole answer within {timeout_s:g} s" if late.is_set() else str(error) or type(error).__name__
        raise Failed(
            "http.no_answer", f"{method} {url} got no answer: {why}.", f"look whether it runs: curl -i {url}"
        ) from error
    finally:
        bell.cancel()
        connection.close()


def _ring(late: threading.Event, connection: http.client.HTTPConnection) -> None:
    """Cut an answer off that comes in drops: the connection's own limit counts anew with each of them."""
    import contextlib
    import socket

    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    """A port on the loopback interface that is free now and that no outgoing connection is given by chance.

    Systems hand out ports from 32768 upwards to connections, so this looks below. Raises :class:`Failed` when a
    hundred tries find none.
    """
    import socket

    for _ in range(100):
        port = 12_000 + int.from_bytes(os.urandom(4), "big") % 20_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failed("http.no_port", "No free port was found between 12000 and 32000.", "look who has them: ss -ltn")
