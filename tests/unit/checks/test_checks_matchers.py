"""Problem matchers: one line and several, loops, severities, and files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks.matchers import Match, Matcher, find, load
from ecluse.errors import Invalid

GCC = {
    "owner": "gcc",
    "pattern": [
        {
            "regexp": r"^(.*?):(\d+):(\d*):?\s+(?:fatal\s+)?(warning|error):\s+(.*)$",
            "file": 1,
            "line": 2,
            "column": 3,
            "severity": 4,
            "message": 5,
        }
    ],
}
ESLINT = {
    "owner": "eslint-stylish",
    "pattern": [
        {"regexp": r"^([^\s].*)$", "file": 1},
        {
            "regexp": r"^\s+(\d+):(\d+)\s+(error|warning|info)\s+(.*)\s\s+(.*)$",
            "line": 1,
            "column": 2,
            "severity": 3,
            "message": 4,
            "code": 5,
            "loop": True,
        },
    ],
}


def made(folder: Path, *entries: dict[str, Any]) -> list[Matcher]:
    path = folder / "matchers.json"
    path.write_text(json.dumps({"problemMatcher": list(entries)}))
    return load(path)


def test_one_line_with_colours(tmp_path: Path) -> None:
    matchers = made(tmp_path, GCC)
    assert find(matchers, "all is well") is None
    told = find(matchers, "\x1b[1msrc/a.c:12:7: \x1b[31mwarning: unused x\x1b[0m")
    assert told == Match("warning", "unused x", "src/a.c", 12, 7)
    assert find(matchers, "b.c:3:: fatal error: gone") == Match("error", "gone", "b.c", 3, 0)


def test_several_lines_with_a_loop(tmp_path: Path) -> None:
    matchers = made(tmp_path, ESLINT)
    lines = [
        "test.js",
        "  1:0   error  Missing use strict  strict",
        "  5:10  warning  Odd thing  odd",
        "",
        "  9:9   error  belongs to nothing  strict",
        "other.js",
        "  2:3   error  Late  late",
    ]
    found = [find(matchers, line) for line in lines]
    assert [match and (match.file, match.line, match.severity, match.code) for match in found] == [
        None,
        ("test.js", 1, "error", "strict"),
        ("test.js", 5, "warning", "odd"),
        None,
        None,
        None,
        ("other.js", 2, "error", "late"),
    ]


def test_the_first_matcher_that_fits_wins_and_a_severity_nobody_knows_is_not_told(tmp_path: Path) -> None:
    general = {"owner": "any", "severity": "notice", "pattern": [{"regexp": "^(.*)$", "message": 1}]}
    matchers = made(tmp_path, GCC, general)
    assert (find(matchers, "a.c:1:1: error: x") or Match("", "")).severity == "error"
    assert find(matchers, "hello") == Match("notice", "hello")
    odd = {"owner": "odd", "pattern": [{"regexp": "^(.*): (.*)$", "severity": 1, "message": 2}]}
    assert find(made(tmp_path, odd), "hint: hello") is None


def three_stages(*, loop: bool) -> dict[str, Any]:
    return {
        "owner": "stages",
        "pattern": [
            {"regexp": "^(.+)$", "file": 1},
            {"regexp": "^(.+)$", "code": 1},
            {"regexp": "^message:(.+)$", "message": 1, "loop": loop},
        ],
    }


@pytest.mark.parametrize("loop", [True, False])
def test_every_stage_looks_at_every_line(tmp_path: Path, loop: bool) -> None:
    """What GitHub's runner does: lines between are dropped, the two just before the message are those that count."""
    matchers = made(tmp_path, three_stages(loop=loop))
    lines = [
        "f1",
        "c1",
        "message:m1",
        "message:m2",
        "abc",
        "f2",
        "c2",
        "message:m3",
        "abc",
        "abc",
        "f3",
        "c3",
        "message:m4",
    ]
    found = [find(matchers, line) for line in lines]
    told = [(match.file, match.code, match.message) for match in found if match is not None]
    wanted = [("f1", "c1", "m1"), ("f1", "c1", "m2"), ("f2", "c2", "m3"), ("f3", "c3", "m4")]
    assert told == (wanted if loop else [wanted[0], *wanted[2:]])


def test_a_line_that_breaks_a_loop_begins_the_next_match(tmp_path: Path) -> None:
    matchers = made(tmp_path, three_stages(loop=True))
    lines = ["f1", "c1", "message:m1", "f2", "message:no", "message:yes"]
    found = [match for line in lines if (match := find(matchers, line)) is not None]
    assert [(match.file, match.code, match.message) for match in found] == [
        ("f1", "c1", "m1"),
        ("f2", "message:no", "yes"),
    ]


def test_a_match_resets_the_other_matchers(tmp_path: Path) -> None:
    """The second has begun with the first line as well, and must not take the line after the match for its message."""
    narrow = {"owner": "a", "pattern": [{"regexp": "^both: .+"}, {"regexp": "^only: (.+)", "message": 1}]}
    wide = {"owner": "b", "pattern": [{"regexp": "^both: .+"}, {"regexp": "(.+)", "message": 1}]}
    matchers = made(tmp_path, narrow, wide)
    lines = ["both: x", "only: broke", "usual 1", "usual 2", "both: y", "another"]
    assert [match.message for line in lines if (match := find(matchers, line)) is not None] == ["broke", "another"]


def test_a_file_is_found_from_the_project_it_is_told_with(tmp_path: Path) -> None:
    entry = {
        "owner": "dotnet",
        "pattern": [{"regexp": r"^(\S+): (.*) \[(.*)\]$", "file": 1, "message": 2, "fromPath": 3}],
    }
    told = find(made(tmp_path, entry), "Program.cs: broken [src/app/app.csproj]")
    assert told == Match("error", "broken", "src/app/Program.cs")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"pattern": [{"regexp": "x", "message": 0}]}, "no owner"),
        ({"owner": "a"}, "no pattern"),
        ({"owner": "a", "pattern": [{"message": 1}]}, "no regexp"),
        ({"owner": "a", "pattern": [{"regexp": "(", "message": 1}]}, "cannot be read"),
        ({"owner": "a", "pattern": [{"regexp": "x", "message": 1}]}, "no such group"),
        ({"owner": "a", "pattern": [{"regexp": "(x)", "file": 1}]}, "names a message"),
        ({"owner": "a", "pattern": [{"regexp": "(x)", "message": 1, "loop": True}]}, "must come last of several"),
        ({"owner": "a", "severity": "hint", "pattern": [{"regexp": "(x)", "message": 1}]}, "severity 'hint'"),
        (
            {"owner": "a", "pattern": [{"regexp": "(x)", "file": 1}, {"regexp": "(x)(y)", "file": 1, "message": 2}]},
            "name the file",
        ),
        (
            {"owner": "a", "pattern": [{"regexp": "(x)", "file": 1, "loop": True}, {"regexp": "(x)", "message": 1}]},
            "only the last pattern",
        ),
    ],
)
def test_wrong_matchers(tmp_path: Path, entry: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        made(tmp_path, entry)


def test_two_matchers_of_one_owner(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="same owner"):
        made(tmp_path, GCC, {**GCC, "owner": "Gcc"})


def test_files_that_are_no_matchers(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    for text, words in (("{", "not JSON"), ("[]", "no list"), ('{"problemMatcher": []}', "no list")):
        path.write_text(text)
        with pytest.raises(Invalid, match=words):
            load(path)
    with pytest.raises(Invalid, match="no file"):
        load(tmp_path / "absent.json")
