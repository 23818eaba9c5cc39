"""The rows of ``sync_records``: all of them, the newest without reading the rest, and counted without making them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecluse.cli.history_text import stats_text, sync_document, syncs_csv, syncs_text
from ecluse.history import History, stats, sync_counts
from ecluse.history.sync_records import COLUMNS, TYPES, all_records, newest_records
from ecluse.landing.publish import facts_of
from ecluse.model import Change, ChangeState, Event

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: int) -> str:
    return f"{START + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.%f}Z"


@pytest.fixture
def busy(tmp_path: Path, dice: random.Random) -> History:
    """Everything that is a row, several times and mixed: also killed, merged later, of an older tool, and repeated."""
    history = History.open(tmp_path, create=True)
    for minute in range(300):
        _something(history, minute, dice)
    return history


def _something(history: History, minute: int, dice: random.Random) -> None:
    agent, name = f"agent{dice.randrange(4)} é", f"c{minute:03d}"

    def note(kind: str, subject: str, **data: object) -> None:
        history.note(Event(kind, subject, f"{kind} {name}", agent, data, at=at(minute)))

    what = dice.randrange(9)
    if what == 0:
        note("export.begun", f"export/{name}.1", patch_name=f"{name}.patch")
        if dice.random() < 0.7:
            left_out = [".env"] if dice.random() < 0.4 else []
            note("export.done", f"export/{name}.1", patch_name=f"{name}.patch", omissions=left_out)
    elif what == 1:
        note("export.refused", f"export/{name}.1", code="secret.found")
    elif what == 2:
        note("import.begun", f"import/{name}", patch_name=f"{name}.tar")
        if dice.random() < 0.5:
            note("import.refused", f"import/{name}", patch_name=f"{name}.tar")
    elif what == 3:
        note(dice.choice(["change.undone", "push.done", "push.failed", "change.refused"]), f"change/x{minute % 7}/1")
    elif what == 4:
        note("export.done", f"export/{name}.1", timestamp=at(minute - 200 if minute > 200 else 0))  # a journal, later
    elif what == 5:
        old = {"timestamp": "2025-10-10 12:00:00", "sync_type": dice.choice([*TYPES, "pull"]), "status": "success"}
        note("sync.imported", f"sync/{name}", **old)
    else:
        state = dice.choice(list(ChangeState))
        change = Change(f"{name}/1", name, 1, state, f"=cmd {name}", agent, "refs/heads/main", name, f"/in/{name}",
                        at(minute), at(minute))  # fmt: skip
        note("import.begun", f"import/{name}", patch_name=name)
        data = {"names": [f"{name}.json", f"{name}.patch"], "patch_name": f"{name}.patch"}
        history.record(change, Event("change.received", change.subject, "received", "me", data, at=at(minute)))
        note("import.done", f"import/{name}")


def test_the_newest_are_the_end_of_all(busy: History) -> None:
    every = all_records(busy)
    assert len(every) > 200
    for limit in (1, 7, 60, len(every), 1000):
        assert newest_records(busy, limit) == every[-limit:]


def test_counting_and_making_say_the_same(busy: History) -> None:
    made = Counter((row.agent, row.sync_type) for row in all_records(busy))
    status = Counter((row.agent, row.status) for row in all_records(busy))
    counted = sync_counts.by_agent(busy)
    assert len(counted) == 4
    for one in counted:
        assert [made[one.agent, kind] for kind in TYPES] == [one.exports, one.imports, one.undos, one.pushes]
        assert made[one.agent, "pull"] == one.others
        assert [status[one.agent, name] for name in ("success", "partial", "failed")] == [
            one.success, one.partial, one.failed,
        ]  # fmt: skip
    assert sum(made.values()) == sum(one.success + one.partial + one.failed for one in counted)


def test_rows_of_one_agent_or_status_and_their_forms(busy: History) -> None:
    rows = all_records(busy, agent="agent1 é", status="failed")
    assert rows
    assert {(row.agent, row.status) for row in rows} == {("agent1 é", "failed")}
    read = list(csv.DictReader(io.StringIO(syncs_csv(rows))))
    assert tuple(read[0]) == COLUMNS
    assert [row["timestamp"] for row in read] == [row.timestamp for row in rows]
    assert json.loads(read[0]["metadata"]) == sync_document(rows[0])["metadata"]
    text = syncs_text(all_records(busy))
    assert "c" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_folder_is_named_by_its_patch(busy: History) -> None:
    taken = [row for row in all_records(busy) if row.record_key.startswith("change/c")]
    assert taken
    assert all(row.patch_name.endswith(".patch") for row in taken)


def test_records_about_a_change_name_the_same_file(busy: History) -> None:
    row = next(row for row in all_records(busy) if row.record_key.startswith("change/c"))
    change = busy.get(Change, row.record_key.removeprefix("change/"))
    assert change is not None
    assert facts_of(busy, change)["patch_name"] == row.patch_name
    unheard = dataclasses.replace(change, key="never/1", source="C:\\in\\x.tar")
    assert facts_of(busy, unheard)["patch_name"] == "x.tar"


def test_whatever_was_no_success_says_why(busy: History) -> None:
    assert all(row.error_message for row in all_records(busy) if row.status != "success" and row.sync_type in TYPES)


def test_the_tables_of_statistics_fit_80_columns(busy: History) -> None:
    busy.note(Event("push.done", "landing/l", "pushed", "A Person With Many Names <person@example.invalid>"))
    text = stats_text(stats.gather(busy))
    assert "A Person With Man...  " in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_nothing_is_a_row_before_anything_happened(tmp_path: Path) -> None:
    history = History.open(tmp_path, create=True)
    assert (all_records(history), newest_records(history, 5), sync_counts.by_agent(history)) == ([], [], ())
