"""What every request passes before anything else sees it: who is asked for, how, and what the answer may do.

The dashboard knows no passwords yet, so it must not be reachable through a browser that a foreign page steers: the
Host header must name this machine (against DNS rebinding), and nothing but reading is possible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ecluse.errors import Refused
from ecluse.web.answers import problem_answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
READING = ("GET", "HEAD")
_HEADERS = {
    b"content-security-policy": b"default-src 'self'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'; object-src 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


class Guard:
    """Wraps an application. ``host`` is the address it is bound to, allowed as a Host beside this machine's names."""

    def __init__(self, app: Application, host: str = "") -> None:
        self._app = app
        self._names = LOCAL_NAMES | ({f"[{host}]" if ":" in host else host.lower()} if host else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        bodyless = scope["method"] == "HEAD"
        application = self._refusal(scope) or self._app
        inner = {**scope, "method": "GET"} if bodyless else scope
        await application(inner, receive, _dressed(send, bodyless=bodyless))

    def _refusal(self, scope: Scope) -> Application | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._allows(hosts[0].decode("latin-1").lower(), scope.get("server")):
            problem = Refused(
                "web.host",
                "This address is not served: the Host header does not name this machine.",
                "open the address that `ecluse serve` printed",
            )
            return problem_answer(problem, scope, status=400)
        if scope["method"] not in READING:
            problem = Refused(
                "web.read_only",
                "The dashboard only shows. What changes something is typed, so that it is known who did it.",
                "ecluse --help",
            )
            return problem_answer(problem, scope, status=405, headers={"Allow": ", ".join(READING)})
        return None

    def _allows(self, host: str, server: Any) -> bool:
        bound = server[1] if server and server[1] else None
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not colon:
            return host in self._names
        return name in self._names and port.isascii() and port.isdecimal() and (bound is None or port == str(bound))


def _dressed(send: Send, *, bodyless: bool) -> Send:
    """``send`` with our headers on every answer, and without a body where none is wanted."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            present = {name.lower() for name, _ in given}
            ours = {b"cache-control": b"no-store", **_HEADERS}
            message = {**message, "headers": [*given, *((n, v) for n, v in ours.items() if n not in present)]}
        elif message["type"] == "http.response.body" and bodyless:
            message = {**message, "body": b""}
        await send(message)

    return sending
