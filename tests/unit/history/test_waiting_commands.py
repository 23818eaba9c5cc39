"""What waits for a person, with the command that goes on; and releases whose page cannot be read any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecluse.cli.land import describe
from ecluse.errors import Waits
from ecluse.history import History, perform, waiting
from ecluse.history.journal import Probed
from ecluse.model import Change, ChangeState, Event, Gate, GateState, Landing, LandingState, Release, ReleaseState
from ecluse.web.outline import outline

AT = "2026-01-02T03:04:05.000006Z"
CHANGE = Change("c/1", "c", 1, ChangeState.READY, "title", "ada", "refs/heads/main", "", "", AT, AT)
LANDING = Landing("land-1", "c/1", LandingState.BLOCKED, "refs/heads/main", AT, AT)
RELEASE = Release("rel-1", ReleaseState.WAITING, "release", "", "no front matter", "", "prod", "ines", AT, AT)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.open(tmp_path, create=True)


def test_a_trusted_or_settled_change_waits_for_nobody() -> None:
    assert waiting.of_change(replace(CHANGE, trusted_by="key ada (agent)")) == []
    assert waiting.of_change(replace(CHANGE, wants_landing=True, trusted_by="key ada (agent)")) == []
    assert waiting.of_change(replace(CHANGE, state=ChangeState.LANDED)) == []


@pytest.mark.parametrize("asked", [True, False])
def test_an_unknown_agents_change_waits_for_a_review_whether_or_not_it_was_asked_to_land(asked: bool) -> None:
    (one,) = waiting.of_change(replace(CHANGE, wants_landing=asked))
    assert one.commands == ("ecluse review c/1 --accept --why TEXT", "ecluse review c/1 --reject --why TEXT")
    assert not one.in_order


def test_a_key_that_a_shell_would_read_is_quoted() -> None:
    (one,) = waiting.of_change(replace(CHANGE, key="$(id)/1", agent="$(rm)", state=ChangeState.CONFLICT))
    assert one.commands == ("ecluse sync '$(rm)' --to trunk.bundle", "ecluse show '$(id)/1'")
    for agent in ("", "--help"):
        (one,) = waiting.of_change(replace(CHANGE, agent=agent, state=ChangeState.CONFLICT))
        assert one.commands == ("ecluse show c/1",)


def test_a_landing_that_conflicts_says_how_its_agent_gets_the_trunk() -> None:
    said = describe(replace(LANDING, state=LandingState.FAILED, agent="ada", reason="why", blocked_paths=("a.py",)))
    assert "next: ecluse sync ada --to trunk.bundle" in said
    assert "next: ecluse show " in describe(replace(LANDING, state=LandingState.FAILED, agent="ada", reason="why"))


def test_a_blocked_landing_says_what_is_in_its_way() -> None:
    dirty = waiting.of_landing(replace(LANDING, blocked_paths=("a.py",)), CHANGE)
    assert dirty.commands == ("git stash push", "ecluse land c/1")
    assert "a.py" in dirty.why
    untrusted = waiting.of_landing(replace(LANDING, reason="not trusted"), CHANGE)
    assert untrusted.commands == ("ecluse review c/1 --accept --why TEXT", "ecluse land c/1")
    assert dirty.in_order and untrusted.in_order


def test_a_release_that_asks_names_the_step_to_settle(history: History) -> None:
    asking = replace(RELEASE, state=ReleaseState.ASKING)
    history.record(asking, Event("release.asking", asking.subject, "?"))

    def cut_short(plan: dict[str, object]) -> dict[str, object]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        perform(history, asking.subject, "notify.1", cut_short, probe=lambda plan: Probed(None))
    with pytest.raises(Waits):
        perform(history, asking.subject, "notify.1", cut_short, probe=lambda plan: Probed(None))
    (one,) = waiting.waiting(history)
    assert one.commands == ("ecluse release settle rel-1 notify.1 --happened yes|no",)


def test_a_release_that_waits_for_something_else_says_so_once(history: History) -> None:
    blocked = replace(RELEASE, reason="its landing is blocked")
    history.record(blocked, Event("release.waiting", blocked.subject, "?"))
    (one,) = waiting.waiting(history)
    assert (one.why, one.commands) == ("its landing is blocked", ("ecluse release status rel-1",))
    gate = Gate("gate-1", "rel-1", 1, "go", "Go?", ("approve", "reject"), GateState.OPEN, "", "", AT, AT)
    history.record(gate, Event("gate.opened", blocked.subject, "?"))
    (one,) = waiting.waiting(history)
    assert one.commands[0] == "ecluse release approve rel-1 --gate go"
    history.record(replace(blocked, state=ReleaseState.ABORTED), Event("release.aborted", blocked.subject, "?"))
    assert waiting.waiting(history) == []


def test_what_met_a_problem_is_stuck_until_it_goes_on(history: History) -> None:
    history.note(Event("line.problem", "run/r", "run/r cannot go on", data={"hint": "df -h"}))
    assert [(one.state, one.commands) for one in waiting.waiting(history)] == [("stuck", ("df -h",))]
    history.note(Event("run.started", "run/r", "goes on"))
    assert waiting.waiting(history) == []


def test_a_page_that_cannot_be_read_shows_what_was_recorded(history: History) -> None:
    kept = {
        str(position): {"number": position + 1, "title": f"Step {position}", "does": "x", "state": "done"}
        for position in range(11)
    }
    shown = outline(history, replace(RELEASE, outputs={"steps": kept}))
    assert not shown.readable
    assert [step.number for step in shown.steps] == list(range(1, 12))
    assert outline(history, replace(RELEASE, outputs={"steps": 3, "plan": None})).steps == ()
