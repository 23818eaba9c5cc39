"""Checks a YAML document against rules, in GitHub's way and words; the rules themselves are data (``grammar.py``)."""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field

from ecluse.checks import expression
from ecluse.checks.expression import Allowed, ExpressionProblem
from ecluse.checks.problems import Faults, closest
from ecluse.yaml12 import Mapping, Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Text:
    """A text. ``values`` are the only ones allowed, when given; ``is_condition`` reads it as an expression."""

    non_empty: bool = False
    values: tuple[str, ...] = ()
    is_condition: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """``true`` or ``false``."""


@dataclass(frozen=True, slots=True)
class Number:
    pass


@dataclass(frozen=True, slots=True)
class Null:
    """Nothing at all after the colon."""


@dataclass(frozen=True, slots=True)
class Anything:
    pass


@dataclass(frozen=True, slots=True)
class Items:
    """A list of ``item``."""

    item: Rule


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with known ``properties``; ``loose`` is the rule of any other key's value.

    A ``quiet`` one is not offered when it is unclear which of several tables is meant, as on GitHub.
    """

    properties: Lookup[str, Rule] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    loose: Rule | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    options: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """``rule``, where expressions may name what ``allowed`` says."""

    allowed: Allowed
    rule: Rule


Rule = Text | Flag | Number | Null | Anything | Items | Table | OneOf | Within | str
"""A text is the name of another rule."""

INSERT = "insert"


class Checker:
    """Checks nodes against named rules and notes what is wrong."""

    def __init__(self, rules: Lookup[str, Rule], faults: Faults) -> None:
        self.rules = rules
        self.faults = faults

    def check(self, node: Node, rule: Rule, allowed: Allowed | None = None) -> None:
        """Note every fault of ``node``; ``allowed`` is what expressions may name (``None``: no expressions here)."""
        options, allowed = self.options(rule, allowed)
        if any(isinstance(option, Anything) for option in options):
            self.check_anything(node, allowed)
        elif isinstance(node, Mapping):
            self.check_mapping(node, [option for option in options if isinstance(option, Table)], allowed)
        elif isinstance(node, Sequence):
            self.check_sequence(node, options, allowed)
        else:
            self.check_scalar(node, options, allowed)

    def options(self, rule: Rule, allowed: Allowed | None) -> tuple[list[Rule], Allowed | None]:
        """The plain rules ``rule`` stands for, and what expressions may name there."""
        while isinstance(rule, str | Within):
            if isinstance(rule, Within):
                allowed = rule.allowed
                rule = rule.rule
            else:
                rule = self.rules[rule]
        if not isinstance(rule, OneOf):
            return [rule], allowed
        found: list[Rule] = []
        for option in rule.options:
            found += self.options(option, allowed)[0]
        return found, allowed

    def check_anything(self, node: Node, allowed: Allowed | None) -> None:
        if isinstance(node, Scalar):
            self.expressions(node, allowed)
        elif isinstance(node, Sequence):
            for item in node.items:
                self.check_anything(item, allowed)
        else:
            for key, value in node.entries:
                if not is_insert(key):
                    self.expressions(key, allowed)
                self.check_anything(value, allowed)

    def check_sequence(self, node: Sequence, options: list[Rule], allowed: Allowed | None) -> None:
        lists = [option for option in options if isinstance(option, Items)]
        if not lists:
            self.faults.add(node, "A sequence was not expected")
            return
        for item in node.items:
            self.check(item, lists[0].item, allowed)

    def check_mapping(self, node: Mapping, tables: list[Table], allowed: Allowed | None) -> None:
        if not tables:
            self.faults.add(node, "A mapping was not expected")
            return
        seen: set[str] = set()
        computed = False
        for key, value in node.entries:
            if key.value is None and key.plain:
                self.faults.add(key, "Unexpected value ''", "a key needs a name")
                continue
            if is_expression(key) and not (is_insert(key) and allowed is not None):
                self.check_computed(key, value, tables, allowed)
                computed = True
                continue
            if key.text.lower() in seen:
                self.faults.add(key, f"'{key.text}' is already defined")
                continue
            if not is_insert(key):
                seen.add(key.text.lower())
            tables = self.check_entry(key, value, tables, allowed)
        if len(tables) > 1 or not computed:
            self.check_required(node, tables)

    def check_computed(self, key: Scalar, value: Node, tables: list[Table], allowed: Allowed | None) -> None:
        """Check a pair whose key is an expression: what it will be called is not known before it runs."""
        if self.expressions(key, allowed) and allowed is not None:
            loose = tables[0].loose if len(tables) == 1 and not tables[0].properties else None
            self.check(value, loose or Anything(), allowed)

    def check_entry(self, key: Scalar, value: Node, tables: list[Table], allowed: Allowed | None) -> list[Table]:
        """Check one pair; return the tables it may still be, now that this key is known."""
        if is_insert(key) and allowed is not None:
            self.check_anything(value, allowed)
            return tables
        fitting = [table for table in tables if key.text in table.properties]
        if fitting:
            self.check(value, fitting[0].properties[key.text], allowed)
            return fitting
        loose = next((table.loose for table in tables if table.loose is not None), None)
        if loose is None or not key.text:
            known = sorted({name for table in tables for name in table.properties})
            self.faults.add(key, f"Unexpected value '{key.text}'", closest(key.text, known))
            return tables
        self.expressions(key, allowed)
        self.check(value, loose, allowed)
        return tables

    def check_required(self, node: Mapping, tables: list[Table]) -> None:
        present = {key.text for key, _ in node.entries}
        if len(tables) > 1:
            counts: dict[str, int] = {}
            for table in tables:
                for name in table.properties:
                    counts[name] = counts.get(name, 0) + 1
            quiet = {name for table in tables if table.quiet for name in table.properties}
            telling = sorted(name for name, n in counts.items() if n == 1 and name not in present and name not in quiet)
            self.faults.add(
                node,
                "There's not enough info to determine what you meant. "
                f"Add one of these properties: {', '.join(telling)}",
            )
            return
        for name in tables[0].required:
            if name not in present:
                self.faults.add(node, f"Required property is missing: {name}")

    def check_scalar(self, node: Scalar, options: list[Rule], allowed: Allowed | None) -> None:
        texts = [option for option in options if isinstance(option, Text)]
        if any(option.is_condition for option in texts):
            self.check_condition(node, allowed)
            return
        found = len(self.faults.found)
        if self.expressions(node, allowed) and (allowed is None or len(self.faults.found) == found):
            return
        if node.value is None and any(isinstance(option, Null) for option in options):
            return
        if isinstance(node.value, bool) and any(isinstance(option, Flag) for option in options):
            return
        is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        if is_number and any(isinstance(option, Number) for option in options):
            return
        said = "" if node.value is None else node.text
        if any((not text.values or said in text.values) and not (text.non_empty and not said) for text in texts):
            return
        known = [value for text in texts for value in text.values]
        suggestion = closest(said, known)
        if not texts and any(isinstance(option, Flag) for option in options):
            suggestion = "write true or false"
        self.faults.add(node, f"Unexpected value '{said}'", suggestion)

    def check_condition(self, node: Scalar, allowed: Allowed | None) -> None:
        """An ``if:`` is an expression, whether or not it stands in ``${{ }}``."""
        text = "" if node.value is None else node.text
        if "${{" in text:
            self.expressions(node, allowed)
        elif text.strip():
            self.read(node, text.strip(), allowed)

    def expressions(self, node: Scalar, allowed: Allowed | None) -> bool:
        """Check the ``${{ }}`` in a text; return whether there is any."""
        if not isinstance(node.value, str) or "${{" not in node.value:
            return False
        if allowed is None:
            self.faults.add(node, "A template expression is not allowed in this context")
            return True
        if len(node.value) > expression.MAX_LENGTH:
            self.faults.add(node, f"Exceeded max expression length {expression.MAX_LENGTH}")
            return True
        try:
            parts = expression.split(node.value)
        except ExpressionProblem as problem:
            self.faults.add(node, problem.message)
            return True
        for part in parts:
            if isinstance(part, tuple):
                self.read(node, part[0], allowed)
        return True

    def read(self, node: Scalar, source: str, allowed: Allowed | None) -> None:
        try:
            expression.parse(source, allowed)
        except ExpressionProblem as problem:
            self.faults.add(node, problem.message)


def is_expression(key: Scalar) -> bool:
    """Whether a key has an expression in it."""
    return isinstance(key.value, str) and "${{" in key.value


def is_insert(key: Scalar) -> bool:
    """Whether a key is ``${{ insert }}``, which unfolds its value into the mapping around it."""
    text = key.text.strip()
    return text.startswith("${{") and text.endswith("}}") and text[3:-2].strip().lower() == INSERT
