"""Computes expressions and texts with ``${{ }}`` against a set of contexts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ecluse.checks import expression as grammar
from ecluse.checks.expression import (
    Call,
    Comparison,
    Context,
    Expression,
    ExpressionProblem,
    Index,
    Literal,
    Logical,
    Not,
    Star,
)
from ecluse.checks.values import (
    Filtered,
    Value,
    equals,
    fold,
    has,
    is_greater,
    is_primitive,
    is_truthy,
    lookup,
    position,
    to_json,
    to_text,
)

Function = Callable[[Sequence[Value]], Value]

_MAX_TEXT = 10_000_000  # characters; format() inside format() could otherwise fill the memory
HOLE = re.compile(r"\{\{|\}\}|\{(\d+)\}|[{}]")
"""What ``format`` replaces: a doubled brace, a place (group 1 is its number), or a brace that belongs to nothing."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression can see: contexts by lower-case name, and functions beyond the general ones.

    ``functions`` carries ``success``, ``failure``, ``always``, ``cancelled`` and ``hashfiles`` where they have a
    meaning.
    """

    contexts: Mapping[str, Value]
    functions: Mapping[str, Function] = field(default_factory=dict)

    def with_contexts(self, **contexts: Value) -> Scope:
        return Scope({**self.contexts, **contexts}, self.functions)


def status_functions(status: str) -> dict[str, Function]:
    """The four status functions for a job or run whose state is ``success``, ``failure`` or ``cancelled``."""
    return {
        "success": lambda _: status == "success",
        "failure": lambda _: status == "failure",
        "cancelled": lambda _: status == "cancelled",
        "always": lambda _: True,
    }


def evaluate(source: str, scope: Scope) -> Value:
    """The value of one expression. Raises :class:`ExpressionProblem`."""
    tree = grammar.parse(source)
    return None if tree is None else compute(tree, scope)


def interpolate(text: str, scope: Scope) -> str:
    """``text`` with each ``${{ }}`` replaced by its value as text."""
    if "${{" not in text:
        return text
    parts = grammar.split(text)
    return "".join(part if isinstance(part, str) else to_text(evaluate(part[0], scope)) for part in parts)


def value_of(text: str, scope: Scope) -> Value:
    """The value of a text that may be one ``${{ }}`` as a whole (its value keeps its kind) or mixed (text)."""
    if "${{" not in text:
        return text
    parts = grammar.split(text.strip())
    if len(parts) == 1 and isinstance(parts[0], tuple):
        return evaluate(parts[0][0], scope)
    return interpolate(text, scope)


def condition_source(text: str) -> str:
    """The expression of an ``if:`` as GitHub completes it: with ``success() &&`` unless it names a status function."""
    stripped = text.strip()
    source = stripped
    if "${{" in stripped:
        parts = grammar.split(stripped)
        whole = len(parts) == 1 and isinstance(parts[0], tuple)
        source = parts[0][0] if whole else grammar.as_format(stripped)
    if not source:
        return "success()"
    return source if grammar.names_status(grammar.parse(source)) else f"success() && ({source})"


def condition(text: str, scope: Scope) -> bool:
    """Whether an ``if:`` with this text lets its job or step run."""
    return is_truthy(evaluate(condition_source(text), scope))


def compute(node: Expression, scope: Scope) -> Value:
    """The value of a parsed expression. Raises :class:`ExpressionProblem` with phase ``evaluation``."""
    match node:
        case Literal(value):
            return value
        case Context(name):
            return scope.contexts.get(name)
        case Not(operand):
            return not is_truthy(compute(operand, scope))
        case Logical(operator, operands):
            return _logical(operator, operands, scope)
        case Comparison(operator, left, right):
            return _compare(operator, compute(left, scope), compute(right, scope))
        case Index(target, index):
            return _index(compute(target, scope), index, scope)
        case Call(name, arguments):
            return _call(name, arguments, scope)
        case Star():
            return None


def _logical(operator: str, operands: Sequence[Expression], scope: Scope) -> Value:
    value: Value = None
    for operand in operands:
        value = compute(operand, scope)
        if is_truthy(value) == (operator == "||"):
            break
    return value


def _compare(operator: str, left: Value, right: Value) -> bool:
    match operator:
        case "==":
            return equals(left, right)
        case "!=":
            return not equals(left, right)
        case ">":
            return is_greater(left, right)
        case "<":
            return is_greater(right, left)
        case ">=":
            return is_greater(left, right) or equals(left, right)
        case _:
            return is_greater(right, left) or equals(left, right)


def _index(target: Value, index: Expression, scope: Scope) -> Value:
    if isinstance(index, Star):
        found = Filtered()
        for container in target if isinstance(target, Filtered) else [target]:
            if isinstance(container, dict):
                found.extend(container.values())
            elif isinstance(container, list):
                found.extend(container)
        return found
    key = compute(index, scope)
    if isinstance(target, Filtered):
        return Filtered(
            item
            for container in target
            if (isinstance(container, dict) and is_primitive(key) and has(container, to_text(key)))
            or (isinstance(container, list) and (position(key) or 0) < len(container) and position(key) is not None)
            for item in [_member(container, key)]
        )
    return _member(target, key)


def _member(target: Value, key: Value) -> Value:
    if isinstance(target, dict):
        return lookup(target, to_text(key)) if is_primitive(key) else None
    if isinstance(target, list):
        place = position(key)
        return target[place] if place is not None and place < len(target) else None
    return None


def _call(name: str, arguments: Sequence[Expression], scope: Scope) -> Value:
    if name == "case":
        return _case(arguments, scope)
    function = scope.functions.get(name) or _GENERAL.get(name)
    if function is None:
        raise ExpressionProblem("evaluation", f"The function '{name}' cannot be used here")
    return function([compute(argument, scope) for argument in arguments])


def _case(arguments: Sequence[Expression], scope: Scope) -> Value:
    for place in range(0, len(arguments) - 1, 2):
        chosen = compute(arguments[place], scope)
        if not isinstance(chosen, bool):
            raise ExpressionProblem("evaluation", "case predicate must evaluate to a boolean value")
        if chosen:
            return compute(arguments[place + 1], scope)
    return compute(arguments[-1], scope)


def _contains(arguments: Sequence[Value]) -> bool:
    where, what = arguments
    if isinstance(where, list):
        return any(equals(item, what) for item in where)
    if is_primitive(where) and is_primitive(what):
        return fold(to_text(what)) in fold(to_text(where))
    return False


def _starts_with(arguments: Sequence[Value]) -> bool:
    text, start = arguments
    return is_primitive(text) and is_primitive(start) and fold(to_text(text)).startswith(fold(to_text(start)))


def _ends_with(arguments: Sequence[Value]) -> bool:
    text, end = arguments
    return is_primitive(text) and is_primitive(end) and fold(to_text(text)).endswith(fold(to_text(end)))


def _join(arguments: Sequence[Value]) -> str:
    separator = to_text(arguments[1]) if len(arguments) > 1 and is_primitive(arguments[1]) else ","
    if isinstance(arguments[0], list):
        return separator.join(to_text(item) for item in arguments[0])
    return to_text(arguments[0]) if is_primitive(arguments[0]) else ""


def _format(arguments: Sequence[Value]) -> str:
    pattern = to_text(arguments[0])
    values = arguments[1:]

    def fill(found: re.Match[str]) -> str:
        whole = found[0]
        if whole in ("{{", "}}"):
            return whole[0]
        if found[1] is None:
            raise ExpressionProblem("evaluation", f"The following format string is invalid: {pattern}")
        if len(found[1]) > 9 or int(found[1]) >= len(values):
            raise ExpressionProblem(
                "evaluation",
                f"The following format string references more arguments than were supplied: {pattern}",
            )
        return to_text(values[int(found[1])])

    text = HOLE.sub(fill, pattern)
    if len(text) > _MAX_TEXT:
        raise ExpressionProblem("evaluation", "The maximum allowed memory size was exceeded")
    return text


def _from_json(arguments: Sequence[Value]) -> Value:
    def refuse(word: str) -> Value:
        raise ValueError(word)

    try:
        return json.loads(to_text(arguments[0]), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ExpressionProblem("evaluation", "Error parsing JSON when evaluating fromJson") from error


_GENERAL: dict[str, Function] = {
    "contains": _contains,
    "startswith": _starts_with,
    "endswith": _ends_with,
    "join": _join,
    "format": _format,
    "tojson": lambda arguments: to_json(arguments[0]),
    "fromjson": _from_json,
}
