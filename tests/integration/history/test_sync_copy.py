"""``.sync/sync_history.db``: always what the history says, made again from nothing, and never in the way."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import sqlite3
import string
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.clock import instant
from ecluse.errors import Invalid
from ecluse.history import History
from ecluse.history.sync_copy import refresh
from ecluse.history.sync_old import import_old_rows, look
from ecluse.history.sync_records import EVENT_KINDS, STATUS, VERDICT_STATUS
from ecluse.model import Agent, Change, ChangeState, Event, Verdict


def rows(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM sync_records ORDER BY record_key")]


def put(history: History, name: str, state: ChangeState) -> Change:
    change = Change(
        f"{name}/1", name, 1, state, name, "ada", "refs/heads/main", name, f"/x/{name}.tar", instant(), instant(),
        files=("a", "b"), commits={"1" * 40: "1" * 40}, reason="why", size_bytes=9,
    )  # fmt: skip
    history.record(change, Event(f"change.{state}", change.subject, name))
    return change


def test_every_state_has_a_word_of_the_specification() -> None:
    assert set(ChangeState) <= set(STATUS)
    assert set(STATUS.values()) == {"success", "failed", "partial"}
    assert set(EVENT_KINDS) - {"sync.imported"} <= set(STATUS)
    page = (Path(__file__).parents[3] / "docs" / "history.md").read_text("utf-8")
    for name, word in STATUS.items():
        assert f"| `{name}` | {word} |" in page
    for verdict, word in VERDICT_STATUS.items():
        assert re.search(rf"^\| {verdict} \| `(\w+)` \| {word} \|$", page, flags=re.M)
        state = re.search(rf"^\| {verdict} \| `(\w+)`", page, flags=re.M)[1]
        assert STATUS[ChangeState(state)] == word
    assert set(VERDICT_STATUS) == set(Verdict)


def test_it_follows_the_history_and_can_be_made_again(history: History, tmp_path: Path) -> None:
    path = tmp_path / "sync_history.db"
    for state in ChangeState:
        put(history, f"c-{state}", state)
    assert refresh(history, path) == len(ChangeState) + 1  # an undo is a row of its own
    (undo,) = [row for row in rows(path) if row["sync_type"] == "undo"]
    assert undo["status"] == "success"
    assert {row["record_key"].split("/")[1][2:]: row["status"] for row in rows(path) if row != undo} == {
        state.value: STATUS[state] for state in ChangeState
    }
    assert refresh(history, path) == 0
    ready = history.get(Change, "c-ready/1")
    assert ready is not None
    landed = dataclasses.replace(ready, state=ChangeState.REJECTED)
    history.record(landed, Event("change.rejected", landed.subject, "no"))
    assert refresh(history, path) == 1
    row = next(one for one in rows(path) if one["record_key"] == "change/c-ready/1")
    assert (row["status"], row["error_message"], row["patch_name"]) == ("failed", "why", "c-ready.tar")
    assert (row["files_modified"], row["commits_count"], row["target_branch"]) == (2, 1, "main")
    before = [{**row, "id": 0} for row in rows(path)]
    path.unlink()
    refresh(history, path)
    assert [{**row, "id": 0} for row in rows(path)] == before
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["sync_history.db"]


def test_a_damaged_copy_is_put_aside_and_made_again(history: History, tmp_path: Path) -> None:
    path = tmp_path / "sync_history.db"
    put(history, "c-1", ChangeState.READY)
    path.write_bytes(b"this is no database, and long enough to be looked at" * 40)
    assert refresh(history, path) == 1
    assert len(list(tmp_path.glob("sync_history.db-damaged-*"))) == 1


def test_rows_of_another_tool_beside_ours_are_taken_in_once(
    history: History, tmp_path: Path, dice: random.Random
) -> None:
    path = tmp_path / "sync_history.db"
    put(history, "c-1", ChangeState.READY)
    refresh(history, path)
    assert not look(path).rows
    token = "gh" + "p_" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(36))
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "INSERT INTO sync_records (timestamp, agent, sync_type, patch_name, status, metadata) VALUES (?,?,?,?,?,?)",
            ("2025-10-10", "cloud", "export", "p.patch", "success", token),
        )
        other.commit()
    assert look(path).rows == 1
    assert import_old_rows(history, path) == 1
    assert not look(path).rows
    old = next(row for row in rows(path) if row["record_key"].startswith("sync/"))
    assert (old["timestamp"], old["agent"], old["sync_type"], old["patch_name"]) == (
        "2025-10-10", "cloud", "export", "p.patch",
    )  # fmt: skip
    assert token not in json.dumps(rows(path))
    assert token not in json.dumps([event.data for event in history.events()])
    assert import_old_rows(history, path) == 0


def test_an_older_tools_table_is_not_touched_by_a_refresh(history: History, tmp_path: Path) -> None:
    path = tmp_path / "sync_history.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE sync_records (id INTEGER PRIMARY KEY, agent TEXT)")
        other.commit()
    put(history, "c-1", ChangeState.READY)
    assert refresh(history, path) == 0
    assert (look(path).standing, look(path).rows) == ("old", 0)


def test_exports_and_refusals_are_recorded_where_there_is_a_history(
    bench: Any, history: History, tmp_path: Path
) -> None:
    bench.git("config", "ecluse.base", "HEAD")
    with pytest.raises(Invalid):
        intake.export_recorded(bench.repository, intake.ExportRequest(Agent("ada"), to=tmp_path / "o"))
    bench.write("new.txt", "new\n")
    bench.write(".env", "X=1\n")
    done = intake.export_recorded(bench.repository, intake.ExportRequest(Agent("ada"), to=tmp_path / "o"))
    refresh(history, tmp_path / "copy.db")
    failed, partial = sorted(rows(tmp_path / "copy.db"), key=lambda row: row["status"])
    assert (failed["status"], failed["sync_type"], failed["source_branch"]) == ("failed", "export", "main")
    assert "export.empty" in failed["error_message"]
    assert (partial["status"], partial["agent"], partial["files_modified"]) == ("partial", "ada", 1)
    assert ".env" in partial["error_message"]
    assert json.loads(partial["metadata"])["change_id"] == done.change_id
    assert partial["patch_name"].endswith(".patch")


def test_an_export_that_was_killed_is_on_record(bench: Any, history: History, monkeypatch: Any, tmp_path: Path) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ecluse.intake.exportlog.export", die)
    with pytest.raises(KeyboardInterrupt):
        intake.export_recorded(bench.repository, intake.ExportRequest(Agent("ada")))
    refresh(history, tmp_path / "copy.db")
    assert [(row["sync_type"], row["status"]) for row in rows(tmp_path / "copy.db")] == [("export", "partial")]


def test_without_a_history_an_export_leaves_a_log(bench: Any, tmp_path: Path) -> None:
    bench.git("config", "ecluse.base", "HEAD")
    with pytest.raises(Invalid):
        intake.export_recorded(bench.repository, intake.ExportRequest(Agent("ada"), to=tmp_path / "o"))
    (log,) = (bench.repository.state_dir / "logs").glob("export_*.log")
    assert json.loads(log.read_text())["code"] == "export.empty"
    bench.write("new.txt", "new\n")
    done = intake.export_recorded(bench.repository, intake.ExportRequest(Agent("ada")))
    logs = [json.loads(one.read_text()) for one in (bench.folder / ".sync/logs").glob("export_*.log")]
    assert [one["change_id"] for one in logs] == [done.change_id]
