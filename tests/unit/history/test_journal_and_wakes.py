"""Effects exactly once, and subjects that are never forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.errors import Failed, Waits
from ecluse.history import History, journal, perform, wakes
from ecluse.history.journal import EffectState, Probed


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.open(tmp_path / "state", create=True)


def never(_: dict[str, object]) -> Probed:
    raise AssertionError("nothing was begun, so nothing is to be probed")


def test_done_is_done_once(history: History) -> None:
    calls: list[dict[str, object]] = []

    def do(plan: dict[str, object]) -> dict[str, object]:
        calls.append(plan)
        return {"tag": "v1"}

    for _ in range(3):
        assert perform(history, "release/r", "6:git.tag", do, probe=never, plan={"name": "v1"}) == {"tag": "v1"}
    assert calls == [{"name": "v1"}]
    kinds = [event.kind for event in history.events()]
    assert kinds == ["effect.begun", "effect.done"]


@pytest.mark.parametrize(("happened", "expected"), [(True, []), (False, ["again"])])
def test_cut_short_is_probed_before_it_is_repeated(history: History, happened: bool, expected: list[str]) -> None:
    def dies(_: dict[str, object]) -> dict[str, object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(history, "s", "step", dies, probe=never, plan={"name": "first"})
    calls: list[str] = []
    plans: list[object] = []

    def again(plan: dict[str, object]) -> dict[str, object]:
        calls.append("again")
        plans.append(plan["name"])
        return {"by": "do"}

    def probe(plan: dict[str, object]) -> Probed:
        plans.append(plan["name"])
        return Probed(happened, {"by": "probe"})

    result = perform(history, "s", "step", again, probe=probe, plan={"name": "second"})
    assert calls == expected
    assert result == {"by": "do" if expected else "probe"}
    assert set(plans) == {"first"}, "a retry uses the plan of the first try"


def test_what_cannot_be_seen_asks_a_person(history: History) -> None:
    def dies(_: dict[str, object]) -> dict[str, object]:
        raise Failed("x", "cut")

    with pytest.raises(Failed):
        perform(history, "release/r", "11:notify", dies, probe=never)
    with pytest.raises(Waits) as caught:
        perform(history, "release/r", "11:notify", dies, probe=lambda _: Probed(None))
    assert "ecluse release settle r 11:notify" in caught.value.hint
    journal.forget(history, "release/r", "11:notify", "a person looked")
    assert perform(history, "release/r", "11:notify", lambda _: {"sent": True}, probe=never) == {"sent": True}
    effect = journal.effect_of(history, "release/r", "11:notify")
    assert effect is not None and effect.state is EffectState.DONE


def test_due_and_to_come(history: History) -> None:
    wakes.wake_in(history, "b", 3600)
    wakes.wake(history, "a")
    assert wakes.due(history) == ["a"]
    wakes.wake_in(history, "a", 3600)
    assert wakes.due(history) == ["a"], "the earliest due time wins"
    wakes.cancel(history, "a")
    assert wakes.due(history) == []
    assert list(wakes.all_wakes(history)) == ["b"]


def test_claimed_is_dropped_when_finished_unless_woken_meanwhile(history: History) -> None:
    wakes.wake(history, "a")
    wakes.claim(history, "a")
    assert wakes.due(history) == []
    wakes.finish(history, "a")
    assert wakes.all_wakes(history) == {}
    wakes.wake(history, "a")
    wakes.claim(history, "a")
    wakes.wake_in(history, "a", 60)
    wakes.finish(history, "a")
    assert list(wakes.all_wakes(history)) == ["a"]


def test_a_claim_of_the_dead_is_due_again(history: History) -> None:
    wakes.wake(history, "a")
    wakes.claim(history, "a")
    assert wakes.claimed(history)
    wakes.reclaim(history)
    assert wakes.due(history) == ["a"]
