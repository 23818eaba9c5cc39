"""The JSON documents, over real HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from ecluse.history import History, search


@pytest.mark.parametrize("words", ["agent-ada", "gate", "filling PLAN", "nothing-has-this", "", '" OR 1=1 *', "café"])
def test_memory_is_the_same_search_as_ours(site: Any, words: str) -> None:
    answer = site.ask(f"/memory/query?q={quote(words)}&limit=7")
    assert answer.status == 200
    with History.open(site.filled.repository.state_dir) as history:
        found = search.find(history, words, 7)
    names = ("number", "at", "kind", "subject", "text", "actor")
    assert answer.json() == {
        "schema_version": 1,
        "query": words,
        "results": [{name: getattr(event, name) for name in names} for event in found],
    }
    if words == "gate":
        assert found


@pytest.mark.parametrize(
    ("path", "noun", "key"),
    [
        ("/api/changes/chg-good", "change", "key"),
        ("/api/changes/chg-good/1", "change", "key"),
        ("/api/runs/run-red", "run", "id"),
        ("/api/landings/land-good", "landing", "id"),
        ("/api/releases/rel-back", "release", "id"),
    ],
)
def test_a_noun_is_given_whole(site: Any, path: str, noun: str, key: str) -> None:
    document = site.ask(path).json()
    assert document["schema_version"] == 1
    assert document[noun][key] in path + "/1"
    assert document["events"]


def test_undecodable_names_and_hostile_titles_are_plain_json(site: Any) -> None:
    files = site.ask("/api/changes/chg-good").json()["change"]["files"]
    assert files[2] == "docs/caf\\udce9.md"
    assert site.ask("/api/changes/chg-hostile").json()["change"]["title"].startswith("<script>")


def test_a_gates_nonce_stays_here(site: Any) -> None:
    gates = site.ask("/api/releases/rel-wait").json()["gates"]
    assert gates[0]["state"] == "open"
    assert gates[0]["nonce"] == ""


def test_events_can_be_followed(site: Any) -> None:
    first = site.ask("/api/events?limit=5").json()
    assert [event["number"] for event in first["events"]] == [1, 2, 3, 4, 5]
    after = site.ask(f"/api/events?after={first['last']}&limit=2").json()
    assert [event["number"] for event in after["events"]] == [6, 7]
    end = site.ask("/api/events?after=100000").json()
    assert end == {"schema_version": 1, "events": [], "last": 100000}
    kinds = {event["kind"] for event in site.ask("/api/events?kind=landing").json()["events"]}
    assert kinds == {"landing.landed", "landing.red", "landing.testing", "landing.blocked"}


def test_the_line_in_one_document(site: Any) -> None:
    document = site.ask("/api/line").json()
    assert document["locks"][2] == {"name": "landing", "counts": {"blocked": 1, "testing": 1}}
    assert "ecluse land chg-blocked/1" in [command for one in document["waiting"] for command in one["commands"]]


def test_the_api_describes_itself(site: Any) -> None:
    document = site.ask("/openapi.json").json()
    assert document["info"]["title"] == "Écluse"
    assert set(document["paths"]) == {
        "/healthz",
        "/memory/query",
        "/api/events",
        "/api/line",
        "/api/changes/{id}",
        "/api/changes/{id}/{revision}",
        "/api/runs/{id}",
        "/api/landings/{id}",
        "/api/releases/{id}",
    }
    assert all(set(operations) == {"get"} for operations in document["paths"].values())
