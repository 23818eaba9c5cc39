"""Typed tables: what is declared is read, everything else is named with its place."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from ecluse import config
from ecluse.errors import Invalid
from ecluse.settings import MISSING, AfterValidator, Fault, Faults, Field, Section


def _short(text: str) -> str:
    if len(text) > 3:
        raise ValueError("is too long")
    return text


class Inner(Section):
    name: str
    level: Literal["low", "high"] = "low"


class Outer(Section):
    number: int = Field(default=3, ge=1, lt=10, description="how many")
    share: float = 0.5
    names: tuple[str, ...] = ()
    flag: bool = False
    inner: Inner = Inner(name="x")
    many: dict[str, Inner] = Field(default={})
    rows: tuple[Inner, ...] = ()
    short: Annotated[str, AfterValidator(_short)] = ""
    maybe: int | None = None
    perhaps: Inner | None = None
    some: tuple[str, ...] = Field(default=("a",), min_length=1)


def test_everything_that_is_declared_is_read() -> None:
    table = {
        "number": 9, "share": 2, "names": ["a", "b"], "flag": True, "inner": {"name": "y", "level": "high"},
        "many": {"m": {"name": "z"}}, "rows": [{"name": "r"}], "short": "abc", "maybe": 4,
    }  # fmt: skip
    made = Outer.read(table)
    assert (made.number, made.share, made.names, made.flag, made.maybe) == (9, 2.0, ("a", "b"), True, 4)
    assert isinstance(made.share, float)
    assert made.inner == Inner(name="y", level="high")
    assert (made.many["m"].level, made.rows[0].name, made.short) == ("low", "r", "abc")
    assert Outer.read({}) == Outer()


@pytest.mark.parametrize(
    ("table", "where", "why"),
    [
        ({"numbr": 1}, "numbr", "no such setting"),
        ({"number": 0}, "number", "at least 1"),
        ({"number": 10}, "number", "less than 10"),
        ({"number": True}, "number", "whole number"),
        ({"number": "3"}, "number", "whole number"),
        ({"number": 3.0}, "number", "whole number"),
        ({"share": "x"}, "share", "a number"),
        ({"names": "a"}, "names", "a list"),
        ({"names": ["a", 1]}, "names.1", "a text"),
        ({"flag": 1}, "flag", "true or false"),
        ({"inner": 3}, "inner", "a table"),
        ({"inner": {}}, "inner.name", "must be given"),
        ({"inner": {"name": "a", "level": "mid"}}, "inner.level", "one of 'low', 'high'"),
        ({"many": []}, "many", "a table"),
        ({"many": {"m": {"name": 1}}}, "many.m.name", "a text"),
        ({"rows": [{"name": "a", "b": 1}]}, "rows.0.b", "no such setting"),
        ({"short": "abcd"}, "short", "too long"),
        ({"maybe": "x"}, "maybe", "none of the kinds"),
        ({"perhaps": {"name": 3}}, "perhaps.name", "a text"),
        ({"some": []}, "some", "at least 1"),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, object], where: str, why: str) -> None:
    with pytest.raises(Faults) as caught:
        Outer.read(table)
    (fault,) = caught.value.found
    assert fault.where == where
    assert why in fault.why


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(Faults) as caught:
        Outer.read({"number": 0, "flag": "yes", "other": 1})
    assert [one.where for one in caught.value.found] == ["number", "flag", "other"]
    assert isinstance(caught.value.found[0], Fault)


def test_settings_as_plain_values() -> None:
    made = Outer.read({"number": 4, "many": {"m": {"name": "a"}}, "rows": [{"name": "b"}]})
    table = made.table()
    assert table["number"] == 4
    assert table["many"]["m"]["name"] == "a"
    assert table["rows"][0]["name"] == "b"
    assert set(made.table(changed_only=True)) == {"number", "many", "rows"}
    assert Outer.settings()["some"].default == ("a",)
    assert Inner.settings()["name"].default is MISSING


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Outer().number = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        Outer(nothing=1)  # type: ignore[call-arg]


def test_the_policy_says_which_settings_are_wrong() -> None:
    with pytest.raises(Invalid) as caught:
        config.parse(b'trust = "some"\n[intake]\nmax_files = 0\n')
    assert caught.value.code == "config.invalid"
    assert "trust: must be one of 'signed', 'all'" in caught.value.message
    assert "intake.max_files: must be at least 1" in caught.value.message
    assert config.parse(b"") == config.Config()
