"""Exports made without Écluse are in the history: from journals, from manifests; hostile journals hurt nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Problem
from ecluse.history import History
from ecluse.history.sync_copy import refresh
from ecluse.intake import journals
from ecluse.kit.pieces import script


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of the copy that scripts read."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM sync_records ORDER BY record_key")]


FIELDS = {"agent", "sync_type", "patch_name", "source_branch", "target_branch", "commits_count", "files_modified",
          "patch_size", "status", "error_message", "timestamp"}  # fmt: skip


@pytest.mark.parametrize("kind", ["py", "sh"])
def test_exports_without_ecluse_are_in_the_history_once(
    bench: Any, history: History, sandbox: Any, tmp_path: Path, kind: str
) -> None:
    box = sandbox()
    program = tmp_path / f"cloud-export.{kind}"
    program.write_bytes(script(program.name))
    words = [sys.executable if kind == "py" else "sh", str(program), "--agent", "a1"]
    assert subprocess.run(words, cwd=box.folder, capture_output=True).returncode == 2  # nothing to hand over
    box.commit("feat: b", b_dot_txt="b\n")
    subprocess.run(words, cwd=box.folder, capture_output=True, check=True)
    (bundle,) = (box.folder / ".sync" / "patches").glob("*.json")
    change = intake.receive_recorded(bench.repository, history, bundle, actor="me")
    intake.receive_recorded(bench.repository, history, bundle, actor="me")
    assert journals.merge(history, box.folder / ".sync" / "logs") == 0
    (done,) = history.events(kind="export.done")
    assert (done.actor, done.data["change_id"], done.data["revision"]) == ("a1", change.id, 1)
    (failed,) = history.events(kind="export.refused")
    assert failed.data["code"] == "export.empty"
    refresh(history, tmp_path / "copy.db")
    found = [row for row in rows(tmp_path / "copy.db") if row["sync_type"] == "export"]
    assert all(set(row) >= FIELDS for row in found)
    good = next(row for row in found if row["status"] == "success")
    assert (good["agent"], good["source_branch"], good["target_branch"]) == ("a1", "main", "main")
    assert (good["commits_count"], good["files_modified"], good["patch_name"][-6:]) == (1, 1, ".patch")
    assert good["patch_size"] > 0 and good["timestamp"] < history.events(kind="import.begun")[0].at
    refresh(history, tmp_path / "again.db")
    taken = next(row for row in rows(tmp_path / "again.db") if row["sync_type"] == "import")
    assert (taken["agent"], taken["target_branch"], taken["patch_name"]) == (
        "a1",
        "main",
        bundle.with_suffix(".patch").name,
    )
    bad = next(row for row in found if row["status"] == "failed")
    assert "nothing to hand over" in bad["error_message"]


def test_a_manifest_alone_tells_of_its_export(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.commit("feat: b", b_dot_txt="b\n")
    done = helpers.export(box, to=tmp_path / "x.tar")
    change = intake.receive_recorded(bench.repository, history, done.path, actor="me")
    (event,) = history.events(kind="export.done")
    assert (event.data["change_id"], event.data["journal"]) == (change.id, "its manifest")


def test_hostile_journals(bench: Any, history: History, helpers: Any, dice: Any, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    secret = helpers.fake_secret(dice)
    good = {"action": "export", "status": "success", "agent": "a1", "change_id": "chg-1", "revision": 1}
    files = {
        "export_1.log": json.dumps({**good, "message": f"key {secret}", "files": 10**30}),
        "export_2.log": json.dumps({**good, "revision": True, "path": ["x"], "agent": "a\x1b[2J\u202e"}),
        "export_3.log": "\n".join(json.dumps({**good, "revision": n}) for n in (2, 3)) + "\nnot json\n",
        "export_4.log": "[" * 100_000,
        "export_5.log": "x" * (journals.FILE_BYTES + 1),
        "export_6.log": json.dumps({"action": "import", "status": "success"}),
        "export_7.log": json.dumps({**good, "status": "excellent"}),
        "export_8.log": '{"action": "export", "status": "failed", "status": "success"}',
        "export_9.log": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    }
    for name, text in files.items():
        (logs / name).write_text(text)
    outside = tmp_path / "outside.log"
    outside.write_text(json.dumps({**good, "change_id": "chg-outside"}))
    (logs / "export_a.log").symlink_to(outside)
    (logs / "export_b.log").mkdir()
    assert journals.merge(history, logs) == 3
    assert journals.merge(history, logs) == 0
    told = json.dumps([[event.text, event.actor, event.data] for event in history.events(limit=100)])
    assert secret not in told and "chg-outside" not in told and "\\u001b" not in told and "\\u202e" not in told
    linked = tmp_path / "linked"
    linked.symlink_to(logs)
    assert journals.merge(history, linked) == 0


def test_a_refused_import_and_a_killed_one_are_on_record(
    bench: Any, history: History, monkeypatch: Any, tmp_path: Path
) -> None:
    with pytest.raises(Problem):
        intake.receive_recorded(bench.repository, history, tmp_path / "nothing.tar", actor="me")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ecluse.intake.importlog.receive", die)
    with pytest.raises(KeyboardInterrupt):
        intake.receive_recorded(bench.repository, history, tmp_path / "killed.tar", actor="me")
    refresh(history, tmp_path / "copy.db")
    found = {row["patch_name"]: (row["sync_type"], row["status"]) for row in rows(tmp_path / "copy.db")}
    assert found == {"nothing.tar": ("import", "failed"), "killed.tar": ("import", "partial")}


def test_the_tracker_merges_and_an_import_leaves_its_log(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    logs = bench.folder / ".sync" / "logs"
    logs.mkdir(parents=True)
    (logs / "export_1.log").write_text(
        json.dumps({"action": "export", "status": "failed", "code": "x.y", "agent": "z"})
    )
    tracker = tmp_path / "sync-tracker.py"
    tracker.write_bytes(script(tracker.name))
    done = subprocess.run(
        [sys.executable, str(tracker), "list"], cwd=bench.folder, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert "export  failed   z" in done.stdout
    box = sandbox()
    box.write("b.txt", "b\n")
    path = helpers.export(box, to=tmp_path / "o").path
    said = subprocess.run(
        [sys.executable, "-m", "ecluse", "import", str(path), "--json"],
        cwd=bench.folder,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    (log,) = logs.glob("import_*.log")
    assert json.loads(log.read_text())["change_id"] == json.loads(said.stdout)["change_id"]
