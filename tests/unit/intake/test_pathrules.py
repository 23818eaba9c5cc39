"""Path rules: every alias of a forbidden place is seen, ordinary names are let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.intake.pathrules import find_collisions, is_dotgit, judge_path, shown
from ecluse.model import Verdict


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../x", "path.dotdot"),
        ("a/../b", "path.dotdot"),
        ("a//b", "path.empty_component"),
        ("a/./b", "path.dot_component"),
        ("/etc/passwd", "path.absolute"),
        ("C:/x", "path.absolute"),
        (".git/hooks/x", "path.dotgit"),
        ("sub/.GIT/config", "path.dotgit"),
        (".git./x", "path.dotgit"),
        (".git /x", "path.dotgit"),
        ("git~1/config", "path.dotgit"),
        (".g\u200cit/config", "path.dotgit"),
        (".git::$INDEX_ALLOCATION/x", "path.dotgit"),
        ("a\\..\\b", "path.backslash"),
        ("src/app.py:hidden", "path.ntfs_ads"),
        ("src/app.py.", "path.trailing_dot"),
        ("src /x", "path.trailing_dot"),
        ("aux.txt", "path.device_name"),
        ("a/CON", "path.device_name"),
        ("a\x1b[2Jb", "path.control_chars"),
        ("a\nb", "path.control_chars"),
        ("gpj\u202e.exe", "path.bidi"),
        ("a\u200bb", "path.invisible"),
        ("x" * 256, "path.component_too_long"),
        ("a/" * 40 + "x" * 1000, "path.too_long"),
        ("a/" * 70 + "b", "path.too_deep"),
    ],
)
def test_rejected(path: str, code: str) -> None:
    found = judge_path(path)
    assert code in {one.code for one in found}
    assert found[0].verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("path", "code"), [("-rf", "path.option_like"), ("a;b$(c)", "path.shell_meta"), ("\udcff.txt", "path.encoding")]
)
def test_remarked(path: str, code: str) -> None:
    assert [(one.code, one.verdict) for one in judge_path(path)] == [(code, Verdict.WARN)]


@pytest.mark.parametrize(
    "path",
    [
        "src/app.py",
        "a..b/..c/d..e",
        "...x",
        ".github/x.yml",
        ".gitignore",
        "git/x",
        "gitt~1",
        "été/日本語.txt",
        "a b/c",
        "console.py",
        "auxiliary",
        "com10x",
        "a" * 255,
    ],
)
def test_ordinary_names(path: str) -> None:
    assert judge_path(path) == []


def test_collisions_fold_case_and_accents_also_of_folders() -> None:
    tree = ["README.md", "src/a.py", "Src/b.py", "caf\u00e9", "cafe\u0301"]
    assert [one.path for one in find_collisions(["Src/b.py"], tree)] == ["Src/b.py"]
    assert [one.path for one in find_collisions(["cafe\u0301"], tree)] == ["cafe\u0301"]
    assert find_collisions(["README.md"], tree) == []
    assert find_collisions(["a"], ["a", "A/modules/x"])


@given(st.text(min_size=1, max_size=40))
def test_whatever_shown_is_printable(path: str) -> None:
    safe = path.encode("utf-8", "replace").decode("utf-8")
    assert shown(safe).isprintable()


@given(
    st.sampled_from([".git", "GIT~1", ".GiT"]),
    st.text(alphabet=". ", max_size=4),
    st.text(alphabet="\u200c\u200d\ufeff", max_size=3),
)
def test_dotgit_in_any_dress(name: str, tail: str, hidden: str) -> None:
    assert is_dotgit(name[:2] + hidden + name[2:] + tail)
