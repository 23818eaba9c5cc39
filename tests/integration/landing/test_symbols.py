"""Functions and classes that a change touches: Python by its tree, other languages by git's hunk headers."""

from __future__ import annotations

from typing import Any

from ecluse.history import History
from ecluse.landing.overlap import compare
from ecluse.landing.symbols import read_hunks, touched_symbols

from .test_overlap import put

PYTHON = """import os


class Lock:
    name = "lock"

    @property
    def level(self):
        return 1

    def open(self):
        def inner():
            return 2
        return inner()


def free():
    return 3
"""
SCRIPT = "export class Gate {\n  open() {\n    return 1;\n  }\n}\n\nexport const shut = (a) => {\n  return a;\n};\n"
GO = "package main\n\nfunc Open() int {\n\treturn 1\n}\n\nfunc Shut() int {\n\treturn 2\n}\n"


def symbols(bench: Any, **files: str) -> set[str]:
    """What a commit with these files touches, on the state before; then main is back."""
    before = bench.git("rev-parse", "HEAD")
    head = bench.commit("edit", **files)
    bench.git("reset", "-q", "--hard", before)
    names = [name.replace("__", "/").replace("_dot_", ".") for name in files]
    with bench.repository.temporary_clone() as room:
        return set(touched_symbols(room, before, head, names))


def test_python_names_the_innermost_and_both_sides(bench: Any) -> None:
    bench.commit("code", m_dot_py=PYTHON)
    assert symbols(bench, m_dot_py=PYTHON.replace("return 1", "return 9")) == {"m.py::Lock.level"}
    assert symbols(bench, m_dot_py=PYTHON.replace("@property", "@cached")) == {"m.py::Lock.level"}
    assert symbols(bench, m_dot_py=PYTHON.replace("return 2", "return 9")) == {"m.py::Lock.open.inner"}
    assert symbols(bench, m_dot_py=PYTHON.replace('"lock"', '"x"')) == {"m.py::Lock"}
    assert symbols(bench, m_dot_py=PYTHON.replace("import os", "import io")) == set()
    assert symbols(bench, m_dot_py=PYTHON.replace("def free", "def freed")) == {"m.py::free", "m.py::freed"}
    assert symbols(bench, m_dot_py=PYTHON.split("def free")[0]) == {"m.py::free"}


def test_python_that_does_not_parse_and_other_languages(bench: Any) -> None:
    bench.commit("code", m_dot_py=PYTHON, g_dot_ts=SCRIPT, o_dot_go=GO, t_dot_txt="one\ntwo\n")
    broken = symbols(bench, m_dot_py=PYTHON.replace("    return 3", "    return (3"))
    assert "m.py::free" in broken
    assert symbols(bench, g_dot_ts=SCRIPT.replace("return a", "return -a")) == {"g.ts::export const shut"}
    assert symbols(bench, g_dot_ts=SCRIPT.replace("return 1", "return 2")) == {"g.ts::export class Gate"}
    assert symbols(bench, o_dot_go=GO.replace("return 2", "return 3")) == {"o.go::func Shut"}
    assert symbols(bench, t_dot_txt="one\n2\n") == set()


def test_content_cannot_pass_for_a_header() -> None:
    text = "--- a/x\n+++ b/x\n@@ -1 +1,3 @@ def f\n-old\n+new\n+++ b/evil\n+@@ -9 +9 @@ def evil\n"
    assert read_hunks(text) == [("x", 1, 1, 1, 3, "def f")]


def test_pairs_say_which_symbols_both_touch(bench: Any, history: History) -> None:
    bench.commit("code", m_dot_py=PYTHON)
    put(bench, history, "c-one", m_dot_py=PYTHON.replace("import os", "import io").replace("return 3", "return 30"))
    put(bench, history, "c-two", m_dot_py=PYTHON.replace("def free():", "def free():\n    # why"))
    put(bench, history, "c-three", m_dot_py=PYTHON.replace("return 1", "return 10"))
    (found,) = compare(bench.repository, history)
    told = {frozenset((pair.one, pair.other)): pair.symbols for pair in found.pairs}
    assert told[frozenset(("c-one/1", "c-two/1"))] == ("m.py::free",)
    assert told[frozenset(("c-one/1", "c-three/1"))] == ()
