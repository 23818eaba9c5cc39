"""Data classes that cost next to nothing to define: ``dataclasses.dataclass`` without the code that it generates.

The standard decorator writes the methods of every class as text and compiles them when the module is loaded: about a
millisecond for each class, in every process. Here all classes share one set of methods, and what ``fields``, ``replace``
and ``asdict`` of the standard library need is made when it is first asked for. Readers of types are shown the standard
decorator, so nothing differs for them. No inheritance between data classes, no ``__post_init__``, no ``ClassVar``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
else:
    _MISSING = object()

    class _Factory:
        """The default of a field that is made anew for each object."""

        def __init__(self, make: Any) -> None:
            self.make = make

    def field(*, default_factory: Any) -> _Factory:
        """``dataclasses.field(default_factory=...)``."""
        return _Factory(default_factory)

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Any:
        """``dataclasses.dataclass(frozen=..., slots=...)``, with shared methods instead of generated ones."""
        return lambda cls: _define(cls, frozen=frozen, slots=slots)

    def _define(cls: type, *, frozen: bool, slots: bool) -> type:
        own = dict(vars(cls))
        if "__post_init__" in own or any("__dataclass_fields__" in vars(base) for base in cls.__mro__):
            raise TypeError(f"{cls.__name__} is of a kind that is not supported here")
        names = tuple(own.get("__annotations__") or cls.__annotations__)
        plan = tuple((name, own.get(name, _MISSING)) for name in names)
        added = {"__init__": _init, "__repr__": _repr, "__eq__": _equal, "__hash__": None, **own}
        added |= {"__ecluse_plan__": plan, "__match_args__": names, "__dataclass_fields__": _Fields()}
        if frozen:
            added |= {"__hash__": _hash, "__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        if slots:
            added |= {"__getstate__": _state, "__setstate__": _set_state, "__slots__": names}
        rest = {name: value for name, value in added.items() if name not in (*names, "__dict__", "__weakref__")}
        made = type(cls)(cls.__name__, cls.__bases__, rest)
        made.__qualname__ = cls.__qualname__
        return made

    class _Fields:
        """Stands where the standard library keeps a class's fields, until somebody asks for them."""

        def __get__(self, one: object, owner: type) -> Any:
            import dataclasses

            rows = []
            for name, default in owner.__ecluse_plan__:
                words = {"default_factory": default.make} if isinstance(default, _Factory) else {"default": default}
                made = dataclasses.field() if default is _MISSING else dataclasses.field(**words)
                rows.append((name, owner.__annotations__[name], made))
            like = dataclasses.make_dataclass(
                owner.__name__, rows, namespace={"__doc__": owner.__name__}, init=False, repr=False, eq=False
            )
            owner.__dataclass_fields__ = like.__dataclass_fields__
            return like.__dataclass_fields__

    _put = object.__setattr__

    def _init(self: Any, /, *given: Any, **named: Any) -> None:
        plan = self.__ecluse_plan__
        if len(given) > len(plan):
            raise TypeError(f"{type(self).__name__} takes {len(plan)} values, {len(given)} were given")
        for (name, _), value in zip(plan, given, strict=False):
            _put(self, name, value)
        missing = []
        for name, default in plan[len(given) :]:
            if name in named:
                _put(self, name, named.pop(name))
            elif default is _MISSING:
                missing.append(name)
            else:
                _put(self, name, default.make() if type(default) is _Factory else default)
        if missing or named:
            what = f"lacks {', '.join(missing)}" if missing else f"got unknown or repeated {', '.join(named)}"
            raise TypeError(f"{type(self).__name__} {what}")

    def _values(self: Any) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def _repr(self: Any) -> str:
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({inner})"

    def _equal(self: Any, other: object) -> Any:
        return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented

    def _hash(self: Any) -> int:
        return hash(_values(self))

    def _refuse_to_set(self: Any, name: str, value: object) -> None:
        raise _frozen(f"cannot assign to field {name!r}")

    def _refuse_to_delete(self: Any, name: str) -> None:
        raise _frozen(f"cannot delete field {name!r}")

    def _frozen(why: str) -> AttributeError:
        import dataclasses

        return dataclasses.FrozenInstanceError(why)

    def _state(self: Any) -> list[Any]:
        return list(_values(self))

    def _set_state(self: Any, state: list[Any]) -> None:
        for name, value in zip(self.__match_args__, state, strict=True):
            _put(self, name, value)


def names_of(one: Any) -> tuple[str, ...] | None:
    """The names of the fields of a data class, or of an object of one; ``None`` for anything else.

    For the classes made here this loads nothing, as ``dataclasses.fields`` would.
    """
    kind = one if isinstance(one, type) else type(one)
    if "__ecluse_plan__" in vars(kind):
        return tuple(vars(kind)["__match_args__"])
    return tuple(kind.__dataclass_fields__) if hasattr(kind, "__dataclass_fields__") else None
