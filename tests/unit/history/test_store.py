"""The history: records with their events, rows with their nouns, migrations with their backups."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecluse.errors import Failed, Invalid
from ecluse.history import History, schema, search
from ecluse.history.records import TABLES, from_row, to_row
from ecluse.model import Change, ChangeState, Event, Finding, Landing, LandingState, Verdict


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.open(tmp_path / "state", create=True)


def change(key: str = "c-1/1", **values: object) -> Change:
    base = Change(
        key=key,
        id=key.partition("/")[0],
        revision=int(key.partition("/")[2]),
        state=ChangeState.READY,
        title="a title",
        agent="agent1",
        target="refs/heads/main",
        digest="d",
        source="bundle",
        created_at="2026-01-01T00:00:00.000000Z",
        updated_at="2026-01-01T00:00:00.000000Z",
    )
    return dataclasses.replace(base, **values)


def test_tables_have_exactly_the_fields_of_their_nouns(history: History) -> None:
    for noun, (table, key) in TABLES.items():
        columns = [row[1] for row in history.execute(f"PRAGMA table_info({table})")]
        assert columns == [field.name for field in dataclasses.fields(noun)], table
        assert key in columns


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    title=st.text(alphabet=st.characters(blacklist_categories=("Cs",))),
    findings=st.lists(
        st.builds(
            Finding,
            code=st.text("abc."),
            verdict=st.sampled_from(Verdict),
            message=st.text("xyz é"),
            line=st.integers(0, 9),
        )
    ),
    commits=st.dictionaries(st.text("abc"), st.text("def")),
    wants=st.booleans(),
    verdict=st.none() | st.sampled_from(Verdict),
)
def test_a_change_comes_back_as_it_was(
    title: str, findings: list[Finding], commits: dict[str, str], wants: bool, verdict: Verdict | None
) -> None:
    before = change(
        title=title, findings=tuple(findings), commits=commits, wants_landing=wants, verdict=verdict, files=("a", "b")
    )
    assert from_row(Change, tuple(to_row(before))) == before


def test_undecodable_names_are_stored_as_escapes(history: History) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    history.record(change(title=name, files=(name,)), Event("change.ready", "change/c-1/1", name))
    found = history.get(Change, "c-1/1")
    assert found is not None
    assert found.title == "caf\\udce9"
    assert history.events()[0].text == "caf\\udce9"


def test_record_and_event_are_one_transaction(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("cut")

    monkeypatch.setattr(search, "add", broken)
    with pytest.raises(RuntimeError):
        history.record(change(), Event("change.ready", "change/c-1/1", "t"))
    assert history.get(Change, "c-1/1") is None
    assert history.events() == []


def test_nested_transactions_are_one(history: History) -> None:
    with pytest.raises(RuntimeError), history.transaction():
        history.record(change(), Event("change.ready", "change/c-1/1", "t"))
        raise RuntimeError("cut")
    assert history.get(Change, "c-1/1") is None
    history.record(change(), Event("change.ready", "change/c-1/1", "t"))
    assert history.get(Change, "c-1/1") is not None


def test_newest_is_the_newest_script() -> None:
    assert max(schema.migrations()) == schema.NEWEST
    assert list(schema.migrations()) == list(range(1, schema.NEWEST + 1))


def test_settings_that_keep_what_was_said(history: History) -> None:
    assert history.execute("PRAGMA journal_mode")[0][0] == "wal"
    assert history.execute("PRAGMA synchronous")[0][0] == 2


def test_find_match_count_and_order(history: History) -> None:
    for n, state in enumerate([LandingState.QUEUED, LandingState.RED, LandingState.QUEUED]):
        one = Landing(f"land-{n}", "c-1/1", state, "refs/heads/main", f"2026-01-0{n + 1}T00:00:00.000000Z", "x")
        history.record(one, Event("landing.x", one.subject, "t"))
    assert [one.id for one in history.find(Landing, state=LandingState.QUEUED)] == ["land-0", "land-2"]
    assert [one.id for one in history.find(Landing, newest_first=True, limit=1)] == ["land-2"]
    assert history.count(Landing, state=LandingState.RED) == 1
    assert [one.id for one in history.match(Landing, "land-1")] == ["land-1"]
    assert history.match(Landing, "land_") == []


def test_events_by_subject_kind_and_number(history: History) -> None:
    history.note(Event("landing.red", "landing/a", "one"))
    history.note(Event("landing.landed", "landing/b", "two"))
    history.note(Event("landings", "landing/ab", "three"))
    assert [e.text for e in history.events(kind="landing")] == ["one", "two"]
    assert [e.text for e in history.events(subject="landing/a")] == ["one"]
    assert [e.text for e in history.events(subject="landing")] == ["one", "two", "three"]
    assert [e.text for e in history.events(after=2)] == ["three"]
    assert [e.text for e in history.events(without={"landing.red", "landings"})] == ["two"]
    assert [e.number for e in history.events(newest_first=True, limit=1)] == [3]


def test_search_takes_words_never_a_query_language(history: History) -> None:
    history.note(Event("landing.red", "landing/a", "Le déploiement a échoué", data={"who": "agent7"}))
    assert len(search.find(history, "deploiement ECHOUE")) == 1
    assert len(search.find(history, "agent7")) == 1
    assert len(search.find(history, "deplo")) == 1
    assert search.find(history, 'NOT "') == []
    assert search.find(history, "déploiement absent") == []
    assert search.find(history, "'; DROP TABLE events; --") == []


def test_not_initialised_names_init(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        History.open(tmp_path)
    assert caught.value.hint == "ecluse init"


def test_damaged_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"this is no database" * 500)
    with pytest.raises(Failed) as caught:
        History.open(tmp_path)
    assert caught.value.code == "history.damaged"


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    History.open(tmp_path, create=True).close()
    with sqlite3.connect(tmp_path / "history.db") as connection:
        connection.execute("PRAGMA user_version = 9000")
    with pytest.raises(Failed) as caught:
        History.open(tmp_path)
    assert caught.value.code == "history.newer"


def test_each_migration_is_backed_up_first_and_whole_or_not_at_all(tmp_path: Path) -> None:
    with History.open(tmp_path, create=True) as history:
        history.note(Event("k", "s", "kept"))
    connection = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    at = schema.NEWEST
    scripts = {
        **schema.migrations(),
        at + 1: "CREATE TABLE extra (a TEXT); INSERT INTO extra VALUES ('x;y');",
        at + 2: "CREATE TABLE extra (b TEXT);",
    }
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, tmp_path / "history.db", scripts)
    assert schema.version_of(connection) == at + 1
    assert connection.execute("SELECT a FROM extra").fetchall() == [("x;y",)]
    copies = sorted(p.name.rsplit("-", 2)[0] for p in (tmp_path / "backups").iterdir())
    assert copies == [f"history-before-{number:04}" for number in (at + 1, at + 2)]
    first = next((tmp_path / "backups").glob(f"history-before-{at + 1:04}*"))
    with sqlite3.connect(first) as copy:
        assert copy.execute("SELECT text FROM events").fetchall() == [("kept",)]
        assert copy.execute("PRAGMA user_version").fetchone() == (at,)
