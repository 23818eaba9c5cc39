"""The HTTP client against a server that answers in drops, and one that sends elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ecluse import http
from ecluse.errors import Failed
from ecluse.release.probes import look_at_health


class Slow(BaseHTTPRequestHandler):
    """Drops a body, or its headers, a byte at a time; every other path is moved."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "https://elsewhere.invalid/login")
            self.end_headers()
            return
        if self.path == "/body":
            self.send_response(200)
            self.end_headers()
        try:
            for _ in range(2000):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            return

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("path", ["/body", "/headers"])
def test_an_answer_in_drops_is_cut_off_at_its_time(server: str, path: str) -> None:
    with pytest.raises(Failed, match=r"no whole answer within 0\.3 s"):
        http.request(f"{server}{path}", timeout_s=0.3)


def test_a_health_path_that_sends_elsewhere_says_where(server: str) -> None:
    seen = look_at_health(f"{server}/moved", "1.0.0")
    assert not seen.well and "302" in seen.said and "https://elsewhere.invalid/login" in seen.said
