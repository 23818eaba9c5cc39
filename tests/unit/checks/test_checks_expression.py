"""The expression language: values, coercions, errors and texts with expressions in them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.checks.evaluate import Scope, condition, condition_source, evaluate, interpolate, status_functions, value_of
from ecluse.checks.expression import Allowed, ExpressionProblem, as_format, parse, split
from ecluse.checks.values import CaseSensitive, number_to_text

GITHUB = {"ref": "refs/heads/main", "labels": [{"name": "a"}, {"name": "b"}, {"other": 1}], "n": 3, "Flag": True}
SCOPE = Scope({"github": GITHUB, "env": CaseSensitive({"Name": "x"})}, status_functions("success"))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'it''s'", "it's"),
        ("1 == '1'", True),
        ("null == 0", True),
        ("'A' == 'a'", True),
        ("'a' < 'B'", True),
        ("NaN == NaN", False),
        ("true && 'x' || 'y'", "x"),
        ("false && 'x' || 'y'", "y"),
        ("!github.flag", False),
        ("github.FLAG", True),
        ("github['re' ]", None),
        ("env.name", None),
        ("env.Name", "x"),
        ("join(github.labels.*.name, '-')", "a-b"),
        ("github.labels[1].name", "b"),
        ("github.labels[9].name", None),
        ("github.missing.deep.er", None),
        ("contains(github.labels.*.name, 'B')", True),
        ("contains('abc', 'BC')", True),
        ("startsWith(github.ref, 'refs/heads/')", True),
        ("endsWith('x.PY', '.py')", True),
        ("format('{0}-{{}}-{1}', 1.50, null)", "1.5-{}-"),
        ("fromJSON('[1, 2]')[1]", 2),
        ("toJSON(fromJSON('{\"a\":[]}'))", '{\n  "a": []\n}'),
        ("0x1F", 31.0),
        ("case(false, 1, true, 2, 3)", 2.0),
    ],
)
def test_values(source: str, value: Any) -> None:
    assert evaluate(source, SCOPE) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("github.ref =", "Unexpected symbol: '='. Located at position 12"),
        ("nothing.here", "Unrecognized named-value: 'nothing'. Located at position 1"),
        ("contain('a', 'b')", "Unrecognized function: 'contain'"),
        ("contains('a')", "Too few parameters supplied: 'contains'"),
        ("(1", "Unexpected end of expression: '1'"),
        ("'open", "Unexpected symbol: ''open'"),
        ("(" * 60 + "1" + ")" * 60, "Exceeded max expression depth 50"),
        ("'" + "a" * 21_000 + "'", "Exceeded max expression length 21000"),
    ],
)
def test_faults_are_named(source: str, message: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        parse(source, Allowed.of("github"))
    assert message in caught.value.message


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_with_a_problem(source: str) -> None:
    try:
        parse(source, Allowed.of("github"))
    except ExpressionProblem as problem:
        assert problem.message


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_numbers_survive_text_to_15_digits(number: float) -> None:
    assert float(number_to_text(number)) == pytest.approx(number, rel=1e-14)


def test_numbers_print_as_on_the_runner() -> None:
    assert number_to_text(1e21) == "1E+21"
    assert number_to_text(-0.0) == "0"
    assert number_to_text(math.inf) == "Infinity"
    assert number_to_text(12345678901234567) == "1.23456789012346E+16"


def test_texts_with_expressions() -> None:
    assert interpolate("a ${{ github.n }} b ${{ '}}' }}", SCOPE) == "a 3 b }}"
    assert value_of("${{ github.labels }}", SCOPE) is GITHUB["labels"]
    assert value_of(" x${{ 1 }}", SCOPE) == " x1"
    assert as_format("a'{${{ 1 }}") == "format('a''{{{0}', 1)"
    with pytest.raises(ExpressionProblem, match="not closed"):
        split("${{ 'a }} ")
    with pytest.raises(ExpressionProblem, match="An expression was expected"):
        split("${{  }}")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("", "success()"),
        ("github.n == 3", "success() && (github.n == 3)"),
        ("${{ always() }}", "always()"),
        ("a ${{ 1 }}", "success() && (format('a {0}', 1))"),
    ],
)
def test_conditions_are_completed_by_success(text: str, source: str) -> None:
    assert condition_source(text) == source


def test_conditions_follow_the_state() -> None:
    failed = Scope({"github": GITHUB}, status_functions("failure"))
    assert condition("", SCOPE) and not condition("", failed)
    assert condition("failure()", failed) and not condition("github.n", failed)
    assert condition("always() && github.n == 3", failed)
