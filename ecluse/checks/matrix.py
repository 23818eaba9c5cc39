"""The combinations a job's matrix stands for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.checks.evaluate import Scope, interpolate, value_of
from ecluse.checks.expression import ExpressionProblem, walk
from ecluse.checks.expression import parse as parse_expression
from ecluse.checks.expression import split as split_text
from ecluse.checks.values import to_text

MAX_COMBINATIONS = 256


def resolve(raw: Any, scope: Scope) -> Any:
    """``raw`` (texts with ``${{ }}`` inside lists and mappings) with every expression computed.

    A list that an expression puts into a list is joined to it; ``${{ insert }}`` keys unfold their mapping.
    """
    if isinstance(raw, str):
        return value_of(raw, scope)
    if isinstance(raw, list):
        items: list[Any] = []
        for item in raw:
            value = resolve(item, scope)
            if isinstance(item, str) and isinstance(value, list):
                items += value
            else:
                items.append(value)
        return items
    if isinstance(raw, dict):
        table: dict[str, Any] = {}
        for key, item in raw.items():
            value = resolve(item, scope)
            if key.startswith("${{") and key.strip().strip("${} ").lower() == "insert":
                table.update(value if isinstance(value, dict) else {})
            else:
                table[interpolate(key, scope)] = value
        return table
    return raw


def names_context(raw: Any, context: str) -> bool:
    """Whether any expression inside ``raw`` reads ``context``."""
    from ecluse.checks.expression import Context

    if isinstance(raw, str):
        parts = split_text(raw) if "${{" in raw else ()
        trees = [parse_expression(part[0]) for part in parts if isinstance(part, tuple)]
        return any(isinstance(node, Context) and node.name == context for tree in trees for node in walk(tree))
    if isinstance(raw, list):
        return any(names_context(item, context) for item in raw)
    if isinstance(raw, dict):
        return any(names_context(key, context) or names_context(item, context) for key, item in raw.items())
    return False


def expand(matrix: Any, keep: Mapping[str, Sequence[str]] | None = None) -> list[dict[str, Any]]:
    """The combinations of a computed matrix in GitHub's order; one empty one when there is no matrix.

    ``keep`` lets through only combinations whose value for a key (as text) is among the given ones. Raises
    :class:`ExpressionProblem` when the matrix is not a mapping of lists or has too many combinations.
    """
    if matrix is None or matrix == {}:
        return [{}]
    if not isinstance(matrix, dict):
        raise ExpressionProblem("evaluation", "The matrix is not a mapping of names to lists of values")
    vectors = {key: values for key, values in matrix.items() if key not in ("include", "exclude")}
    for key, values in vectors.items():
        if not isinstance(values, list):
            raise ExpressionProblem("evaluation", f"The values of the matrix key '{key}' are not a list")
        if not values:
            raise ExpressionProblem("evaluation", f"Matrix vector '{key}' does not contain any values")
    size = 1
    for values in vectors.values():
        size *= len(values)
    if size > MAX_COMBINATIONS * 16:
        raise ExpressionProblem("evaluation", f"The matrix has more than {MAX_COMBINATIONS} combinations")
    combinations = [dict(zip(vectors, values, strict=True)) for values in itertools.product(*vectors.values())]
    if not vectors:
        combinations = []
    excluded = _tables(matrix.get("exclude"), "exclude")
    combinations = [item for item in combinations if not any(_covers(rule, item) for rule in excluded)]
    combinations = _include(combinations, _tables(matrix.get("include"), "include"), set(vectors))
    if len(combinations) > MAX_COMBINATIONS:
        raise ExpressionProblem("evaluation", f"The matrix has more than {MAX_COMBINATIONS} combinations")
    return [item for item in combinations if _is_kept(item, keep or {})]


def _tables(value: Any, name: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ExpressionProblem("evaluation", f"The matrix key '{name}' is not a list of mappings")
    return value


def _covers(rule: dict[str, Any], combination: dict[str, Any]) -> bool:
    return all(key in combination and _equal(combination[key], value) for key, value in rule.items())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return all(key in one and _equal(one[key], value) for key, value in other.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return to_text(one) == to_text(other) and isinstance(one, list | dict) == isinstance(other, list | dict)


def _include(
    combinations: list[dict[str, Any]], additions: list[dict[str, Any]], original: set[str]
) -> list[dict[str, Any]]:
    """Each addition extends the combinations whose own values it does not change, or else stands alone."""
    grown = [dict(item) for item in combinations]
    alone: list[dict[str, Any]] = []
    for addition in additions:
        fits = [
            grown_item
            for grown_item, item in zip(grown, combinations, strict=True)
            if all(key not in original or _equal(item.get(key), value) for key, value in addition.items())
        ]
        for item in fits:
            item.update(addition)
        if not fits:
            alone.append(dict(addition))
    return grown + alone


def _is_kept(combination: dict[str, Any], keep: Mapping[str, Sequence[str]]) -> bool:
    return all(key not in combination or to_text(combination[key]) in values for key, values in keep.items())


def display_name(name: str, combination: dict[str, Any], scope: Scope) -> str:
    """A job's name: as written, with the combination's values behind it when the name does not mention them."""
    if "${{" in name:
        return interpolate(name, scope)
    if not combination:
        return name
    words = [to_text(value) for value in _leaves(list(combination.values()))]
    return f"{name} ({', '.join(word for word in words if word)})"


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [value]
