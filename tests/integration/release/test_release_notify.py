"""Messages to a real webhook: sent once, never in the way, asked about when cut short."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecluse import release
from ecluse.errors import Invalid
from ecluse.model import ReleaseState

DRIVER = Path(__file__).with_name("driver.py")


def test_gate_announcements_and_end_are_sent_and_the_address_is_kept_nowhere(make_yard, webhook):
    yard = make_yard(webhook=webhook.url)
    done = yard.release()
    assert done.state is ReleaseState.DONE
    assert webhook.kinds == ["gate.opened", "release.announced", "release.announced", "release.done"]
    assert "0.1.0 is live" in webhook.got[1]["text"] and webhook.got[1]["data"]["release"] == done.id
    yard.history.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert webhook.token.encode() not in (yard.repository.state_dir / "history.db").read_bytes()


@pytest.mark.parametrize("status", [500, None])
def test_a_webhook_that_fails_is_recorded_and_hinders_nothing(make_yard, webhook, status):
    if status is None:
        webhook.server.server_close()
        webhook.server.shutdown()
    else:
        webhook.status = status
    yard = make_yard(webhook=webhook.url)
    done = yard.release()
    assert done.state is ReleaseState.DONE
    failed = [e for e in yard.history.events(subject=done.subject, limit=1000) if e.kind == "notify.failed"]
    assert len(failed) == 4 and not any(webhook.token in e.text for e in failed)
    assert "kept in the history only" in yard.texts(done.id)


@pytest.mark.parametrize(("happened", "announced"), [(True, 1), (False, 2)])
def test_an_announcement_cut_short_is_asked_about(make_yard, webhook, happened, announced):
    yard = make_yard(webhook=webhook.url)
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    words = [sys.executable, str(DRIVER), str(yard.folder), release_id, "done", "11.notify"]
    assert subprocess.run(words, capture_output=True).returncode == -signal.SIGKILL
    asking = yard.drive(release_id)
    assert asking.state is ReleaseState.ASKING
    assert f"ecluse release settle {release_id} 11.notify --happened yes|no" in asking.reason
    assert release.status(yard.history, release_id)["questions"] == ["11.notify"]
    with pytest.raises(Invalid, match="not in question"):
        release.settle(yard.history, release_id, "6.git.tag", True, who="Ada")
    release.settle(yard.history, release_id, "11.notify", happened, who="Ada")
    assert yard.drive(release_id).state is ReleaseState.DONE
    first = [m for m in webhook.got if m["kind"] == "release.announced" and m["data"]["template"] == "announcement"]
    assert len(first) == announced
