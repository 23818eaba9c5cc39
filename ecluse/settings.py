"""Typed tables for ``ecluse.toml``: what a section may hold is declared once, read strictly, and every fault is named.

A declaration looks like that of the common validation libraries (annotations, ``Field`` with bounds). Those cost 70 to
130 ms to load, more than half of what git needs to unpack a bundle, and every import of a change reads the policy.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    NoReturn,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from ecluse.dataclass import dataclass

MISSING: Any = object()
"""The default of a setting that must be given."""

_WORDS: dict[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class Fault(NamedTuple):
    """One setting that is wrong: its dotted name and why."""

    where: str
    why: str


class Faults(ValueError):
    """Settings that are not valid; ``found`` are all of them."""

    def __init__(self, found: list[Fault]) -> None:
        super().__init__("; ".join(f"{one.where or 'the file'}: {one.why}" for one in found))
        self.found = found


@dataclass(frozen=True, slots=True)
class AfterValidator:
    """``Annotated[T, AfterValidator(check)]``: ``check`` gets the value and returns it, or raises :class:`ValueError`."""

    check: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Declared:
    default: Any
    bounds: tuple[tuple[str, float], ...]
    description: str
    min_length: int = 0


def Field(  # noqa: N802 - reads like the declarations that everybody knows
    *, default: Any = MISSING, description: str = "", ge: float | None = None, gt: float | None = None,
    le: float | None = None, lt: float | None = None, min_length: int = 0,
) -> Any:  # fmt: skip
    """Declare a setting: its default (without one it must be given), its bounds, and what it is for.

    ``min_length`` is the least number of entries of a list.
    """
    given = (("at least", ge), ("more than", gt), ("at most", le), ("less than", lt))
    return _Declared(
        default, tuple((word, bound) for word, bound in given if bound is not None), description, min_length
    )


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class Section:
    """A table of settings. Subclasses annotate them; what is not annotated is refused. Instances do not change."""

    _declared: ClassVar[dict[str, _Declared]] = {}

    def __init_subclass__(cls) -> None:
        own = {}
        for name in vars(cls).get("__annotations__", {}):
            value = vars(cls).get(name, MISSING)
            own[name] = value if isinstance(value, _Declared) else _Declared(value, (), "")
        cls._declared = {**cls._declared, **own}

    def __init__(self, **given: Any) -> None:
        unknown = given.keys() - self._declared.keys()
        lacking = [name for name, one in self._declared.items() if one.default is MISSING and name not in given]
        if unknown or lacking:
            raise TypeError(f"{type(self).__name__}: unknown {sorted(unknown)}, lacking {lacking}")
        for name, one in self._declared.items():
            object.__setattr__(self, name, given.get(name, one.default))

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Self:
        """The settings of a table as a TOML reader gives it. Raises :class:`Faults` with everything that is wrong."""
        found: list[Fault] = []
        made = _read_section(cls, table, "", found)
        if found:
            raise Faults(found)
        assert isinstance(made, cls)  # noqa: S101 - nothing was wrong
        return made

    @classmethod
    def settings(cls) -> dict[str, _Declared]:
        """Every setting by its name: its default (:data:`MISSING` where it must be given) and what it is for."""
        return dict(cls._declared)

    def table(self, *, changed_only: bool = False) -> dict[str, Any]:
        """The settings as plain values, sections inside as tables; ``changed_only`` leaves out what is at its default."""
        defaults = {name: one.default for name, one in self._declared.items()}
        return {
            name: _plain(value, changed_only)
            for name, value in vars(self).items()
            if not (changed_only and value == defaults[name])
        }

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} does not change")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def _read_section(kind: type[Section], table: Any, where: str, found: list[Fault]) -> Any:
    if not isinstance(table, Mapping):
        return _wrong(found, where, "must be a table")
    before = len(found)
    hints = _hints(kind)
    values: dict[str, Any] = {}
    for name, value in table.items():
        inside = f"{where}.{name}" if where else str(name)
        if name not in kind._declared:
            _wrong(found, inside, "there is no such setting")
            continue
        values[name] = made = _read_value(hints[name], value, inside, found)
        for word, bound in kind._declared[name].bounds:
            if isinstance(made, int | float) and not _holds(made, word, bound):
                _wrong(found, inside, f"must be {word} {bound:g}")
        if isinstance(made, tuple) and len(made) < kind._declared[name].min_length:
            _wrong(found, inside, f"must have at least {kind._declared[name].min_length}")
    for name, one in kind._declared.items():
        if one.default is MISSING and name not in table:
            _wrong(found, f"{where}.{name}" if where else name, "must be given")
    return kind(**values) if len(found) == before else None


def _plain(value: Any, changed_only: bool) -> Any:
    if isinstance(value, Section):
        return value.table(changed_only=changed_only)
    if isinstance(value, tuple):
        return tuple(_plain(one, changed_only) for one in value)
    return {name: _plain(one, changed_only) for name, one in value.items()} if isinstance(value, dict) else value


def _hints(kind: type[Section]) -> dict[str, Any]:
    hints: dict[str, Any] = vars(kind).get("_hints", {})
    if not hints:
        hints = get_type_hints(kind, include_extras=True)
        type.__setattr__(kind, "_hints", hints)
    return hints


def _read_value(hint: Any, value: Any, where: str, found: list[Fault]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _read_checked(arguments, value, where, found)
    if origin is Literal:
        if value in arguments and any(type(value) is type(one) for one in arguments):
            return value
        return _wrong(found, where, f"must be one of {', '.join(map(repr, arguments))}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return _wrong(found, where, "must be a list")
        return tuple(_read_value(arguments[0], one, f"{where}.{number}", found) for number, one in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            return _wrong(found, where, "must be a table")
        return {str(name): _read_value(arguments[1], one, f"{where}.{name}", found) for name, one in value.items()}
    if origin in (Union, types.UnionType):
        return _read_either(arguments, value, where, found)
    if isinstance(hint, type) and issubclass(hint, Section):
        return _read_section(hint, value, where, found)
    if hint is float and type(value) is int:
        return float(value)
    return value if type(value) is hint else _wrong(found, where, f"must be {_WORDS.get(hint, 'something else')}")


def _read_either(arguments: tuple[Any, ...], value: Any, where: str, found: list[Fault]) -> Any:
    for one in arguments:
        tried: list[Fault] = []
        made = _read_value(one, value, where, tried)
        if not tried:
            return made
        if isinstance(one, type) and issubclass(one, Section) and isinstance(value, Mapping):
            found += tried  # a table is meant: what is wrong inside it says more
            return None
    return _wrong(found, where, "is of none of the kinds that are allowed here")


def _read_checked(arguments: tuple[Any, ...], value: Any, where: str, found: list[Fault]) -> Any:
    before = len(found)
    made = _read_value(arguments[0], value, where, found)
    for one in arguments[1:]:
        if isinstance(one, AfterValidator) and len(found) == before:
            try:
                made = one.check(made)
            except ValueError as error:
                _wrong(found, where, str(error))
    return made


def _holds(value: float, word: str, bound: float) -> bool:
    return {
        "at least": value >= bound,
        "more than": value > bound,
        "at most": value <= bound,
        "less than": value < bound,
    }[word]


def _wrong(found: list[Fault], where: str, why: str) -> None:
    found.append(Fault(where, why))
