"""Faults found in workflow files, collected so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

from ecluse.errors import Invalid


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where it is (line and column count from 1, 0 when the whole file is meant) and what to do."""

    path: str
    line: int
    column: int
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}: " if self.line else self.path and f"{self.path}: "
        return f"{place}{self.message}" + (f" ({self.suggestion})" if self.suggestion else "")


class WorkflowProblem(Invalid):
    """One or more workflow files are wrong; ``faults`` has all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        ordered = tuple(sorted(dict.fromkeys(faults), key=lambda fault: (fault.path, fault.line, fault.column)))
        count = len(ordered)
        super().__init__(
            "workflow.invalid",
            "\n".join(
                ["The workflow is wrong:" if count == 1 else f"The workflows have {count} faults:"]
                + [f"  {fault}" for fault in ordered]
            ),
            "correct the file at the given lines, then type the same command again",
            {"faults": [asdict(fault) for fault in ordered]},
        )
        self.faults = ordered


class Faults:
    """Collects the faults of one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Fault] = []

    def add(self, place: object, message: str, suggestion: str = "") -> None:
        """Note a fault at ``place``, which is anything with ``line`` and ``column``."""
        line, column = getattr(place, "line", 0), getattr(place, "column", 0)
        self.found.append(Fault(self.path, line, column, message, suggestion))


def closest(word: str, known: Sequence[str]) -> str:
    """``did you mean ...?`` when a known word is near, else the words to choose from when they are few."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"one of: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""
