"""Finding by name, id and path in a real history; statistics as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from ecluse.cli.history_text import as_csv, stats_csv, stats_document, stats_text
from ecluse.clock import instant
from ecluse.history import History, stats
from ecluse.history.lookup import event_number, find
from ecluse.model import Change, ChangeState, Event, Landing, LandingState


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History.open(tmp_path, create=True)
    for name, source, files in (("c-one", "x/sync_cloud_1.json", ("src/été.py",)), ("c-two", "-", ("100%.txt",))):
        change = Change(
            f"{name}/1", name, 1, ChangeState.READY, name, "ada", "main", name, source, instant(), instant(),
            files=files, method="bundle", size_bytes=2048,
        )  # fmt: skip
        names = [f"{name}.patch"]
        made.record(change, Event("change.received", change.subject, name, data={"names": names}))
    landing = Landing(
        "l1", "c-one/1", LandingState.LANDED, "main", "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:02.500000Z"
    )
    made.record(landing, Event("landing.landed", landing.subject, "l1"))
    return made


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("sync_cloud_1", ["c-one"]),
        ("c-two.patch", ["c-two"]),
        ("C-ONE", ["c-one"]),
        ("src/été", ["c-one"]),
        ("SRC/ÉTÉ", ["c-one"]),
        ("src/e\u0301te\u0301", ["c-one"]),
        ("100%", ["c-two"]),
        ("10_%", []),
        ("c-", ["c-one", "c-two"]),
        ("nowhere", []),
    ],
)
def test_a_word_finds_by_name_id_and_path_and_is_never_a_pattern(history: History, word: str, ids: list[str]) -> None:
    assert sorted(change.id for change in find(history, word).changes) == ids


def test_an_event_by_its_number(history: History) -> None:
    assert event_number(history, 1) == history.events(limit=1)[0]
    assert event_number(history, 99) is None


def test_statistics_in_three_forms_say_the_same(history: History) -> None:
    found = stats.gather(history, 2)
    assert found.methods == {"bundle": 2}
    assert found.landing_ms == stats.Spread(1, 2500, 2500, 2500)
    rows = list(csv.DictReader(io.StringIO(stats_csv(found))))
    told = {(row["group"], row["name"], row["measure"]): float(row["value"]) for row in rows}
    assert told[("agent", "ada", "changes")] == 2
    assert told[("methods", "bundle", "count")] == 2
    assert told[("spread", "landing_ms", "median")] == 2500
    assert stats_document(found)["agents"][0]["landed_rate"] == 0
    text = stats_text(found)
    assert "ada" in text
    assert "2.50" in text


def test_a_formula_is_inert_in_csv() -> None:
    assert as_csv(("a",), [("=1+1",), ("x",), (-3,)]) == "a\n'=1+1\nx\n-3\n"
