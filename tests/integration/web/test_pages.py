"""Every page, over real HTTP, from a history that holds every noun."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest

PAGES = [
    "/",
    "/changes",
    "/changes/chg-good",
    "/changes/chg-good/1",
    "/changes/chg-hostile",
    "/runs",
    "/runs/run-red",
    "/runs/run-green",
    "/landings",
    "/landings/land-good",
    "/landings/land-blocked",
    "/releases",
    "/releases/rel-back",
    "/releases/rel-wait",
    "/stats",
    "/search",
    "/search?q=agent",
]
VOID = {"meta", "link", "input", "br", "rect", "path"}


class Outline(HTMLParser):
    """Collects tags, attributes and text, and notices what is opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.text += " "
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    outline.close()
    outline.text = " ".join(outline.text.split())
    return outline


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_needs_nothing_from_elsewhere(site: Any, path: str) -> None:
    answer = site.ask(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    outline = read(answer.text)
    assert outline.open == []
    for tag, attributes in outline.tags:
        assert tag not in ("script", "style", "iframe", "b")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src", "action"):
            target = attributes.get(name)
            assert target is None or re.match(r"(/(?!/)|#)", target), f"{path} leads to {target}"


def test_every_link_of_every_page_leads_somewhere(site: Any) -> None:
    seen: set[str] = set()
    queue = list(PAGES)
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = site.ask(path)
        assert answer.status in (200, 303), f"{path}: {answer.status}"
        if answer.status == 200 and "text/html" in answer.headers["content-type"]:
            links = [a["href"] for tag, a in read(answer.text).tags if tag in ("a", "link") and a.get("href")]
            queue += [html.unescape(str(link)) for link in links if not str(link).startswith("#")]
    assert "/runs/run-red/jobs/1/log" in seen
    assert "/gates/gate-wait" in seen


def test_the_line_says_first_what_waits_for_a_person_and_what_to_type(site: Any) -> None:
    text = read(site.ask("/").text).text
    for command in (
        "ecluse review chg-hostile/1 --accept --why TEXT",
        "ecluse show chg-clash/1",
        "ecluse land chg-blocked/1",
        "ecluse release approve rel-wait --gate go-live",
    ):
        assert 0 < text.index(command) < text.index("The line now")
    assert "landing/land-now cannot go on: the disk is full" in text
    for lock in ("Intake", "Checks", "Landing", "Release"):
        assert lock in text[text.index("The line now") :]
    assert "chg-fresh/1 is received" in text[text.index("Last events") :]


def test_the_line_comes_again_while_something_moves(site: Any) -> None:
    assert site.ask("/").headers["refresh"] == "15"
    assert site.ask("/runs/run-now").headers["refresh"] == "5"
    assert "refresh" not in site.ask("/runs/run-red").headers
    assert "refresh" not in site.ask("/releases/rel-wait").headers


def test_a_change_shows_its_facts(site: Any) -> None:
    text = read(site.ask("/changes/chg-good").text).text
    for fact in (
        "Add a filling plan for chains of locks",
        "verdict accept",
        "agent-ada",
        "key ada (agent)",
        "service/locks.py",
        "docs/caf\\udce9.md",
        ".env sensitive file",
        "2 commits",
        "land-good on main",
        "Left: gates wider than 12 m.",
        "success minimal 12 ms",
    ):
        assert fact in text


def test_without_a_revision_the_newest_is_shown_with_ways_to_the_others(site: Any) -> None:
    answer = site.ask("/changes/chg-good2")
    assert "Add a better plan" in answer.text
    assert 'href="/changes/chg-good2/1"' in answer.text
    assert "<h1><bdi>Add a plan</bdi></h1>" in site.ask("/changes/chg-good2/1").text


@pytest.mark.parametrize("path", ["/", "/changes", "/changes/chg-hostile", "/stats", "/search?q=quarantined"])
def test_a_hostile_title_is_only_text(site: Any, path: str) -> None:
    page = site.ask(path).text
    assert "<script" not in page
    assert "<b>" not in page
    assert "\u202e" not in page
    if path != "/stats":
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "⟨U+202E⟩" in page


def test_a_hostile_search_is_only_text(site: Any) -> None:
    page = site.ask("/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script" not in page
    assert "&#34;&gt;&lt;script&gt;" in page


def test_a_run_shows_jobs_steps_and_the_failing_end_open(site: Any) -> None:
    page = site.ask("/runs/run-red").text
    outline = read(page)
    assert "2 Run <tests> failure 1 min 01 s" in outline.text
    assert "AssertionError: 3 != 4" in outline.text
    assert "gates do not close service/locks.py:7" in outline.text
    assert [a for tag, a in outline.tags if tag == "details" and "open" in a]
    assert "FAILED test_gates <b>" in outline.text
    assert "\x1b" not in page


def test_a_log_is_downloaded_as_it_is(site: Any) -> None:
    answer = site.ask("/runs/run-red/jobs/1/log")
    assert answer.status == 200
    assert answer.body == site.filled.log.read_bytes()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="run-red-1-test.log"'
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("index", ["0", "7", "-1", "x"])
def test_a_log_outside_the_runs_own_folders_is_not_given(site: Any, index: str) -> None:
    answer = site.ask(f"/runs/run-red/jobs/{index}/log")
    assert answer.status == 404
    assert b"repositoryformatversion" not in answer.body


def test_a_log_that_is_gone_is_said_to_be_gone(own_site: Any) -> None:
    own_site.filled.log.unlink()
    assert own_site.ask("/runs/run-red/jobs/1/log").status == 404
    assert "No log here" in own_site.ask("/runs/run-red").text


def test_a_log_that_became_a_link_out_is_not_followed(own_site: Any) -> None:
    own_site.filled.log.unlink()
    own_site.filled.log.symlink_to(own_site.filled.repository.common_dir / "config")
    assert own_site.ask("/runs/run-red/jobs/1/log").status == 404


def test_a_long_log_shows_its_end(own_site: Any) -> None:
    own_site.filled.log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    page = own_site.ask("/runs/run-red").text
    assert "line 99999\n" in page
    assert "line 99599\n" not in page
    assert "the download has it whole" in page


def test_a_release_shows_steps_gates_deployments_and_why_it_went_back(site: Any) -> None:
    text = read(site.ask("/releases/rel-back").text).text
    for fact in (
        "Played: the answers of this release were given by the demo",
        "Why it was rolled back [4] Ask how it is: GET /health answered 503.",
        "1 Decide the version done by system semver.decide 0.2.0",
        "4 Ask how it is failed",
        "5 Tell people not reached",
        "approve answered by Ines (played, typed, solo)",
        "rolled back 0.2.0 in production",
        "a feature makes a minor version",
    ):
        assert fact in text
    waiting = read(site.ask("/releases/rel-wait").text).text
    assert "2 Decide to go open" in waiting
    assert "3 Deploy to come" in waiting
    assert "ecluse release approve rel-wait --gate go-live" in waiting


def test_statistics_are_readable_as_tables(site: Any) -> None:
    text = read(site.ask("/stats").text).text
    assert "Landings green 50 % 1 landed, 1 red" in text
    assert "agent-ada 5 1 20 % 0 0 0" in text
    assert "agent-bob 2 0 0 % 1 1 0" in text
    assert "1 min 01 s 9 in 10 within 1 min 04 s" in text


def test_lists_can_be_narrowed(site: Any) -> None:
    only = site.ask("/changes?state=quarantined").text
    assert "/changes/chg-hostile/1" in only
    assert "/changes/chg-good/1" not in only
    hers = site.ask("/changes?agent=agent-eve").text
    assert "/changes/chg-leak/1" in hers
    assert "/changes/chg-good/1" not in hers
    assert site.ask("/changes?state=no-such-state").status == 200


def test_lists_are_cut_into_pages(own_site: Any) -> None:
    from ecluse.history import History
    from ecluse.model import Change, ChangeState, Event

    with History.open(own_site.filled.repository.state_dir) as history, history.transaction():
        for n in range(60):
            at = f"2020-01-01T00:00:{n:02d}.000000Z"
            change = Change(
                f"old-{n}/1", f"old-{n}", 1, ChangeState.LANDED, f"old {n}", "agent-old", "", "", "", at, at
            )
            history.record(change, Event("change.landed", change.subject, change.title))
    first, second = own_site.ask("/changes?agent=agent-old").text, own_site.ask("/changes?agent=agent-old&page=2").text
    assert "page 1 of 2" in first and "old 59" in first and "old 9<" not in first
    assert "page 2 of 2" in second and "old 9<" in second and "old 59" not in second
    assert "agent=agent-old&amp;page=2" in first or "agent=agent-old&page=2" in first


@pytest.mark.parametrize(
    ("path", "to"),
    [("/gates/gate-back", "/releases/rel-back#gates"), ("/deployments/dep-back", "/releases/rel-back#deployments")],
)
def test_parts_of_a_release_lead_to_it(site: Any, path: str, to: str) -> None:
    answer = site.ask(path)
    assert answer.status == 303
    assert answer.headers["location"] == to
