"""Data classes that cost next to nothing to define: ``dataclasses.dataclass`` without the code that it generates.

The standard decorator writes the methods of every class as text and compiles them when the module is loaded: about a
millisecond for each class, in every process. Here all classes share one set of methods. Whatever else a data class is
(``fields``, ``replace``, ``asdict``, slots, pattern matching, pickling) is the standard library's. Readers of types
are shown the standard decorator, so nothing differs for them. No inheritance between data classes, no ``__post_init__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
else:
    import dataclasses
    from dataclasses import field as field

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Any:
        """``dataclasses.dataclass(frozen=..., slots=...)``, with shared methods instead of generated ones."""
        return lambda cls: _define(cls, frozen=frozen, slots=slots)

    def _define(cls: type, *, frozen: bool, slots: bool) -> type:
        own = vars(cls)
        if "__post_init__" in own or any(map(dataclasses.is_dataclass, cls.__mro__)):
            raise TypeError(f"{cls.__name__} is of a kind that is not supported here")
        methods = {"__init__": _init, "__repr__": _repr, "__eq__": _equal}
        if frozen:
            methods |= {"__hash__": _hash, "__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        else:
            methods["__hash__"] = None
        if slots:
            methods |= {"__getstate__": _state, "__setstate__": _set_state}
        for name, method in methods.items():
            if name not in own:
                setattr(cls, name, method)
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
        made.__ecluse_plan__ = tuple(map(_planned, dataclasses.fields(made)))
        return made

    def _planned(field: dataclasses.Field[Any]) -> tuple[str, Any, Any]:
        if not field.init or field.kw_only or not field.repr or not field.compare:
            raise TypeError(f"the field {field.name} is of a kind that is not supported here")
        return field.name, field.default, field.default_factory

    _MISSING = dataclasses.MISSING
    _put = object.__setattr__

    def _init(self: Any, /, *given: Any, **named: Any) -> None:
        plan = self.__ecluse_plan__
        if len(given) > len(plan):
            raise TypeError(f"{type(self).__name__} takes {len(plan)} values, {len(given)} were given")
        for (name, _, _), value in zip(plan, given, strict=False):
            _put(self, name, value)
        missing = []
        for name, default, factory in plan[len(given) :]:
            if name in named:
                _put(self, name, named.pop(name))
            elif default is not _MISSING:
                _put(self, name, default)
            elif factory is not _MISSING:
                _put(self, name, factory())
            else:
                missing.append(name)
        if missing or named:
            what = f"lacks {', '.join(missing)}" if missing else f"got unknown or repeated {', '.join(named)}"
            raise TypeError(f"{type(self).__name__} {what}")

    def _values(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name, _, _ in self.__ecluse_plan__)

    def _repr(self: Any) -> str:
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name, _, _ in self.__ecluse_plan__)
        return f"{type(self).__qualname__}({inner})"

    def _equal(self: Any, other: object) -> Any:
        return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented

    def _hash(self: Any) -> int:
        return hash(_values(self))

    def _refuse_to_set(self: Any, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _refuse_to_delete(self: Any, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def _state(self: Any) -> list[Any]:
        return list(_values(self))

    def _set_state(self: Any, state: list[Any]) -> None:
        for (name, _, _), value in zip(self.__ecluse_plan__, state, strict=True):
            _put(self, name, value)
