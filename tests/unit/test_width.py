"""Long lines at a terminal break between words."""

from __future__ import annotations

import pytest

from ecluse.cli.width import broken, fitted


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("one two three", ["one two", "  three"]),
        ("one two three four five", ["one two", "  three", "  four", "  five"]),
        ("averylongwordindeed", ["averylongwordindeed"]),
        ("averylongwordindeed b", ["averylongwordindeed", "  b"]),
        ("a averylongwordindeed b", ["a", "  averylongwordindeed", "  b"]),
        ("    four words stand here", ["    four", "  words", "  stand", "  here"]),
        ("ends here    ", ["ends", "  here"]),
        ("été échu à l'", ["été échu", "  à l'"]),
    ],
)
def test_lines_are_broken_where_words_allow_it(line: str, parts: list[str]) -> None:
    assert broken(line, 8, 2) == parts


def test_without_a_terminal_lines_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted("word " * 100, 4) == "word " * 100
