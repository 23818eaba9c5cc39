"""Who may ask, how, and what is refused, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from ecluse.errors import Failed, Invalid, Refused
from ecluse.git import Repository
from ecluse.web import server


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST:{port}", "127.0.0.1"]
)
def test_this_machines_names_are_served(site: Any, host: str) -> None:
    assert site.ask("/healthz", Host=host.format(port=site.port)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "evil.example",
        "localhost.evil.example:{port}",
        "localhost:1",
        "127.0.0.1:{port}0",
        "localhost:",
        "",
        "[::1",
        "0.0.0.0:{port}",
    ],
)
def test_any_other_host_is_refused(site: Any, host: str) -> None:
    answer = site.ask("/api/events", Host=host.format(port=site.port))
    assert answer.status == 400
    if host and answer.headers["content-type"] == "application/json":
        assert answer.json()["code"] == "web.host"


def test_two_hosts_are_refused(site: Any) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as connection:
        both = f"Host: 127.0.0.1:{site.port}\r\nHost: evil.example\r\n"
        connection.sendall(f"GET / HTTP/1.1\r\n{both}Connection: close\r\n\r\n".encode())
        assert b" 400 " in connection.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/api/events", "/memory/query?q=x", "/static/ecluse.css", "/nowhere"])
def test_nothing_but_reading(site: Any, method: str, path: str) -> None:
    answer = site.ask(path, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/api/events", "/static/ecluse.css", "/runs/run-red/jobs/1/log", "/nowhere"])
def test_head_is_get_without_the_body(site: Any, path: str) -> None:
    whole, head = site.ask(path), site.ask(path, "HEAD")
    assert (head.status, head.body) == (whole.status, b"")
    assert head.headers["content-length"] == str(len(whole.body))


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/changes/none",
        "/changes/chg-good/99",
        "/changes/chg-good/x",
        "/runs/none",
        "/static/none.css",
        "/static/../app.py",
        "/changes/",
    ],
)
def test_an_unknown_page_says_so(site: Any, path: str) -> None:
    answer = site.ask(path)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Back to the line" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/api/nowhere", "/api/changes/none", "/api/runs/none", "/api/landings/none", "/api/releases/none"]
)
def test_an_unknown_document_says_so_in_json(site: Any, path: str) -> None:
    answer = site.ask(path)
    assert answer.status == 404
    assert set(answer.json()) == {"code", "message", "hint"}
    assert answer.json()["code"].endswith(".unknown")


@pytest.mark.parametrize(
    "path", ["/api/events?after=x", "/api/events?limit=0", "/memory/query", "/memory/query?q=x&limit=99999"]
)
def test_a_wrong_request_is_named(site: Any, path: str) -> None:
    answer = site.ask(path)
    assert answer.status == 400
    assert answer.json()["code"] == "request.invalid"


def test_a_program_that_wants_json_gets_it_anywhere(site: Any) -> None:
    assert site.ask("/nowhere", Accept="application/json").json()["code"] == "page.unknown"


def test_a_history_that_is_gone_is_a_sentence(own_site: Any) -> None:
    for file in own_site.filled.repository.state_dir.glob("history.db*"):
        file.unlink()
    answer = own_site.ask("/")
    assert answer.status == 503
    assert "ecluse init" in answer.text


def test_a_fault_of_ours_is_said_and_keeps_the_headers(own_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("ecluse.web.pages.overview", broken)
    answer = own_site.ask("/")
    assert answer.status == 500
    assert "fault of Écluse" in answer.text
    assert "on purpose" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_the_note_says_where_it_is_while_it_runs(start: Any, filled: Any) -> None:
    note = filled.repository.state_dir / server.NOTE
    site = start()
    said = json.loads(note.read_bytes())
    assert said["url"] == site.url
    assert said["port"] == site.port


def test_the_note_goes_with_the_server(filled: Any) -> None:
    note = filled.repository.state_dir / server.NOTE
    stop, seen = threading.Event(), []

    def ready(url: str) -> None:
        seen.append(note.exists())
        stop.set()

    server.serve(filled.repository, host="127.0.0.1", port=0, background=None, on_ready=ready, stop=stop)
    assert seen == [True]
    assert not note.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_others_are_not_served(filled: Any, host: str) -> None:
    with pytest.raises(Refused) as refused:
        server.serve(filled.repository, host=host, port=0, background=None, on_ready=print)
    assert refused.value.code == "serve.not_loopback"


def test_a_taken_port_names_the_next_command(filled: Any) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(Failed) as failed:
            server.serve(
                filled.repository, host="127.0.0.1", port=holder.getsockname()[1], background=None, on_ready=print
            )
    assert failed.value.code == "serve.port"
    assert failed.value.hint == "ecluse serve --port 0"


def test_without_a_history_it_does_not_start(tmp_path: Any) -> None:
    with pytest.raises(Invalid) as invalid:
        server.serve(Repository.create(tmp_path), host="127.0.0.1", port=0, background=None, on_ready=print)
    assert invalid.value.hint == "ecluse init"


def test_the_line_is_driven_until_the_end(start: Any) -> None:
    driving, stopped = threading.Event(), threading.Event()

    def drive(stop: threading.Event) -> None:
        driving.set()
        stop.wait()
        stopped.set()

    site = start(background=drive)
    assert driving.wait(60)
    assert site.ask("/healthz").json() == {"status": "ok", "line": "driving", "problem": ""}
    assert not stopped.is_set()


def test_a_line_that_met_a_problem_is_shown(start: Any) -> None:
    def drive(stop: threading.Event) -> None:
        raise Failed("disk.full", "The disk is full.", "free some space")

    site = start(background=drive)
    while (answer := site.ask("/healthz")).json()["line"] == "driving":
        pass
    assert answer.status == 503
    assert answer.json()["problem"] == "The disk is full. Next: free some space"
    assert "The line behind this page is retrying" in site.ask("/").text
