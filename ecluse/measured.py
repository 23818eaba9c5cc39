"""What tests and coverage came to, as nouns. Imports nothing of ours; durations are milliseconds."""

from __future__ import annotations

from ecluse.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """How many test cases there were, and what they came to; the time is the sum of theirs."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class FailedCase:
    """A test that failed (``kind`` failure) or could not be carried out (``kind`` error), with its message."""

    name: str
    job: str
    message: str = ""
    file: str = ""
    line: int = 0
    kind: str = "failure"


@dataclass(frozen=True, slots=True)
class CaseTime:
    name: str
    job: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class TestResults:
    """What the tests of a run came to. ``flaky`` both failed and passed in one job; ``files`` is where it was read."""

    counts: CaseCounts
    failures: tuple[FailedCase, ...] = ()
    slowest: tuple[CaseTime, ...] = ()
    flaky: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileCoverage:
    name: str
    covered: int
    total: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Lines that tests went through, of those they could; ``files`` are the least covered ones, ``percent`` 0 to 100."""

    covered: int
    total: int
    percent: float
    files: tuple[FileCoverage, ...] = ()
