"""The page of a release: every line as it was written, and below the lines that do something, what came of them."""

from __future__ import annotations

from dataclasses import replace

from ecluse import release
from ecluse.model import Event
from ecluse.release import woven

PAGE = """\
---
playbook: release
format: 1
environment: production
---

# Release

A | bar, <b>bold</b> and `code` stay as they are.

## Sequence

### [1] Try it — by human

- [ ] log in
- [ ] pay
- gate: go-live

### [2] Deploy — by system

  - uses: deploy.command
- then: ask question="Is it well?"

## Human gates

| Gate | Question | Who | Needs | Answers | If nobody answers |
|---|---|---|---|---|---|
| go-live | May it go live? | human | 1 | approve / back to fix | abort |

## Rollback

| When | Do | Ask first |
|---|---|---|
| deploy.command | previous version | no |
| ask | previous version | no |
"""


def notes(history, release_id: str) -> dict[str, str]:
    """What is said below which line of the page; the rest must be the page itself."""
    lines = woven.page(history, release_id)
    said: dict[str, str] = {}
    before = ""
    for line in lines:
        if line.state:
            said[before] = f"{line.state}: {line.said}"
        else:
            before = line.text
    return said


def test_the_page_stays_as_it_was_written_and_says_what_came_of_it(make_desk):
    desk = make_desk(page=PAGE)
    release_id = desk.start()
    desk.drive(release_id)
    lines = woven.page(desk.history, release_id)
    assert [line.text for line in lines if not line.state] == PAGE.splitlines()
    said = notes(desk.history, release_id)
    assert said["# Release"].startswith(f"waiting: {release_id}: ") and "gate go-live" in said["# Release"]
    assert said["- gate: go-live"].startswith("open: until ") and said["- gate: go-live"].endswith("silence: abort")
    assert set(said) == {"# Release", "- gate: go-live"}, "nothing is said of what has not begun"
    desk.approve(release_id, checked=("all",))
    desk.drive(release_id)
    texts = woven.text_of(woven.page(desk.history, release_id))
    assert "- [x] log in\n- [x] pay\n- gate: go-live\n  > **done** " in texts, "what was ticked is ticked"
    assert "  - uses: deploy.command\n    > **done** " in texts
    assert notes(desk.history, release_id)['- then: ask question="Is it well?"'].startswith("open")
    release.abort(desk.history, release_id, who="Ada", why="no")
    desk.drive(release_id)
    said = notes(desk.history, release_id)
    assert said["# Release"].startswith("rolled_back") and said['- then: ask question="Is it well?"'].startswith(
        "stopped"
    )


def test_a_page_that_this_version_cannot_read_is_shown_all_the_same(make_desk):
    desk = make_desk(page=PAGE)
    release_id = desk.start()
    found = desk.get(release_id)
    desk.history.record(replace(found, source="no page\n"), Event("test", found.subject, "another format"))
    assert woven.text_of(woven.page(desk.history, release_id)) == "no page"
