"""The HTTP service: ``python -m service.app --port 8000``. Standard library only.

A release folder holds a file RELEASE with the version; a checkout has none and calls itself "dev".
"""

import argparse
import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from service import locks

ROOT = Path(__file__).resolve().parent.parent


def read_version(root=ROOT):
    """The version in the file RELEASE of ``root``, or "dev"."""
    try:
        return (root / "RELEASE").read_text(encoding="utf-8").strip() or "dev"
    except FileNotFoundError:
        return "dev"


class Handler(BaseHTTPRequestHandler):
    """One request. The version is read once, at start: a running service never claims to be a newer one."""

    server_version = "locks"
    version = read_version()

    def do_GET(self):
        address = urlsplit(self.path)
        if address.path == "/health":
            self.answer_health()
        elif address.path == "/locks":
            self.answer_plan(parse_qs(address.query))
        elif address.path == "/":
            self.answer(200, {"service": "locks", "version": self.version, "try": "/locks?from=3&to=7"})
        else:
            self.answer(404, {"error": "nothing is here; try /locks?from=3&to=7"})

    def answer_health(self):
        self.answer(200, {"status": "ok", "version": self.version})

    def answer_plan(self, query):
        try:
            start, end = (float(query[name][0]) for name in ("from", "to"))
        except (KeyError, ValueError):
            self.answer(400, {"error": "from and to are water levels in metres: /locks?from=3&to=7"})
            return
        chambers = locks.plan(start, end)
        self.answer(200, {"chambers": chambers, "minutes": locks.duration(chambers)})

    def answer(self, status, document):
        body = json.dumps(document).encode("utf-8") + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def make_server(port, host="127.0.0.1"):
    """A server that listens already; port 0 takes a free one (``server_address`` says which)."""
    return ThreadingHTTPServer((host, port), Handler)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with make_server(options.port, options.host) as server:
        print("locks {} on http://{}:{}".format(Handler.version, *server.server_address), flush=True)
        try:
            server.serve_forever(poll_interval=0.05)
        except KeyboardInterrupt:
            print("stopped", flush=True)


if __name__ == "__main__":
    main()
