"""The one shape that every step module has, and what a step may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecluse.release.context import Context


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over. ``said`` is one sentence for people; ``changes`` are new values of the release's fields."""

    said: str
    result: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Again:
    """The step is under way: look again in ``seconds``, or earlier if something wakes the release."""

    seconds: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The step cannot go on until a person acts elsewhere; ``said`` tells who and what, and what to type."""

    said: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The step asks people: a gate of this name and question is opened, and the step is over when it is answered."""

    name: str
    question: str


Outcome = Done | Again | Blocked | Ask


@dataclass(frozen=True, slots=True)
class Shape:
    """What a step module offers; ``docs/steps.md`` is made of these. A problem that ``run`` raises fails the step.

    ``keys`` are its arguments with what they mean, ``required`` those that must be given, ``kinds`` what some of them have
    to be (``time``, ``number``, ``count``, ``clock``, or words with bars between them), for the linter; ``outputs`` what its result
    holds. ``effect`` says what it changes outside Écluse (empty: nothing) and ``probe`` how an effect that was cut
    short is found again. ``irreversible`` is an effect that a rollback cannot take back; ``goes_live`` reaches the
    environment; ``aside`` tells or keeps something and says nothing of what is live, which its failure leaves as it is;
    ``moves_commit`` leaves the release at another commit; ``environment`` needs one.
    """

    name: str
    summary: str
    run: Callable[[Context], Outcome]
    keys: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    goes_live: bool = False
    moves_commit: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    effect: str = ""
    probe: str = ""
    irreversible: bool = False
    environment: bool = False
    aside: bool = False
