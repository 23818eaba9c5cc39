"""Characters in files: what hides or imitates is told, what belongs to a language or a picture is let pass."""

from __future__ import annotations

import pytest

from ecluse.intake.textrules import is_mixed, judge_text


def codes(path: str, text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    return [one.code for one in judge_text(path, data, b"")]


@pytest.mark.parametrize(
    "text",
    [
        "\u0394x = 1\ndelta_\u03b1 = 2\n\u03c0 = 3\n", "# 10k\u03a9, 5 \u00b5m\n", "d\u03bd = 1\n",  # formulas and units
        "# \u041f\u0440\u0438\u0432\u0435\u0442, \u0441\u043e\u0440\n",  # Russian, with a word of look-alikes
        "# \u65e5\u672c \u845b\U000e0100\n", "# \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f\n",
        's = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"\n', "# 1\ufe0f\u20e3 \u2764\ufe0f\n", "# \u2800\u28ff\n",
        "x = 1\n".encode("utf-16"),
    ],
)  # fmt: skip
def test_what_belongs_is_let_pass(text: str | bytes) -> None:
    assert codes("src/a.py", text) == []


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("a.py", "p\u0430ypal = 1\n", "text.homoglyph"), ("a.py", "p\u03b1ypal = 1\n", "text.homoglyph"),
        ("a.py", b"# coding: utf-7\n+AGE-\n", "text.control_chars"),
        ("a.py", b"#!/usr/bin/python\n# -*- coding: unicode_escape -*-\nx = 1\n", "text.control_chars"),
        ("a.py", "def \u0455\u0441\u043e\u0440\u0435(): pass\n", "text.homoglyph"),
        ("bin/run", "#!/bin/sh\np\u0430ypal=1\n", "text.homoglyph"), ("Dockerfile", "FROM p\u0443thon\n", "text.homoglyph"),
        ("a.vue", "let p\u0430ypal\n", "text.homoglyph"), ("a.py", "x = 'a\ufe00\ufe01\ufe02'\n", "text.invisible"),
        ("a.py", "x = '\u2800'\n", "text.invisible"), ("a.py", "x = '\U0001d173'\n", "text.invisible"),
        ("a.py", b"x = 1\n\0\n", "text.control_chars"), ("run", b"#!/bin/sh\nid\0\n", "text.control_chars"),
        ("a.ps1", "x \u202e\n".encode("utf-16"), "text.bidi"),
        ("a.py", "# \U0001f3f4\U000e0061\U000e0062\U000e007f\n", "text.invisible"),
    ],
)  # fmt: skip
def test_what_hides_is_told(path: str, text: str | bytes, code: str) -> None:
    assert codes(path, text) == [code]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "shift_jis", "koi8-r", "gbk", "no-such"])
def test_an_encoding_in_which_ascii_is_ascii(encoding: str) -> None:
    assert codes("a.py", f"# -*- coding: {encoding} -*-\nx = 1\n") == []
    assert codes("a.txt", b"# coding: utf-7\n") == []


def test_binary_files_and_names() -> None:
    assert codes("a.png", b"\x89PNG\0\0") == []
    assert is_mixed("G\u0456thub") and not is_mixed("J\u00fcrgen") and not is_mixed("\u041f\u0451\u0442\u0440 Ivanov")
