"""Conditions, templates, conventional commits and the canonical form."""

from __future__ import annotations

import pytest

from ecluse.release import commits
from ecluse.release.canonical import canonical, digest
from ecluse.release.conditions import fill, holds, is_valid, places


@pytest.mark.parametrize(
    ("condition", "words", "truth"),
    [
        ("", {}, True),
        ("previous", {"previous": "1.0.0"}, True),
        ("previous", {"previous": ""}, False),
        ("not previous", {}, True),
        ("inputs.fast", {"inputs.fast": "no"}, False),
        ("inputs.fast == yes", {"inputs.fast": "yes"}, True),
        ("inputs.fast != yes", {"inputs.fast": "yes"}, False),
        ("environment == 'production'", {"environment": "production"}, True),
    ],
)
def test_conditions(condition, words, truth):
    assert holds(condition, words) is truth
    assert condition == "" or is_valid(condition)


@pytest.mark.parametrize(
    "condition", ["wibble", "a b", "previous ==", "not previous == 1", "__import__('os')", "previous && version"]
)
def test_conditions_that_are_none(condition):
    assert not is_valid(condition)


def test_templates_are_filled_once_and_unknown_words_stay():
    words = {"version": "{why}", "why": "because"}
    assert fill("{version} {why} {other} {{}", words) == "{why} because {other} {{}"
    assert places("{version} of {inputs.x}, {Not}") == ["version", "inputs.x"]


@pytest.mark.parametrize(
    ("message", "kind", "breaking"),
    [
        ("feat: x", "feat", False),
        ("fix(core)!: y", "fix", True),
        ("Feat: y\n\nBREAKING CHANGE: all", "feat", True),
    ],
)
def test_conventional_commits(message, kind, breaking):
    said = commits.read(message)
    assert said is not None and (said.kind, said.breaking) == (kind, breaking)


@pytest.mark.parametrize("message", ["", "hello", "feat x", "feat:x", "Merge branch 'a': b"])
def test_other_messages(message):
    assert commits.read(message) is None


def test_the_canonical_form_does_not_depend_on_order():
    assert canonical({"b": 1, "a": "é"}) == b'{"a":"\\u00e9","b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 2, "b": 3})
