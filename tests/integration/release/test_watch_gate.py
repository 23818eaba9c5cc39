"""The gate that a watch ends at: open while the watch lasts, a no counts at once, a yes when the window is over."""

from __future__ import annotations

from typing import Any

from ecluse import process, release
from ecluse.model import Gate, GateState, ReleaseState

ROW = "| watch | Is {version} well in {environment}? | human | 1 | OK / rollback → rollback | rollback after 1 h |\n"


def ready(yard: Any, window: str) -> None:
    """The template's page with a person at the end of its watch."""
    page = (yard.folder / "playbooks/release.md").read_text()
    page = page.replace(
        "- uses: watch window=0.4 every=0.1\n", f"- uses: watch window={window} every=0.1\n- gate: watch\n"
    )
    page = page.replace("| abort |\n\n## Rollback", f"| abort |\n{ROW}\n## Rollback")
    assert page.count("| rollback after 1 h |") == page.count("- gate: watch") == 1
    yard.commit("docs: somebody looks", playbooks__release_dot_md=page)


def watched(yard: Any) -> Gate:
    """Drive to where the watch runs; its gate."""
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    open_ones = lambda: yard.history.find(Gate, release=release_id, name="watch", state=GateState.OPEN)  # noqa: E731
    yard.drive(release_id, until=lambda r: bool(open_ones()) and yard.services() != [])
    return open_ones()[0]


def test_whoever_sees_that_it_is_ill_says_so_before_the_window_is_over(yard: Any) -> None:
    ready(yard, "600")
    gate = watched(yard)
    assert gate.question == "Is 0.1.0 well in production?", "words are filled in"
    assert yard.get(gate.release).state is ReleaseState.RUNNING
    assert f"ecluse release reject {gate.release} --gate watch" in release.status(yard.history, gate.release)["next"]
    words = {"who": "Ada", "how": "typed", "why": "orders are missing"}
    release.answer(yard.repository, yard.history, gate.release, "watch", "rollback", **words)
    over = yard.drive(gate.release)
    assert over.state is ReleaseState.ROLLED_BACK and "orders are missing" in over.reason, over.reason
    assert yard.services() == [] and yard.ask() == (0, {})
    jobs = (yard.repository.state_dir / "releases" / gate.release).glob("*watch*")
    assert {process.job_status(job).state for job in jobs} <= {process.JobState.EXITED, process.JobState.LOST}


def test_a_yes_counts_when_the_window_is_over(yard: Any) -> None:
    ready(yard, "2")
    gate = watched(yard)
    release.answer(yard.repository, yard.history, gate.release, "watch", "OK", who="Ada", how="typed")
    assert yard.get(gate.release).state is ReleaseState.RUNNING
    over = yard.drive(gate.release)
    assert over.state is ReleaseState.DONE, over.reason
    looked = next(step for step in over.outputs["steps"].values() if step["does"] == "watch")["result"]
    assert looked["rounds"] > 1, "the window was looked at to its end"
    assert [made.state for made in yard.history.find(Gate, release=gate.release, name="watch")] == [GateState.ANSWERED]
