"""How values are written for people."""

from __future__ import annotations

import pytest

from ecluse.clock import after
from ecluse.model import ChangeState, LandingState, ReleaseState, RunState, Verdict
from ecluse.web import words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 中", "plain é 中"),
        ("a\tb\nc", "a\tb\nc"),
        ("x\u202ey", "x⟨U+202E⟩y"),
        ("x\x00\x1by", "x⟨U+0000⟩⟨U+001B⟩y"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert words.visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("bar\r\n", "bar"),
        ("\x1b[2K\x1b[1Gdone", "done"),
    ],
)
def test_terminal_colours_are_left_out(text: str, shown: str) -> None:
    assert words.uncoloured(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min 00 s"),
        (3_599_600, "1 h 00 min"),
        (7_620_000, "2 h 07 min"),
    ],
)
def test_durations(value: float, shown: str) -> None:
    assert words.duration(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3,072.0 GiB")],
)
def test_sizes(value: int, shown: str) -> None:
    assert words.size(value) == shown


def test_rates() -> None:
    assert words.rate(None) == "–"
    assert words.rate(0.256) == "26 %"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "just now"), (-150, "2 min ago"), (-7300, "2 h ago"), (3700, "in 1 h")]
)
def test_times_nearby_are_told_by_their_distance(seconds: float, shown: str) -> None:
    assert words.ago(after(seconds)) == shown


def test_other_times_are_dates_and_anything_else_stays() -> None:
    assert words.ago("2020-02-03T04:05:06.000000Z") == "3 Feb 2020"
    assert words.moment("2020-02-03T04:05:06.000000Z") == "2020-02-03 04:05:06 UTC"
    assert words.ago("") == words.moment("") == ""
    assert words.ago("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        ("change/chg-1/2", "/changes/chg-1/2"),
        ("run/run-1", "/runs/run-1"),
        ("gate/gate-1", "/gates/gate-1"),
        ("run/../../etc", "/runs/..%2F..%2Fetc"),
        ('run/a"b?c#d', "/runs/a%22b%3Fc%23d"),
        ("line", ""),
        ("elsewhere/x", ""),
        ("run/", ""),
    ],
)
def test_a_subject_leads_to_its_page_and_nowhere_else(subject: str, path: str) -> None:
    assert words.subject_path(subject) == path


def test_states_that_matter_have_a_tone() -> None:
    assert words.tone(LandingState.RED) == words.tone(Verdict.REJECT) == words.tone(RunState.ERROR) == "bad"
    assert words.tone(ChangeState.LANDED) == words.tone(ReleaseState.DONE) == "good"
    for state in (ChangeState.QUARANTINED, ChangeState.CONFLICT, LandingState.BLOCKED, ReleaseState.WAITING):
        assert words.tone(state) == "wait"
    assert words.word(ReleaseState.ROLLED_BACK) == "rolled back"
