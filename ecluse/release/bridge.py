"""Two stores kept in step, both ways, from their webhooks: the job behind ``bridge.run``.

``python -m ecluse.release.bridge FOLDER`` listens on loopback (or wherever the policy says) for events
``POST /left`` and ``POST /right``: ``{"id": EVENT, "type": "created|updated|deleted", "record": {"id": ..., ...}}``,
signed in one of the ways of :mod:`ecluse.webhooks`. What happened on one side is done on the other with ``X-Bridge-Origin``; an event
that carries the bridge's own origin is its own echo and is dropped. An event counts once, and so does its effect:
writes carry ``Idempotency-Key``, and what is known is on disk before the sender is told that all is well.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ecluse import clock, http, webhooks
from ecluse.errors import Problem, Refused
from ecluse.files import write_atomically

BODY_CAP = 1 << 20
SEEN_CAP = 10_000
"""Event ids that are remembered; a sender that repeats older ones is not one that retries."""
SIDES = ("left", "right")


@dataclass(slots=True)
class State:
    """What a bridge knows: pairs of ids, the content both sides had last, events that were carried over, counts."""

    links: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def other(self, side: str, key: str) -> str:
        """The id on the other side of record ``key``; empty when there is none yet."""
        if side == "left":
            return self.links.get(key, "")
        return next((left for left, right in self.links.items() if right == key), "")

    def link(self, side: str, key: str, other: str) -> None:
        left, right = (key, other) if side == "left" else (other, key)
        self.links[left] = right

    def unlink(self, side: str, key: str) -> None:
        left = key if side == "left" else self.other(side, key)
        self.links.pop(left, None)
        self.contents.pop(left, None)


class Bridge:
    """One bridge while it runs. ``settings`` are the policy's, ``secrets`` their values by name."""

    def __init__(self, settings: dict[str, Any], secrets: dict[str, str], place: Path) -> None:
        self.settings = settings
        self.secrets = secrets
        self.place = place
        self.turn = threading.Lock()
        self.state = State(**json.loads(place.read_bytes())) if place.is_file() else State()

    def hear(self, side: str, headers: Any, body: bytes) -> tuple[int, str]:
        """Take one event; the status and the word for its sender."""
        listed = {name.lower(): headers.get_all(name) or [] for name in headers}
        try:
            secret = self.secrets[self.settings["secret"]]
            delivery = webhooks.verify(listed, body, secret, int(clock.now().timestamp()))
        except Refused as problem:
            return (415 if problem.code == "webhook.type" else 401), problem.message
        if headers.get("X-Bridge-Origin") == self.settings["origin"]:
            return self._count("own", 200)
        try:
            event = json.loads(body)
            name, kind, record = str(event["id"]), event["type"], event["record"]
            key = str(record["id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return 400, "an event has id, type and record"
        if kind not in ("created", "updated", "deleted"):
            return 400, "type is created, updated or deleted"
        names = [f"{side}/{name}", *([f"{side}//{delivery.id}"] if delivery.id else [])]
        with self.turn:
            if any(one in self.state.seen for one in names):
                return self._count("seen", 200)
            try:
                if not delivery.proves_body and kind != "deleted":
                    record = self._read(side, key)
                word = self._delete(side, key, name) if kind == "deleted" else self._write(side, key, record, name)
            except Problem as problem:
                self._count("failed", 502)
                return 502, problem.message
            self.state.seen = [*self.state.seen, *names][-SEEN_CAP:]
            return self._count(word, 200)

    def _write(self, side: str, key: str, record: dict[str, Any], event: str) -> str:
        mine, theirs = self._stores(side)
        shared = {word: record.get(name) for word, name in mine["fields"].items()}
        digest = hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()
        other = self.state.other(side, key)
        left = key if side == "left" else other
        if other and self.state.contents.get(left) == digest:
            return "same"
        document = {theirs["fields"][word]: value for word, value in shared.items() if word in theirs["fields"]}
        answer = self._ask(theirs, "PUT", f"/{other}", document, event) if other else None
        if answer is None or answer.status in (404, 410):
            answer = self._ask(theirs, "POST", "", document, event)
            other = _identifier(theirs, answer)
        self.state.link(side, key, other)
        self.state.contents[key if side == "left" else other] = digest
        return "written"

    def _read(self, side: str, key: str) -> dict[str, Any]:
        """The record as its own store has it: a bare token proves who speaks, and nothing of what is said."""
        answer = self._ask(self._stores(side)[0], "GET", f"/{quote(key, safe='')}", None, "")
        return _document(self._stores(side)[0], answer)

    def _delete(self, side: str, key: str, event: str) -> str:
        other = self.state.other(side, key)
        if not other:
            return "same"
        self._ask(self._stores(side)[1], "DELETE", f"/{other}", None, event)
        self.state.unlink(side, key)
        return "deleted"

    def _stores(self, side: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The side that speaks, and the one that is written to."""
        other = SIDES[1 - SIDES.index(side)]
        return self.settings[side], self.settings[other]

    def _ask(self, store: dict[str, Any], method: str, path: str, document: Any, event: str) -> http.Answer:
        headers = {"X-Bridge-Origin": self.settings["origin"], "Idempotency-Key": event}
        body = None if document is None else json.dumps(document, ensure_ascii=False).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        if store["token"]:
            headers["Authorization"] = f"Bearer {self.secrets[store['token']]}"
        answer = http.request(f"{store['url'].rstrip('/')}{path}", method, headers=headers, body=body, timeout_s=10)
        gone = answer.status in (404, 410) and method in ("PUT", "DELETE")
        if not gone and not 200 <= answer.status < 300:
            raise Problem(
                "bridge.store", f"{method} {store['url']} answered {answer.status}.", f"curl -i {store['url']}"
            )
        return answer

    def _count(self, word: str, status: int) -> tuple[int, str]:
        self.state.counts[word] = self.state.counts.get(word, 0) + 1
        write_atomically(self.place, json.dumps(asdict(self.state)).encode(), mode=0o600)
        return status, word


def _document(store: dict[str, Any], answer: http.Answer) -> dict[str, Any]:
    """The JSON object that a store answered with. Raises :class:`Problem` for anything else."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        said = f"{store['url']} answered {answer.status} with something that is no JSON object."
        raise Problem("bridge.store", said, f"curl -i {store['url']}")
    return found


def _identifier(store: dict[str, Any], answer: http.Answer) -> str:
    """The id of the record that a store made. Raises :class:`Problem` when it does not say."""
    made = _document(store, answer).get("id")
    if made is None or not str(made):
        raise Problem(
            "bridge.store", f"{store['url']} made a record and does not say its id.", f"curl -i {store['url']}"
        )
    return str(made)


def serve(folder: Path) -> dict[str, int]:
    """Body of the job: listen until the window is over; the counts of this run."""
    request = json.loads((folder / "bridge.json").read_bytes())
    secrets = {name: os.environ[name] for name in request["secrets"]}
    bridge = Bridge(request["settings"], secrets, Path(request["place"]))
    bridge.state.counts = {}
    host, _, port = request["settings"]["listen"].rpartition(":")

    class Door(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            side = self.path.strip("/")
            said = self.headers.get("Content-Length", "")
            size = int(said) if said.isascii() and said.isdecimal() else 0
            if side not in SIDES or not 0 < size <= BODY_CAP:
                status, word = (404, "post to /left or /right") if side not in SIDES else (413, "too large")
            else:
                status, word = bridge.hear(side, self.headers, self.rfile.read(size))
            data = json.dumps({"said": word}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            """Nothing: events are counted, and their contents are nobody's business."""

    with ThreadingHTTPServer((host, int(port)), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        write_atomically(folder / "ready", str(server.server_address[1]).encode())
        time.sleep(max(0.0, request["until"] - clock.now().timestamp()))
        server.shutdown()
    return bridge.state.counts


def main(folder_name: str) -> None:
    """Entry of the job's process."""
    folder = Path(folder_name)
    try:
        said: dict[str, Any] = {"why": "", "counts": serve(folder)}
    except OSError as error:
        said = {"why": f"it cannot listen: {error.strerror}", "counts": {}}
    write_atomically(folder / "result.json", json.dumps(said).encode())


if __name__ == "__main__":
    main(sys.argv[1])
