"""The service that the tests release: its health, its version, how many people its data has."""

import hashlib
import json
import pathlib
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
VERSION = (HERE / "RELEASE").read_text().strip()
TOKEN = (ROOT / "token").read_text() if (ROOT / "token").exists() else ""
STATUS = 200


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = STATUS, {"version": VERSION, "token": hashlib.sha256(TOKEN.encode()).hexdigest()}
        if self.path == "/people":
            try:
                with sqlite3.connect(ROOT / "app.db") as base:
                    body["people"] = base.execute("SELECT count(*) FROM people").fetchone()[0]
            except sqlite3.Error as error:
                status, body = 500, {"error": str(error)}
        with (ROOT / "access.log").open("a") as log:
            log.write(f"GET {self.path} {status}\n")
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
