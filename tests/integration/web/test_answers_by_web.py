"""Nobody answers a gate through the dashboard: whatever a browser or a foreign page sends, the gate stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.history import History
from ecluse.model import Gate, Release

TRIES: list[tuple[str, str, str, dict[str, str], set[int]]] = [
    ("csrf-get", "GET", "/approve?id=rel-wait", {}, {404, 405}),
    ("csrf-get", "GET", "/api/releases/rel-wait/approve", {}, {404, 405}),
    ("csrf-json-text-plain", "POST", "/api/releases/rel-wait", {"Content-Type": "text/plain"}, {405, 415}),
    ("csrf-json-text-plain", "POST", "/releases/rel-wait", {"Content-Type": "application/json"}, {405, 415}),
    ("host-header", "GET", "/releases/rel-wait", {"Host": "evil"}, {400}),
    ("token-in-url", "POST", "/releases/rel-wait?token=00", {}, {401, 405}),
    ("mass-assignment", "PATCH", "/api/releases/rel-wait", {"Content-Type": "application/json"}, {405, 422}),
    ("mass-assignment", "PUT", "/api/changes/chg-good", {"Content-Type": "application/json"}, {405, 422}),
]


@pytest.mark.parametrize(("case", "method", "path", "headers", "statuses"), TRIES)
def test_nothing_is_answered(
    site: Any, filled: Any, case: str, method: str, path: str, headers: dict[str, str], statuses: set[int]
) -> None:
    with History.open(filled.repository.state_dir) as history:
        before = (history.find(Gate), history.find(Release), history.last_event())
    assert site.ask(path, method, **headers).status in statuses, case
    with History.open(filled.repository.state_dir) as history:
        assert (history.find(Gate), history.find(Release), history.last_event()) == before
