"""YAML is read by the 1.2 core schema, with positions, and never unfolds without end."""

from __future__ import annotations

import math

import pytest

from ecluse.yaml12 import Mapping, Scalar, Sequence, YamlProblem, parse, plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("08", 8),
        ("0o10", 8),
        ("010", 10),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"),
        ("1_000", "1_000"),
        ("~", None),
        ("", None),
        ("null", None),
        ("nULL", "nULL"),
        ("True", True),
        ("tRUE", "tRUE"),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("+12", 12),
        ("'08'", "08"),
        ('"true"', "true"),
        ("!!str 8", "8"),
        ("! 8", "8"),
        ("!!float 8", 8.0),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    document = plain(parse(f"k: {text}\n"))
    assert document == {"k": value}
    assert type(document["k"]) is type(value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(plain(parse("[.nan]"))[0])


def test_every_node_knows_its_line_and_column() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c: d}\n")
    assert isinstance(document, Mapping)
    items = document.get("b")
    assert isinstance(items, Sequence)
    assert (items.line, items.column) == (3, 3)
    inner = items.items[1]
    assert isinstance(inner, Mapping) and (inner.line, inner.column) == (4, 5)
    value = inner.get("c")
    assert isinstance(value, Scalar) and (value.line, value.column) == (4, 9)


def test_aliases_unfold_to_the_anchored_node() -> None:
    assert plain(parse("a: &x {k: v}\nb: *x\n")) == {"a": {"k": "v"}, "b": {"k": "v"}}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "already defined"),
        ("a: [1, 2\n", 2, 1, ""),
        ("a: !!python/object/apply:os.system [x]\n", 1, 4, "Unexpected tag"),
        ("a: !!timestamp 2024-01-01\n", 1, 4, "Unexpected tag"),
        ("a: !!int x\n", 1, 4, "invalid for the type"),
        ("a: &x [*x]\n", 1, 8, "refers to itself"),
        ("a: *nope\n", 1, 4, "no anchor"),
        ("a: 1\n---\nb: 2\n", 2, 1, "more than one document"),
        ("{[1]: 2}\n", 1, 2, "A key must be"),
        ("a:\n\t- b\n", 2, 1, ""),
    ],
)
def test_faults_are_refused_with_their_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(YamlProblem) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column), caught.value
    assert words in caught.value.message


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(YamlProblem) as caught:
        parse(b"a: 1\nb: \xff\n")
    assert caught.value.line == 2


def test_an_expansion_bomb_is_refused_without_unfolding() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(YamlProblem, match="unfolds"):
        parse("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 500 + "]" * 500, "[" * 100_000, "{a: " * 5000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(YamlProblem):
        parse(text)


def test_depth_through_aliases_counts() -> None:
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)]
    with pytest.raises(YamlProblem, match="nested deeper"):
        parse("\n".join(lines))
