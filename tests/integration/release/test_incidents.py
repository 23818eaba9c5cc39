"""The playbook incident to its end, and the post-mortem that a rollback begins."""

from __future__ import annotations

import pytest

from ecluse import release
from ecluse.errors import Invalid
from ecluse.kit.playbooks import page_of
from ecluse.model import Change, ChangeState, ReleaseState
from ecluse.release import holds, postmortem
from ecluse.trunk import open_trunk


def approve(yard, release_id: str, steps: int) -> None:
    yard.approve(release_id, checked=tuple(str(n) for n in range(1, steps + 1)))


def told(yard, release_id: str) -> list[str]:
    """The numbers of the steps that a run came by, and which of them it left out."""
    steps = yard.get(release_id).outputs["steps"].values()
    return [f"{step['number']}{' left out' if step['state'] == 'skipped' else ''}" for step in steps]


def opened(yard, **inputs: str) -> str:
    """An incident that waits for a person to say that it is over."""
    yard.write("playbooks/incident.md", page_of("incident"))
    yard.commit("docs: how we handle incidents")
    started = yard.start(playbook="incident", inputs=inputs)
    waiting = yard.through_the_line(started)
    assert waiting.state is ReleaseState.WAITING, waiting.reason
    return started


def test_an_incident_from_the_first_word_to_the_page(yard):
    assert yard.release().state is ReleaseState.DONE
    title = "Logins | fail <b>everywhere</b>"
    started = opened(yard, title=title, severity="sev1", lead="Ada")
    waiting = yard.get(started)
    assert "sev1" in waiting.reason and waiting.inputs["severity"] == "SEV1"
    assert any("0.1.0" in one for one in waiting.outputs["steps"]["0"]["result"]["timeline"])
    assert "everybody who is needed is on it; Ada leads" in yard.texts(started)
    frozen = holds.frozen(open_trunk(yard.repository), yard.history, "production")
    assert frozen is not None and frozen.why == f"SEV1: {title} (said by {started})"
    yard.commit("feat: something else that is ready to go")
    other = yard.start()
    yard.drive(other, until=lambda found: found.state.waits_for_person)
    yard.approve(other)
    kept_out = yard.drive(other, until=lambda found: "frozen" in found.reason or found.state.is_terminal)
    assert "is frozen until" in kept_out.reason and yard.ask()[1]["version"] == "0.1.0"
    approve(yard, started, 6)
    yard.through_the_line(started)
    assert holds.frozen(open_trunk(yard.repository), yard.history, "production") is None, "over: others may go on"
    assert yard.drive(other).state is ReleaseState.DONE, "and they do, by themselves"
    approve(yard, started, 2)
    done = yard.through_the_line(started)
    assert done.state is ReleaseState.DONE, done.reason
    assert told(yard, started) == ["1", "2", "3", "4", "5 left out", "6 left out", "7 left out", "8", "9", "10", "11"]
    (path,) = yard.git("ls-tree", "--name-only", "main", "docs/post-mortems/").split()
    assert path == f"docs/post-mortems/{done.created_at[:10]}-logins-fail-b-everywhere-b.md"
    text = yard.git("show", f"main:{path}")
    assert "severity: SEV1" in text and "not for somebody to blame" in text and "- lead: Ada" in text
    assert "is live" in text and "gate sev1" in text and "fail &lt;b>" not in text.split("## ")[2]


def test_the_severity_chooses_the_steps(yard):
    much = opened(yard, title="much broken")
    assert "sev2" in yard.get(much).reason and "today" in yard.texts(much)
    assert holds.standing(yard.history) == [], "only SEV1 keeps others away"
    release.answer(yard.repository, yard.history, much, None, "worse", who="Ada", how="typed", why="it spreads")
    over = yard.through_the_line(much)
    assert over.state is ReleaseState.ABORTED and "answered worse" in over.reason
    little = opened(yard, title="little broken", severity="SEV3")
    approve(yard, little, 4)
    done = yard.through_the_line(little)
    assert done.state is ReleaseState.DONE, done.reason
    run = [one for one in told(yard, little) if "left out" not in one]
    assert run == ["1", "7"] and "We know" not in yard.texts(little)
    assert not yard.git("ls-tree", "--name-only", "main", "docs/post-mortems/"), "no page for what is little broken"
    with pytest.raises(Invalid, match="is SEV1, SEV2, SEV3, not 'SEV4'") as caught:
        yard.start(playbook="incident", inputs={"title": "x", "severity": "SEV4"})
    assert caught.value.code == "release.input" and "--input severity=SEV" in (caught.value.hint or "")


def test_a_release_that_went_back_has_its_page_ready_and_the_trunk_stays(yard):
    yard.release()
    yard.commit(
        "feat: worse", service_dot_py=(yard.folder / "service.py").read_text().replace('200, "hello"', '500, "hello"')
    )
    over = yard.release()
    assert over.state is ReleaseState.ROLLED_BACK, over.reason
    tip = yard.git("rev-parse", "main")
    page = next(change for change in yard.history.find(Change) if change.title.startswith("docs(post-mortem)"))
    assert page.state is ChangeState.READY and f"ecluse land {page.key}" in over.reason
    assert not page.wants_landing and yard.git("rev-parse", "main") == tip
    text = yard.git("show", f"{page.head}:{page.files[0]}")
    assert "rolled back because: " in text and "before it 0.1.0" in text and "| when (UTC) | what |" in text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("", "SEV1", ""), "incident.title"),
        (("x", "SEV9", ""), "incident.severity"),
        (("x", "SEV1", "now"), "incident.since"),
    ],
)
def test_what_is_said_of_an_incident_is_checked(words, code):
    with pytest.raises(Invalid) as caught:
        postmortem.incident(*words)
    assert caught.value.code == code
    assert postmortem.incident("x", "sev2", "2026-01-02T03:04Z").since == "2026-01-02T03:04:00.000Z"
    assert postmortem.path_of("2026-01-02", "Été: ../../x") == "docs/post-mortems/2026-01-02-ete-x.md"
