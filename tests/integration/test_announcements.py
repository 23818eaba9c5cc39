"""Messages about imports, refusals and landings, to a real web server: once each, without secrets, never in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ecluse import intake, line, notify
from ecluse.config import NotifyConfig
from ecluse.errors import Problem
from ecluse.history import History
from ecluse.model import Change, ChangeState, Event, Landing


class Webhook:
    """A receiver on this machine that keeps what it got."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def drive(bench: Any, history: History) -> None:
    while line.step(bench.repository, history):
        pass


def export(box: Any, to: Any) -> Any:
    from ecluse.model import Agent

    return intake.export(box.repository, intake.ExportRequest(Agent("a1"), to=to)).path


def clone(bench: Any, folder: Any) -> Any:
    box = type(bench)(folder)
    box.git("pull", "-q", f"file://{bench.folder}", "main")
    box.git("config", "ecluse.base", "HEAD")
    box.git("config", "ecluse.base", box.git("rev-parse", "HEAD"))
    return box


def test_import_landing_and_refusal_are_told_once(
    bench: Any, history: History, webhook: Webhook, tmp_path: Any
) -> None:
    bench.commit("open", ecluse_dot_toml=f'trust = "all"\n[notify]\nwebhook = "{webhook.url}"\n')
    box = clone(bench, tmp_path / "box")
    box.commit("feat: b", b_dot_txt="b\n")
    change = intake.receive_recorded(
        bench.repository, history, export(box, tmp_path / "o"), actor="me", wants_landing=True
    )
    drive(bench, history)
    assert [one["kind"] for one in webhook.got] == ["change.ready", "landing.landed"]
    assert webhook.got[0]["data"]["subject"] == f"change/{change.key}"
    assert webhook.got[1]["data"]["commit"] == bench.git("rev-parse", "main")
    box.commit("feat: bad path", CON_dot_txt="b\n")
    intake.receive_recorded(bench.repository, history, export(box, tmp_path / "p"), actor="me")
    drive(bench, history)
    with pytest.raises(Problem):
        intake.receive_recorded(bench.repository, history, tmp_path / "nothing", actor="me")
    line.announce(bench.repository, history)
    line.announce(bench.repository, history)
    assert [one["kind"] for one in webhook.got[2:]] == ["change.rejected", "import.refused"]
    assert webhook.got[3]["data"]["code"] == "file.missing"
    assert len(history.events(kind="notify.sent")) == 4


def test_no_secret_goes_out(bench: Any, history: History, webhook: Webhook, dice: Any) -> None:
    secret = "gh" + "p_" + "".join(dice.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(36))
    history.note(Event("change.rejected", "change/c/1", f"c/1 {secret}", secret, {"code": secret, "verdict": "reject"}))
    settings = NotifyConfig(webhook=webhook.url)
    assert notify.announce(history, lambda: settings) == 1
    assert secret not in json.dumps(webhook.got)
    assert webhook.got[0]["data"]["verdict"] == "reject"


def test_old_news_and_what_nobody_asked_for_stay_here(bench: Any, history: History, webhook: Webhook) -> None:
    history.note(Event("landing.red", "landing/l", "old", at="2020-01-01T00:00:00.000000Z"))
    history.note(Event("change.conflict", "change/c/1", "not asked for"))
    settings = NotifyConfig(webhook=webhook.url)
    assert notify.announce(history, lambda: settings) == 0
    assert webhook.got == []


def test_a_receiver_that_is_gone_hinders_no_landing(bench: Any, history: History, tmp_path: Any) -> None:
    bench.commit("open", ecluse_dot_toml='trust = "all"\n[notify]\nwebhook = "http://127.0.0.1:1/gone"\n')
    box = clone(bench, tmp_path / "box")
    box.commit("feat: b", b_dot_txt="b\n")
    intake.receive_recorded(bench.repository, history, export(box, tmp_path / "o"), actor="me", wants_landing=True)
    drive(bench, history)
    assert history.find(Change)[0].state is ChangeState.LANDED
    assert history.find(Landing)[0].state.value == "landed"
    assert [event.data["kind"] for event in history.events(kind="notify.failed")] == ["change.ready", "landing.landed"]


def test_apprise_is_told_where_it_is_installed_and_its_absence_is_said(history: History, webhook: Webhook) -> None:
    address = webhook.url.replace("http://", "json://")
    history.note(Event("landing.red", "landing/l", "red"))
    settings = NotifyConfig(apprise=(address,))
    assert notify.announce(history, lambda: settings) == 1
    failed = history.events(kind="notify.failed")
    try:
        import apprise  # type: ignore[import-not-found]
    except ImportError:
        assert "ecluse[notify]" in failed[0].text
    else:
        assert apprise and not failed and len(webhook.got) == 1
