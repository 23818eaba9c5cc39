"""GitHub's expression language: text to tree, and texts with ``${{ }}`` in them.

:func:`parse` reads one expression and says precisely what is wrong with it, in GitHub's words; evaluation is in
``evaluate.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from ecluse.checks.values import text_to_number
from ecluse.errors import Invalid

MAX_LENGTH = 21_000
MAX_DEPTH = 50
UNLIMITED = 255
"""Upper bound of a function's number of parameters where GitHub sets none."""

FUNCTIONS: dict[str, tuple[int, int]] = {
    "contains": (2, 2),
    "startswith": (2, 2),
    "endswith": (2, 2),
    "format": (1, UNLIMITED),
    "join": (1, 2),
    "tojson": (1, 1),
    "fromjson": (1, 1),
    "case": (3, UNLIMITED),
}
STATUS_FUNCTIONS: dict[str, tuple[int, int]] = {
    "success": (0, UNLIMITED),
    "failure": (0, UNLIMITED),
    "always": (0, 0),
    "cancelled": (0, 0),
}
HASH_FILES: dict[str, tuple[int, int]] = {"hashfiles": (1, UNLIMITED)}


class ExpressionProblem(Invalid):
    """An expression that cannot be read (phase ``lexing`` or ``parsing``) or computed (``evaluation``)."""

    def __init__(self, phase: str, message: str) -> None:
        super().__init__("expression.invalid", message, "correct the expression, then type the same command again")
        self.phase = phase


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class Context:
    name: str


@dataclass(frozen=True, slots=True)
class Star:
    """The ``*`` of ``labels.*.name``."""


@dataclass(frozen=True, slots=True)
class Index:
    target: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression


@dataclass(frozen=True, slots=True)
class Logical:
    """``&&`` or ``||`` over two or more operands."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Expression
    right: Expression


Expression = Literal | Context | Star | Index | Call | Not | Logical | Comparison


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an expression may name at one place: contexts and functions (lower case) with their parameter counts."""

    contexts: frozenset[str]
    functions: tuple[tuple[str, tuple[int, int]], ...] = ()

    @classmethod
    def of(cls, *contexts: str, functions: Mapping[str, tuple[int, int]] | None = None) -> Allowed:
        return cls(frozenset(name.lower() for name in contexts), tuple((functions or {}).items()))


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    place: int
    value: Any = None


_KEYWORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
}
_SPACE = " \t\r\n"
_BOUNDARY = frozenset(_SPACE + "()[],.!<>=&|")
_AFTER_WHICH_A_DOT_DEREFERENCES = frozenset(("name", ")", "]", "*"))


def _fail(phase: str, problem: str, token: Token, source: str) -> NoReturn:
    message = f"{problem}: '{token.text}'. Located at position {token.place} within expression: {source}"
    raise ExpressionProblem(phase, message)


def _lex(source: str) -> list[Token]:
    tokens: list[Token] = []
    at, line_start = 0, 0
    while at < len(source):
        character = source[at]
        place = at - line_start + 1
        if character in _SPACE:
            at += 1
            if character == "\n":
                line_start = at
        elif character == "'":
            at = _lex_text(source, at, place, tokens)
        elif character in "()[],*":
            tokens.append(Token(character, character, place))
            at += 1
        elif character == "." and tokens and tokens[-1].kind in _AFTER_WHICH_A_DOT_DEREFERENCES:
            tokens.append(Token(".", ".", place))
            at += 1
        elif source[at : at + 2] in ("!=", "==", "<=", ">=", "&&", "||"):
            tokens.append(Token("operator", source[at : at + 2], place))
            at += 2
        elif character in "!<>":
            tokens.append(Token("!" if character == "!" else "operator", character, place))
            at += 1
        else:
            at = _lex_word(source, at, place, tokens)
    tokens.append(Token("end", "EOF", max(at - line_start, 1)))
    return tokens


def _lex_text(source: str, start: int, place: int, tokens: list[Token]) -> int:
    at, parts = start + 1, []
    while True:
        quote = source.find("'", at)
        if quote < 0:
            _fail("lexing", "Unexpected symbol", Token("", source[start:], place), source)
        parts.append(source[at:quote])
        at = quote + 1
        if source[at : at + 1] != "'":
            break
        parts.append("'")
        at += 1
    tokens.append(Token("literal", source[start:at], place, "".join(parts)))
    return at


def _lex_word(source: str, start: int, place: int, tokens: list[Token]) -> int:
    """A number or a name; whatever is neither runs to the next boundary and is named in the error."""
    numeric = source[start] in "+-.0123456789"
    # A dot after a property (foo.1) belongs to no number.
    at = start + 1
    while at < len(source) and (source[at] not in _BOUNDARY or (numeric and source[at] == ".")):
        at += 1
    word = source[start:at]
    token = Token("literal", word, place)
    if numeric:
        number = text_to_number(word)
        if math.isnan(number):
            _fail("lexing", "Unexpected symbol", token, source)
        tokens.append(Token("literal", word, place, number))
    elif word in _KEYWORDS and not (tokens and tokens[-1].kind == "."):
        tokens.append(Token("literal", word, place, _KEYWORDS[word]))
    elif (word[0].isalpha() or word[0] == "_") and word.isascii() and word.replace("-", "_").isidentifier():
        tokens.append(Token("name", word, place))
    else:
        _fail("lexing", "Unexpected symbol", token, source)
    return at


class _Parser:
    def __init__(self, source: str, allowed: Allowed | None) -> None:
        self.source = source
        self.tokens = _lex(source)
        self.at = 0
        self.depth = 0
        self.contexts = allowed.contexts if allowed else None
        self.functions = FUNCTIONS | dict(allowed.functions) if allowed else None

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self, kind: str, text: str | None = None) -> bool:
        if self.token.kind == kind and (text is None or self.token.text == text):
            self.at += 1
            return True
        return False

    def need(self, kind: str) -> None:
        if not self.take(kind):
            self.fail("Unexpected symbol", self.token)

    def fail(self, problem: str, token: Token) -> NoReturn:
        _fail("parsing", problem, token, self.source)

    def deepen(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"Exceeded max expression depth {MAX_DEPTH}", self.token)

    def whole(self) -> Expression | None:
        if self.token.kind == "end":
            return None
        expression = self.expression()
        if self.token.kind != "end":
            self.fail("Unexpected symbol", self.token)
        return expression

    def expression(self) -> Expression:
        self.deepen()
        expression = self.logical("||")
        self.depth -= 1
        return expression

    def logical(self, operator: str) -> Expression:
        def operand() -> Expression:
            return self.logical("&&") if operator == "||" else self.comparison(("==", "!="))

        operands = [operand()]
        if self.token.text != operator or self.token.kind != "operator":
            return operands[0]
        self.deepen()
        while self.take("operator", operator):
            operands.append(operand())
        self.depth -= 1
        return Logical(operator, tuple(operands))

    def comparison(self, operators: tuple[str, ...]) -> Expression:
        def operand() -> Expression:
            return self.comparison(("<", "<=", ">", ">=")) if "==" in operators else self.unary()

        left = operand()
        while self.token.kind == "operator" and self.token.text in operators:
            operator = self.token.text
            self.at += 1
            left = Comparison(operator, left, operand())
        return left

    def unary(self) -> Expression:
        count = 0
        while self.take("!"):
            count += 1
        expression = self.indexed()
        for _ in range(count):
            expression = Not(expression)
        return expression

    def indexed(self) -> Expression:
        starts_with = self.token.kind
        expression = self.primary()
        deepened = 0
        while starts_with in ("name", "(") and self.token.kind in ("[", "."):
            if self.take("["):
                index: Expression = Star() if self.take("*") else self.expression()
                self.need("]")
                self.deepen()
            else:
                self.at += 1
                self.deepen()
                index = self.property()
            deepened += 1
            expression = Index(expression, index)
        self.depth -= deepened
        return expression

    def property(self) -> Expression:
        if self.take("*"):
            return Star()
        name = self.token
        self.need("name")
        return Literal(name.text)

    def primary(self) -> Expression:
        token = self.token
        if self.take("literal"):
            return Literal(token.value)
        if self.take("name"):
            return self.call(token) if self.take("(") else self.context(token)
        if self.take("("):
            expression = self.expression()
            if self.token.kind == "end":
                self.fail("Unexpected end of expression", self.tokens[self.at - 1])
            self.need(")")
            return expression
        if token.kind == "end":
            return self.fail("Unexpected end of expression", self.tokens[self.at - 1])
        return self.fail("Unexpected symbol", token)

    def context(self, token: Token) -> Expression:
        if self.contexts is not None and token.text.lower() not in self.contexts:
            self.fail("Unrecognized named-value", token)
        return Context(token.text.lower())

    def call(self, name: Token) -> Expression:
        arguments: list[Expression] = []
        while not self.take(")"):
            arguments.append(self.expression())
            if self.token.kind != ")":
                self.need(",")
        self.check_call(name, len(arguments))
        return Call(name.text.lower(), tuple(arguments))

    def check_call(self, name: Token, count: int) -> None:
        function = name.text.lower()
        known = (FUNCTIONS | STATUS_FUNCTIONS | HASH_FILES) if self.functions is None else self.functions
        bounds = known.get(function)
        if bounds is None:
            self.fail("Unrecognized function", name)
        if count < bounds[0]:
            self.fail("Too few parameters supplied", name)
        if count > bounds[1]:
            self.fail("Too many parameters supplied", name)
        if function == "case" and count % 2 == 0:
            self.fail("Even number of parameters supplied, requires an odd number of parameters", name)


@lru_cache(maxsize=4096)
def parse(source: str, allowed: Allowed | None = None) -> Expression | None:
    """The tree of one expression (without ``${{ }}``), ``None`` for a blank one.

    ``allowed`` limits what it may name; without it any context is let through and reads as null when absent.
    Raises :class:`ExpressionProblem`.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionProblem("parsing", f"Exceeded max expression length {MAX_LENGTH}")
    return _Parser(source, allowed).whole()


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[str | tuple[str], ...]:
    """A text with ``${{ }}`` as its parts: plain text, and 1-tuples that hold the text of an expression.

    Raises :class:`ExpressionProblem` when a ``${{`` is not closed or an expression is empty.
    """
    parts: list[str | tuple[str]] = []
    at = 0
    while True:
        start = text.find("${{", at)
        if start < 0:
            break
        end = _closing(text, start + 3)
        if end < 0:
            raise ExpressionProblem(
                "parsing",
                "The expression is not closed. An unescaped ${{ sequence was found, "
                "but the closing }} sequence was not found.",
            )
        inner = text[start + 3 : end].strip()
        if not inner:
            raise ExpressionProblem("parsing", "An expression was expected")
        if start > at:
            parts.append(text[at:start])
        parts.append((inner,))
        at = end + 2
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def _closing(text: str, at: int) -> int:
    """Where the ``}}`` that ends the expression stands, past quoted text; -1 when there is none."""
    quoted = False
    while at < len(text):
        if text[at] == "'":
            quoted = not quoted
        elif not quoted and text.startswith("}}", at):
            return at
        at += 1
    return -1


def as_format(text: str) -> str:
    """A text with ``${{ }}`` as the one expression it stands for, built with ``format``; plain text stays."""
    parts = split(text)
    if not any(isinstance(part, tuple) for part in parts):
        return text
    pattern = ""
    arguments: list[str] = []
    for part in parts:
        if isinstance(part, tuple):
            pattern += f"{{{len(arguments)}}}"
            arguments.append(part[0])
        else:
            pattern += part.replace("{", "{{").replace("}", "}}").replace("'", "''")
    return f"format('{pattern}', {', '.join(arguments)})"


def names_status(expression: Expression | None) -> bool:
    """Whether ``success``, ``failure``, ``always`` or ``cancelled`` is called anywhere in ``expression``."""
    return any(isinstance(node, Call) and node.name in STATUS_FUNCTIONS for node in walk(expression))


def walk(expression: Expression | None) -> list[Expression]:
    """Every node of the tree, the root first."""
    if expression is None:
        return []
    found = [expression]
    for node in found:
        match node:
            case Index(target, index):
                found += [target, index]
            case Call(_, arguments):
                found += arguments
            case Not(operand):
                found.append(operand)
            case Logical(_, operands):
                found += operands
            case Comparison(_, left, right):
                found += [left, right]
    return found
