"""Running the application: one socket on this machine, a note of where it is, a clean end."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from ecluse.clock import instant
from ecluse.errors import Failed, Refused
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.history import History
from ecluse.web.app import create_app
from ecluse.web.driver import Background

NOTE = "serve.json"
"""File in the state folder that says where the dashboard is while it runs."""


class _Server(uvicorn.Server):
    """Stops on the signals that :func:`serve` handles itself, so that its own clean-up always comes after."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(
    repository: Repository,
    *,
    host: str,
    port: int,
    background: Background | None,
    on_ready: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Serve the dashboard until SIGINT or SIGTERM, or until ``stop`` is set; ``on_ready`` gets its address.

    Raises :class:`Refused` for a host that others can reach, :class:`Failed` when the port is taken or forbidden,
    :class:`ecluse.errors.Invalid` before ``ecluse init``.
    """
    check_host(host)
    History.open(repository.state_dir).close()
    listener = listen(host, port)
    address = listener.getsockname()
    url = f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}"
    app = create_app(repository, background, host=host)
    config: Any = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    note = repository.state_dir / NOTE
    with _stopped_by(server, stop), contextlib.closing(listener):
        _write_note(note, url, host, address[1])
        try:
            on_ready(url)
            server.run([listener])
        finally:
            _remove_note(note)


def check_host(host: str) -> None:
    """Raise :class:`Refused` unless ``host`` is this machine alone."""
    if host == "localhost":
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    raise Refused(
        "serve.not_loopback",
        f"The dashboard has no authentication yet, so it is served on this machine only; {host} can be reached from others.",
        "ecluse serve --host 127.0.0.1 (from elsewhere: ssh -L 8470:127.0.0.1:8470 THIS_MACHINE)",
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. ``port`` 0 takes a free one. Raises :class:`Failed` when the port cannot be had."""
    name = "127.0.0.1" if host == "localhost" else host
    listener = socket.socket(socket.AF_INET6 if ":" in name else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((name, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise Failed(
            "serve.port",
            f"The port {port} on {name} cannot be used: {error.strerror or error}.",
            "ecluse serve --port 0",
        ) from error
    return listener


@contextlib.contextmanager
def _stopped_by(server: uvicorn.Server, stop: threading.Event | None) -> Iterator[None]:
    """Have signals (in the main thread) and ``stop`` end the server."""

    def end(*_: object) -> None:
        server.should_exit = True

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    done = threading.Event()
    watcher = threading.Thread(target=_follow, args=(stop, done, end), daemon=True) if stop is not None else None
    if watcher is not None:
        watcher.start()
    try:
        yield
    finally:
        done.set()
        if watcher is not None:
            watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow(stop: threading.Event, done: threading.Event, end: Callable[[], None]) -> None:
    while not done.is_set():
        if stop.wait(0.05):
            end()
            return


def _write_note(path: Path, url: str, host: str, port: int) -> None:
    document = {
        "schema_version": 1,
        "url": url,
        "host": host,
        "port": port,
        "pid": os.getpid(),
        "started_at": instant(),
    }
    write_atomically(path, json.dumps(document).encode(), mode=0o600)


def _remove_note(path: Path) -> None:
    """Take our note away, unless another server has written its own since."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_bytes()).get("pid") == os.getpid():
            path.unlink()
