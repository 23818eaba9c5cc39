"""The playbook incident to its end, and the post-mortem that a rollback begins."""

from __future__ import annotations

import pytest

from ecluse.errors import Invalid
from ecluse.kit.playbooks import page_of
from ecluse.model import Change, ChangeState, ReleaseState
from ecluse.release import postmortem


def approve(yard, release_id: str, steps: int) -> None:
    yard.approve(release_id, checked=tuple(str(n) for n in range(1, steps + 1)))


def test_an_incident_from_the_first_word_to_the_page(yard):
    assert yard.release().state is ReleaseState.DONE
    yard.write("playbooks/incident.md", page_of("incident"))
    yard.commit("docs: how we handle incidents")
    title = "Logins | fail <b>everywhere</b>"
    started = yard.start(playbook="incident", inputs={"title": title, "severity": "sev1"})
    waiting = yard.through_the_line(started)
    assert waiting.state is ReleaseState.WAITING and "mitigated" in waiting.reason, waiting.reason
    opened = waiting.outputs["steps"]["0"]
    assert opened["said"].startswith("SEV1 since ") and any("0.1.0" in one for one in opened["result"]["timeline"])
    assert "We know and are on it" in yard.texts(started)
    approve(yard, started, 3)
    yard.through_the_line(started)
    approve(yard, started, 2)
    done = yard.through_the_line(started)
    assert done.state is ReleaseState.DONE, done.reason
    (path,) = yard.git("ls-tree", "--name-only", "main", "docs/post-mortems/").split()
    assert path == f"docs/post-mortems/{done.created_at[:10]}-logins-fail-b-everywhere-b.md"
    text = yard.git("show", f"main:{path}")
    assert "severity: SEV1" in text and "not for somebody to blame" in text and "- production: 0.1.0 (live)" in text
    assert "is live" in text and "gate mitigated" in text and "fail &lt;b>" not in text.split("## ")[2]


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
