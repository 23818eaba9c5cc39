"""Words and widths of runs on a terminal."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.cli import run_text as text
from ecluse.cli.run_live import Live, Running


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "0 ms"), (999.4, "999 ms"), (1000, "1.0 s"), (59_940, "59.9 s"), (125_000, "2 min 5 s")],
)
def test_durations(milliseconds: float, said: str) -> None:
    assert text.took(milliseconds) == said


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("10%\r50%\r100%", "100%"),
        ("a\tb\r", "a   b"),
        ("\x1b[2J\x1b[Hgone\x00\x9b", "gone"),
        ("Zoë 你好", "Zoë 你好"),
    ],
)
def test_what_steers_a_terminal_is_not_shown(line: str, shown: str) -> None:
    assert text.clean(line) == shown


@given(st.text())
def test_nothing_that_steers_gets_through(line: str) -> None:
    assert text.clean(line).isprintable()


@given(st.text(alphabet="ab é你🙂\u0301"), st.integers(0, 30))
def test_cut_and_pad_fit(line: str, columns: int) -> None:
    assert text.width(text.cut(line, columns)) <= columns
    assert text.width(text.pad(line, columns)) == columns


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 1e6), st.integers(1, 200))
def test_a_bar_is_never_nothing_and_never_too_long(start: float, more: float, whole: float, columns: int) -> None:
    drawn = text.bar(start, start + more, whole, columns)
    assert 1 <= len(drawn) <= columns and drawn[-1] in "━#"


def test_marks_of_the_runner_become_words() -> None:
    assert text.said("##[error]it broke") == "Error: it broke"
    assert text.said("##[group]Install") == "Install" and text.said("##[endgroup]") == ""
    assert text.said("##[other]x") == "##[other]x"


def test_ascii_where_no_more_can_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert (text.full("…", "~"), text.bar(1, 2, 4, 4), text.cut("abcdef", 4)) == ("~", ".#", "abc~")


def test_more_jobs_than_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(color=False)
    live.tally.total, live.tally.results = 120, {"success": 20, "failure": 1}
    for number in range(60):
        live.running[str(number)] = Running(f"job {number} \x1b[31m", float(number), "Step", "said\x1b[0m " * 30)
    rows = live.rows(80, 10)
    assert len(rows) == 10 and all(len(row) <= 80 for row in rows) and not any("\x1b" in row for row in rows)
    assert rows[0].split()[1:3] == ["job", "0"] and "and 52 more running" in rows[-2]
    assert "21 of 120 jobs done, 60 running, 1 failed" in rows[-1]
    assert len(live.rows(20, 1)) == 2
