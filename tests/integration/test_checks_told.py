"""Who is told when the checks of a branch fail and when they are green again: real servers on the loopback interface."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ecluse import line, notify
from ecluse.clock import instant
from ecluse.config import parse
from ecluse.history import History
from ecluse.history.requests import request_landing
from ecluse.model import Change, ChangeState, Event, Landing, LandingState

WORKFLOW = f"""\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: {sys.executable} -m pytest -q -p no:cacheprovider -c /dev/null --rootdir . --junitxml=junit.xml
"""


class Web:
    """Takes every POST; keeps path and document."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Post:
    """A mail server that takes one letter after the other."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 test\r\n")
                while line := self.rfile.readline():
                    word = line.split()[0].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        data = b""
                        while (row := self.rfile.readline()) != b".\r\n":
                            data += row
                        outer.letters.append(message_from_bytes(data, policy=policy.default))
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 good\r\n")
                    if word == b"QUIT":
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.server.shutdown()
    made.server.server_close()


def policy_text(web: Web, post: Post) -> str:
    return f"""
[notify]
webhook = "{web.url}/hook"
slack = "env:MY_SLACK"
telegram = {{ token = "env:MY_BOT", chat = "-100", api = "{web.url}" }}
mail = {{ server = "{post.url}", sender = "ecluse@example.invalid", to = ["team@example.invalid"] }}
events = ["checks.failed", "checks.recovered"]
"""


def land(bench: Any, history: History, name: str, test: str) -> Landing:
    """A ready change that makes the project's only test be ``test``, landed or red."""
    bench.git("checkout", "-q", "-b", name, "main")
    head = bench.commit(f"feat: {name}", test_it_dot_py=f"def test_it():\n    {test}\n", **{f"{name}_dot_txt": name})
    bench.git("checkout", "-q", "main")
    moment = instant()
    change = Change(
        f"{name}/1", name, 1, ChangeState.READY, name, "agent", "refs/heads/main", "d", "test", moment, moment
    )
    tree = bench.git("rev-parse", f"{head}^{{tree}}")
    base = bench.git("rev-parse", "main")
    change = dataclasses.replace(change, head=head, base=base, tree=tree, trusted_by="test")
    history.record(change, Event("change.ready", change.subject, "ready"))
    asked = request_landing(history, change, actor="me")

    def over() -> bool:
        found = history.get(Landing, asked.id)
        return found is not None and found.state.is_terminal

    line.drive(bench.repository, history, until=over)
    done = history.get(Landing, asked.id)
    assert done is not None
    return done


def test_failure_and_recovery_are_told_once_each(
    bench: Any, history: History, web: Web, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, path = "".join(["bot", "-token"]), "".join(["sl", "ack-path"])
    monkeypatch.setenv("MY_BOT", token)
    monkeypatch.setenv("MY_SLACK", f"{web.url}/{path}")
    bench.commit("ci", _dot_github__workflows__ci_dot_yml=WORKFLOW, ecluse_dot_toml=policy_text(web, post))
    first = land(bench, history, "good", "assert True")
    assert first.state is LandingState.LANDED, first.reason
    assert web.got == [] and post.letters == []

    red = land(bench, history, "bad", "assert 1 == 2, 'they differ'")
    assert red.state is LandingState.RED
    assert "failed test: test_it::test_it (" in red.reason and "they differ" in red.reason
    assert [where for where, _ in web.got] == ["/hook", f"/{path}", f"/bot{token}/sendMessage"]
    hook, slack, telegram = (document for _, document in web.got)
    assert hook["kind"] == "checks.failed" and hook["data"]["branch"] == "main" and hook["data"]["run"] == red.run
    assert "main failed (cause: test)" in slack["text"] and "test_it::test_it" in slack["text"]
    assert telegram["chat_id"] == "-100" and telegram["text"] == hook["text"]
    (letter,) = post.letters
    assert letter["To"] == "team@example.invalid" and letter["Subject"].startswith(
        "[ecluse] The checks for main failed"
    )
    assert "test_it::test_it" in letter.get_content()

    shown = said(bench, "show", red.run)
    assert "tests: 1, 1 failed" in shown and "test_it::test_it (test): AssertionError: they differ" in shown
    assert "\n".join(said(bench, "history", "stats").split("  ")).count("100.0 %") == 1

    assert land(bench, history, "mended", "assert True").state is LandingState.LANDED
    assert land(bench, history, "more", "assert True").state is LandingState.LANDED
    assert [document["kind"] for where, document in web.got if where == "/hook"] == [
        "checks.failed",
        "checks.recovered",
    ]
    assert len(post.letters) == 2 and "are green again" in post.letters[1]["Subject"]
    history.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = (bench.repository.state_dir / "history.db").read_bytes()
    assert token.encode() not in kept and path.encode() not in kept


def said(bench: Any, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ecluse", *words], cwd=bench.folder, capture_output=True, check=True
    )
    return done.stdout.decode()


def sent(text: str, message: str = "text") -> tuple[notify.Delivery, list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []
    settings = parse(text.encode()).notify
    delivery = notify.deliver(
        settings, notify.Message("checks.failed", message, {}), lambda way, why: heard.append((way, why))
    )
    return delivery, heard


def test_each_way_fails_for_itself(web: Web, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_SLACK", raising=False)
    monkeypatch.setenv("MY_BOT", "".join(["hid", "den"]))
    web.status = 403
    post.server.shutdown()
    post.server.server_close()
    delivery, heard = sent(policy_text(web, post))
    assert not delivery.sent
    assert [way for way, _ in heard] == ["webhook", "slack", "telegram", "mail"]
    why = dict(heard)
    assert why["webhook"] == "the webhook answered 403" and why["telegram"] == "Telegram answered 403"
    assert "MY_SLACK" in why["slack"] and "mail server" in why["mail"]
    assert "hidden" not in delivery.why
    unreachable = policy_text(web, post).replace(web.url, "http://127.0.0.1:9")
    assert "hidden" not in sent(unreachable)[0].why and "got no answer" in sent(unreachable)[0].why


def test_a_text_calls_nobody_and_breaks_no_header(web: Web, post: Post) -> None:
    text = f'[notify]\nslack = "{web.url}/s"\nmail = {{server = "{post.url}", sender = "a@b.invalid", to = ["c@d.invalid"]}}\n'
    delivery, heard = sent(text, "<!channel> & more\r\nBcc: evil@example.invalid\n\nbody")
    assert delivery.sent and heard == [("slack", ""), ("mail", "")]
    assert web.got[0][1]["text"].startswith("&lt;!channel&gt; &amp; more")
    (letter,) = post.letters
    assert letter["Bcc"] is None and letter["Subject"] == "[ecluse] <!channel> & more"


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_mail_server_that_proves_nothing_gets_no_mail(tmp_path: Path, scheme: str) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate that nobody signed")
    pair = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt"), "-subj", "/CN=localhost", "-days", "2"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        *pair,
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    heard: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.connection
            if scheme == "smtp+starttls":
                self.wfile.write(b"220 test\r\n")
                self.rfile.readline()
                self.wfile.write(b"250-test\r\n250 STARTTLS\r\n")
                self.rfile.readline()
                self.wfile.write(b"220 go on\r\n")
            with contextlib.suppress(ssl.SSLError, OSError), context.wrap_socket(line, server_side=True) as safe:
                safe.sendall(b"220 test\r\n")
                heard.append(safe.recv(100))

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        where = f"{scheme}://localhost:{server.server_address[1]}"
        mail = (
            f'mail = {{server = "{where}", sender = "a@b.invalid", to = ["c@d.invalid"], user = "u", password = "p"}}'
        )
        delivery, _ = sent(f"[notify]\n{mail}\n")
    finally:
        server.shutdown()
        server.server_close()
    assert not delivery.sent and "CERTIFICATE_VERIFY_FAILED" in delivery.why
    assert not any(heard)


def test_what_is_not_wanted_or_not_configured_is_not_sent(web: Web) -> None:
    assert sent("")[0] == notify.Delivery(False, "no webhook and no other way is configured")
    delivery, heard = sent(f'[notify]\nwebhook = "{web.url}"\nevents = ["release.done"]\n')
    assert not delivery.sent and heard == [] and web.got == []
    wrong = '[notify]\nmail = {server = "nonsense", sender = "a@b.invalid", to = ["c@d.invalid"]}\n'
    assert "no address of a mail server" in sent(wrong)[0].why
