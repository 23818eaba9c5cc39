"""Our data classes are the standard library's in everything but how their methods come about."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re

import pytest

from ecluse import model
from ecluse.dataclass import dataclass, field, names_of
from ecluse.patterns import expression


@dataclass(frozen=True, slots=True)
class Ours:
    """A class of ours."""

    name: str
    size: int = 0
    words: dict[str, str] = field(default_factory=dict)

    @property
    def twice(self) -> int:
        return 2 * self.size


@dataclass(slots=True)
class Open:
    names: list[str] = field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """A class of ours."""

    name: str
    size: int = 0
    words: dict[str, str] = dataclasses.field(default_factory=dict)


def test_it_behaves_as_the_standard_one() -> None:
    ours, theirs = Ours("a", size=3), Theirs("a", size=3)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert [(f.name, f.type) for f in dataclasses.fields(Ours)] == [
        (f.name, f.type) for f in dataclasses.fields(Theirs)
    ]
    assert dataclasses.replace(ours, name="b") == Ours("b", 3)
    assert (ours == Ours("a", 3), ours == Ours("a", 4), ours == object()) == (True, False, False)
    assert Ours.__slots__ == ("name", "size", "words")
    assert (ours.twice, Ours.__doc__, Ours.__match_args__) == (6, "A class of ours.", Theirs.__match_args__)
    assert pickle.loads(pickle.dumps(ours)) == ours == copy.copy(ours)
    assert Ours("a").words is not Ours("a").words
    assert hash(model.Agent("a")) == hash(model.Agent("a"))
    assert (names_of(Ours), names_of(ours), names_of(theirs), names_of(3)) == (
        *(("name", "size", "words"),) * 3,
        None,
    )


def test_frozen_is_frozen_and_open_is_open() -> None:
    one = Ours("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.name
    with pytest.raises((AttributeError, TypeError)):
        one.other = 1  # type: ignore[attr-defined]
    made = Open()
    made.names = ["x"]
    assert made == Open(["x"])
    with pytest.raises(TypeError):
        hash(made)


def test_wrong_values_are_refused() -> None:
    for given, named in (((), {}), (("a", 1, {}, 2), {}), (("a",), {"name": "b"}), (("a",), {"nothing": 1})):
        with pytest.raises(TypeError):
            Ours(*given, **named)
    with pytest.raises(TypeError):
        dataclass(frozen=True)(type("Child", (Ours,), {"__annotations__": {"more": "int"}}))


def test_an_expression_is_compiled_when_used() -> None:
    later = expression("(a+)b", re.IGNORECASE)
    found = later.search("xAAb")
    assert found is not None
    assert (found[1], later.pattern, later.sub("-", "aabab")) == ("AA", "(a+)b", "--")
