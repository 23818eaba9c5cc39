"""What jobs leave behind as files: test cases and coverage, found in the workspace when a job has ended.

A file counts when the job wrote it: it is not older than the job, and the tree under test has no such file with the
same bytes. What it is, its content says. Files that are not read are named with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ecluse.checks import junit, linecoverage
from ecluse.checks.globs import path_pattern
from ecluse.checks.junit import Case
from ecluse.checks.linecoverage import Lines
from ecluse.checks.xmlread import MAX_BYTES, XmlRefused
from ecluse.measured import CaseCounts, CaseTime, FailedCase, TestResults
from ecluse.model import Job, NotRunHere, Result
from ecluse.secrets.mask import Masker

USUAL = ("**/*.xml", "**/*coverage*.json", "**/cov*.json")
"""Names that are looked at unless the request names others; a file's content decides what it is."""

SLOWEST = 20
MAX_FAILURES = 200
MAX_FLAKY = 100
_MAX_FILES = 500
_MAX_ENTRIES = 200_000
_PEEK = 4096
_SKIPPED = frozenset(
    {".git", "node_modules", ".venv", "venv", ".tox", ".nox", "site-packages", "__pycache__", ".mypy_cache"}
)
_EARLIER_S = 0.05  # a file system may give a time a little before the clock's


@dataclass(slots=True)
class JobResults:
    """What one job measured; ``times`` are when the files with failures were written (seconds since the epoch)."""

    cases: list[Case] = field(default_factory=list)
    lines: Lines = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def collect(roots: Sequence[Path], tree: Path, since: float, names: Sequence[str] = ()) -> JobResults:
    """Read every result file that was written below ``roots`` since the moment ``since``, in seconds.

    ``names`` are patterns relative to a root; empty: the usual ones. Links are not followed.
    """
    found = JobResults()
    for root in roots:
        for path, written in _candidates(root, names or USUAL, since):
            if len(found.files) + len(found.refused) >= _MAX_FILES:
                return found
            name = path.relative_to(root).as_posix()
            try:
                data = _read(path)
                if data is not None and not _is_of_tree(tree, name, data):
                    _take(found, name, data, written)
            except XmlRefused as refused:
                found.refused.append((name, str(refused)))
            except OSError:
                continue  # it went away meanwhile: something that the job left running still writes
    return found


def _candidates(root: Path, names: Sequence[str], since: float) -> Iterator[tuple[Path, float]]:
    rules = [path_pattern(name) for name in names]
    seen = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        seen += len(files)
        if seen > _MAX_ENTRIES:
            return
        for name in sorted(files):
            if not name.endswith((".xml", ".json")):
                continue
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if not any(rule.fullmatch(relative) for rule in rules) or path.is_symlink():
                continue
            written = path.stat().st_mtime
            if path.is_file() and written >= since - _EARLIER_S:
                yield path, written


def _read(path: Path) -> bytes | None:
    """The bytes of a file that looks like results; ``None`` for any other XML or JSON, which is left unread."""
    with path.open("rb") as handle:
        head = handle.read(_PEEK)
        if _kind(head) is None:
            return None
        data = head + handle.read(MAX_BYTES + 1 - len(head))
    if len(data) > MAX_BYTES:
        raise XmlRefused(f"it is larger than {MAX_BYTES >> 20} MiB")
    return data


def _kind(head: bytes) -> str | None:
    text = head.replace(b"\0", b"")  # UTF-16 looks like its ASCII letters then
    if b"<testsuite" in text:
        return "junit"
    if b"<coverage" in text:
        return "coverage"
    return "json" if text.lstrip()[:1] == b"{" and b'"meta"' in text and b'"files"' in text else None


def _is_of_tree(tree: Path, name: str, data: bytes) -> bool:
    """Whether the tree under test has this file already, wherever in the workspace it was checked out to."""
    parts = Path(name).parts
    for start in range(len(parts)):
        twin = tree.joinpath(*parts[start:])
        try:
            if twin.stat().st_size == len(data) and twin.read_bytes() == data:
                return True
        except OSError:
            continue
    return False


def _take(found: JobResults, name: str, data: bytes, written: float) -> None:
    kind = _kind(data[:_PEEK])
    if kind == "junit":
        cases = junit.read(data)
        found.cases += cases
        if any(case.result == "failed" for case in cases):
            found.times.append(written)
    else:
        lines = linecoverage.read_json(data) if kind == "json" else linecoverage.read_xml(data)
        found.lines = linecoverage.join((found.lines, lines))
    found.files.append(name)


def count(cases: Iterable[Case]) -> CaseCounts:
    """How many cases came to what. A case that was tried several times counts once, as it ended."""
    last = {(case.name, case.file): case.result for case in cases}
    results = list(last.values())
    return CaseCounts(
        total=len(results),
        passed=results.count("passed"),
        failed=results.count("failed"),
        errors=results.count("error"),
        skipped=results.count("skipped"),
        duration_ms=round(sum(case.duration_ms for case in cases), 3),
    )


def flaky(cases: Iterable[Case]) -> list[str]:
    """Cases that both failed and passed in one job, or that the test program itself calls so."""
    seen: dict[tuple[str, str], set[str]] = {}
    known: dict[str, None] = {}
    for case in cases:
        results = seen.setdefault((case.name, case.file), set())
        results.add(case.result)
        if case.is_flaky or ("passed" in results and results & {"failed", "error"}):
            known[case.name] = None
    return list(known)


def gather(
    jobs: Sequence[tuple[str, JobResults]], masker: Masker, taken_over: Sequence[CaseCounts] = ()
) -> TestResults | None:
    """The test results of a whole run from those of its jobs (key, results), masked; ``None`` without any.

    ``taken_over`` are the counts of jobs that were not run again.
    """
    if not any(results.cases for _, results in jobs) and not taken_over:
        return None
    failures: list[FailedCase] = []
    times: list[CaseTime] = []
    unstable: dict[str, None] = {}
    counts = [*(count(results.cases) for _, results in jobs), *taken_over]
    for key, results in jobs:
        last = {(case.name, case.file): case for case in results.cases}
        failures += [_failed(key, case, masker) for case in last.values() if case.result in ("failed", "error")]
        times += [CaseTime(masker.mask(case.name), key, case.duration_ms) for case in last.values()]
        unstable |= dict.fromkeys(masker.mask(name) for name in flaky(results.cases))
    slowest = sorted((one for one in times if one.duration_ms > 0), key=lambda one: -one.duration_ms)[:SLOWEST]
    names = ("total", "passed", "failed", "errors", "skipped")
    sums = {name: sum(getattr(one, name) for one in counts) for name in names}
    return TestResults(
        counts=CaseCounts(**sums, duration_ms=round(sum(one.duration_ms for one in counts), 3)),
        failures=tuple(failures[:MAX_FAILURES]),
        slowest=tuple(slowest),
        flaky=tuple(unstable)[:MAX_FLAKY],
        files=tuple(f"{key}: {masker.mask(name)}" for key, results in jobs for name in results.files),
    )


def _failed(key: str, case: Case, masker: Masker) -> FailedCase:
    kind = "failure" if case.result == "failed" else "error"
    return FailedCase(masker.mask(case.name), key, masker.mask(case.message), masker.mask(case.file), case.line, kind)


def not_run_here(jobs: Iterable[tuple[Job, tuple[NotRunHere, ...]]]) -> tuple[NotRunHere, ...]:
    """What was asked for and not done here: as actions said, or as the reason of a step that did not fail says."""
    found: list[NotRunHere] = []
    for job, said in jobs:
        found += said
        known = {note.step for note in said}
        for step in job.steps:
            is_note = step.outcome in (Result.SUCCESS, Result.SKIPPED) and "not run here" in step.reason.lower()
            if is_note and step.number not in known:
                found.append(NotRunHere(job.key, step.name, step.reason, step.number))
    return tuple(found)
