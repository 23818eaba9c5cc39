"""The playbook sync-bidirec between a store of pages and a store of rows, both real services on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ecluse import http, line, webhooks
from ecluse.errors import Failed
from ecluse.kit.playbooks import page_of
from ecluse.model import ReleaseState
from ecluse.release.bridge import Bridge


class Store:
    """A collection of JSON records that tells its listener of every change, whoever made it."""

    def __init__(self, prefix: str, token: str, key: str) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.made: dict[str, str] = {}
        self.writes: list[str] = []
        self.prefix, self.token, self.key = prefix, token, key
        self.hook = ""
        self.refuses = False
        self.events = 0
        store = self

        class Door(BaseHTTPRequestHandler):
            def answer(self, status: int, document: Any) -> None:
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle_write(self) -> None:
                if store.refuses or self.headers.get("Authorization") != f"Bearer {store.token}":
                    self.answer(503 if store.refuses else 401, {})
                    return
                size = int(self.headers.get("Content-Length", "0") or 0)
                document = json.loads(self.rfile.read(size)) if size else {}
                store.writes.append(self.command)
                status, said = store.write(
                    self.command,
                    self.path.strip("/").partition("/")[2],
                    document,
                    self.headers.get("Idempotency-Key", ""),
                )
                self.answer(status, said)
                if status < 300:
                    store.tell(self.command, said, self.headers.get("X-Bridge-Origin", ""))

            def do_GET(self) -> None:
                found = store.records.get(self.path.strip("/").partition("/")[2])
                self.answer(200 if found else 404, found or {})

            do_POST = do_PUT = do_DELETE = handle_write  # noqa: N815 - the names are the standard library's

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/items"

    def write(self, method: str, key: str, document: dict[str, Any], once: str) -> tuple[int, dict[str, Any]]:
        if method == "POST":
            if once and once in self.made:
                return 200, self.records[self.made[once]]
            key = f"{self.prefix}{len(self.made) + len(self.records) + 1}"
            self.made[once] = key
            self.records[key] = {**document, "id": key}
        elif key not in self.records:
            return 404, {}
        elif method == "PUT":
            self.records[key] |= document
        else:
            return 200, self.records.pop(key)
        return 200, self.records[key]

    def tell(self, method: str, record: dict[str, Any], origin: str, number: str = "") -> int:
        """Send the webhook; the status of the answer."""
        self.events += 1
        kind = {"POST": "created", "PUT": "updated", "DELETE": "deleted"}[method]
        body = json.dumps({"id": number or f"{self.prefix}-e{self.events}", "type": kind, "record": record}).encode()
        signature = hmac.new(self.key.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}"} | ({"X-Bridge-Origin": origin} if origin else {})
        return http.request(self.hook, "POST", headers=headers, body=body).status

    def by_hand(self, method: str, key: str = "", **document: Any) -> str:
        """A person changes something: write and tell, as the service does."""
        _, record = self.write(method, key, document, secrets.token_hex(4))
        assert self.tell(method, record, "") == 200
        return str(record["id"])

    def plain(self) -> list[dict[str, Any]]:
        return sorted(({k: v for k, v in r.items() if k != "id"} for r in self.records.values()), key=str)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, Store]]:
    token, key = secrets.token_hex(8), secrets.token_hex(8)
    monkeypatch.setenv("STORE_TOKEN", token)
    monkeypatch.setenv("HOOK_SECRET", key)
    pages, rows = Store("p", token, key), Store("r", token, key)
    yield pages, rows
    pages.close()
    rows.close()


def opened(yard: Any, stores: tuple[Store, Store], window: str) -> tuple[str, int]:
    pages, rows = stores
    port = http.free_port()
    pages.hook, rows.hook = f"http://127.0.0.1:{port}/left", f"http://127.0.0.1:{port}/right"
    policy = f"""{yard.policy()}
[bridges.wiki-table]
listen = "127.0.0.1:{port}"
secret = "HOOK_SECRET"
left = {{ url = "{pages.url}", token = "STORE_TOKEN", fields = {{ title = "title", text = "body" }} }}
right = {{ url = "{rows.url}", token = "STORE_TOKEN", fields = {{ title = "Name", text = "Notes" }} }}
"""
    yard.write("playbooks/sync-bidirec.md", page_of("sync-bidirec"))
    yard.commit("chore: a bridge", ecluse_dot_toml=policy)
    started = yard.start(playbook="sync-bidirec", inputs={"window": window})
    yard.drive(started)
    yard.approve(started, checked=("1", "2"))
    yard.drive(started, until=lambda _: answers(port))
    return started, port


def answers(port: int) -> bool:
    try:
        return http.request(f"http://127.0.0.1:{port}/elsewhere", "POST", body=b"{}").status == 404
    except Failed:
        return False


def test_both_sides_are_kept_in_step_and_nothing_goes_round(yard: Any, stores: tuple[Store, Store]) -> None:
    pages, rows = stores
    started, _ = opened(yard, stores, f"{max(6, round(40 * yard.starting_s()))} s")
    page = pages.by_hand("POST", title="Été", body="one", draft=True)
    assert rows.plain() == [{"Name": "Été", "Notes": "one"}]
    (row,) = rows.records
    rows.by_hand("PUT", row, Notes="two")
    assert pages.records[page] == {"id": page, "title": "Été", "body": "two", "draft": True}
    again = rows.by_hand("POST", Name="Second", Notes="")
    assert {"title": "Second", "body": ""} in pages.plain()
    before = len(pages.writes) + len(rows.writes)
    assert pages.tell("PUT", pages.records[page], "", "p-same") == 200  # nothing new in it
    assert pages.tell("PUT", {**pages.records[page], "body": "three"}, "", "p-twice") == 200
    assert pages.tell("PUT", {**pages.records[page], "body": "three"}, "", "p-twice") == 200  # the sender tries again
    assert len(pages.writes) + len(rows.writes) == before + 1 and rows.records[row]["Notes"] == "three"
    rows.by_hand("DELETE", again)
    assert [r["title"] for r in pages.records.values()] == ["Été"]
    rows.refuses = True
    assert pages.tell("PUT", {**pages.records[page], "body": "four"}, "", "p-late") == 502
    rows.refuses = False
    assert pages.tell("PUT", {**pages.records[page], "body": "four"}, "", "p-late") == 200
    assert rows.records[row]["Notes"] == "four"
    rests = lambda: yard.get(started).state.is_terminal  # noqa: E731
    line.drive(yard.repository, yard.history, until=rests, follow=(f"release/{started}",))
    done = yard.get(started)
    assert done.state is ReleaseState.DONE, done.reason
    counts = next(s["result"]["counts"] for s in done.outputs["steps"].values() if s["does"] == "bridge.run")
    assert counts["own"] >= 6 and counts["seen"] == 1 and counts["same"] >= 1 and counts["failed"] == 1
    assert counts["written"] == 5 and counts["deleted"] == 1


def test_an_unsigned_event_and_a_strange_one_change_nothing(yard: Any, stores: tuple[Store, Store]) -> None:
    pages, rows = stores
    _, port = opened(yard, stores, "10 min")
    url = f"http://127.0.0.1:{port}/left"
    body = b'{"id": 1, "type": "created", "record": {"id": "x", "title": "forged"}}'
    assert http.request(url, "POST", body=body).status == 401
    assert http.request(url, "POST", body=body, headers={"X-Hub-Signature-256": "sha256=00"}).status == 401
    pages.key, kept = "another key", pages.key
    assert pages.tell("POST", {"id": "x", "title": "forged"}, "") == 401
    pages.key = kept
    signature = hmac.new(kept.encode(), b"[]", hashlib.sha256).hexdigest()
    assert http.request(url, "POST", body=b"[]", headers={"X-Hub-Signature-256": f"sha256={signature}"}).status == 400
    form = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/x-www-form-urlencoded"}
    assert http.request(url, "POST", body=b"[]", headers=form).status == 415
    assert huge(port).startswith(b"HTTP/1.0 413"), "before anything of it is read"
    assert rows.records == {}
    # a delivery counts once by its sender's name for it, and a bare token makes us read the record where it is kept
    event = json.dumps({"id": "a", "type": "created", "record": {"id": "x", "title": "one"}}).encode()
    signed = webhooks.sign(event, kept, "msg-1", int(time.time()))
    assert http.request(url, "POST", body=event, headers=signed).status == 200
    other = json.dumps({"id": "b", "type": "created", "record": {"id": "y", "title": "again"}}).encode()
    again = webhooks.sign(other, kept, "msg-1", int(time.time()))
    assert http.request(url, "POST", body=other, headers=again).status == 200
    assert [one["Name"] for one in rows.records.values()] == ["one"], "the same delivery, whatever it says"
    pages.records["p9"] = {"id": "p9", "title": "what is true", "body": ""}
    claim = json.dumps({"id": "c", "type": "created", "record": {"id": "p9", "title": "what is claimed"}}).encode()
    assert http.request(url, "POST", body=claim, headers={"X-Gitlab-Token": kept}).status == 200
    assert [one["Name"] for one in rows.records.values()] == ["one", "what is true"]


def huge(port: int) -> bytes:
    """What is answered to a request that only says how long it will be."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        wire.sendall(b"POST /left HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        return wire.recv(100)


@pytest.mark.parametrize("answer", [b"<p>moved</p>", b"[]", b"{}", b'{"id": ""}', b"[" * 100_000])
def test_a_store_whose_answer_nobody_can_read_is_asked_again_later(answer: bytes, tmp_path: Path) -> None:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(201)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = {"url": f"http://127.0.0.1:{server.server_address[1]}/items", "token": "", "fields": {"title": "title"}}
        key = secrets.token_hex(8)
        settings = {"secret": "HOOK", "origin": "us", "left": store, "right": store}
        bridge = Bridge(settings, {"HOOK": key}, tmp_path / "state.json")
        body = b'{"id": "e1", "type": "created", "record": {"id": "p1", "title": "x"}}'
        headers = Message()
        for name, text in webhooks.sign(body, key, "d1", int(time.time())).items():
            headers[name] = text
        status, said = bridge.hear("left", headers, body)
        assert status == 502 and "curl -i" not in said, said
        assert bridge.state.seen == [] and bridge.state.links == {}, "it counts when it was carried over"
        server.shutdown()
