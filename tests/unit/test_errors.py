"""Every problem that the code raises says what to type next, and has a code of its own form."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from ecluse.errors import EXIT_MEANINGS, ExitStatus, Failed, Invalid, Problem, Red, Refused, Unsupported, Waits

PACKAGE = Path(__file__).resolve().parents[2] / "ecluse"
KINDS = {"Failed", "Invalid", "Unsupported", "Waits", "Refused", "Red", "Problem"}


@functools.cache
def raised() -> list[tuple[str, ast.Call]]:
    """Every construction of a problem in the package, with its place."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if "template" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                found.append((f"{path.relative_to(PACKAGE.parent)}:{node.lineno}", node))
    return found


def test_there_are_many() -> None:
    assert len(raised()) > 100


def test_every_problem_names_the_next_command() -> None:
    silent = []
    for place, call in raised():
        words = {keyword.arg for keyword in call.keywords}
        if (len(call.args) < 3 and "hint" not in words) or (
            len(call.args) >= 3 and isinstance(call.args[2], ast.Constant) and not call.args[2].value
        ):
            silent.append(place)
    assert silent == []


def test_codes_are_dotted_words() -> None:
    codes = [
        (place, call.args[0].value) for place, call in raised() if call.args and isinstance(call.args[0], ast.Constant)
    ]
    wrong = [(place, code) for place, code in codes if not re.fullmatch(r"[a-z]+([._][a-z0-9]+)*", str(code))]
    assert wrong == []


def test_statuses_are_those_of_the_table() -> None:
    assert [kind.exit_status for kind in (Failed, Invalid, Unsupported, Waits, Refused, Red)] == [1, 2, 2, 3, 4, 5]
    assert set(EXIT_MEANINGS) == set(ExitStatus)
    assert Problem("a.b", "m", "h", {"k": 1}).as_dict() == {
        "code": "a.b",
        "message": "m",
        "hint": "h",
        "details": {"k": 1},
    }
