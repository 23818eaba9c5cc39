"""Line coverage from Cobertura XML (also coverage.py's ``coverage xml``) and from ``coverage json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ecluse.checks.xmlread import XmlRefused, walk
from ecluse.measured import Coverage, FileCoverage

Lines = dict[str, dict[int, bool]]
"""File -> number of each line that can be run -> whether it was."""

LEAST_COVERED = 20
"""How many files a report names."""

_MAX_LINE = 10_000_000


def read_xml(data: bytes) -> Lines:
    """Cobertura. Raises :class:`ecluse.checks.xmlread.XmlRefused`."""
    found: Lines = {}
    where: list[dict[int, bool]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "class" and attributes.get("filename"):
            where.append(found.setdefault(attributes["filename"].replace("\\", "/")[:500], {}))
        elif name == "line" and where:
            number, hits = attributes.get("number", ""), attributes.get("hits", "")
            if number.isdecimal() and len(number) < 8:
                where[-1][int(number)] = where[-1].get(int(number), False) or hits.strip("0") != ""

    def end(name: str, _: str) -> None:
        if name == "class" and where:
            where.pop()

    walk(data, start, end)
    return found


def read_json(data: bytes) -> Lines:
    """``coverage json``. Raises :class:`XmlRefused` for JSON of another kind."""
    try:
        document = json.loads(data)
        files = document["files"]
        return {
            str(name).replace("\\", "/")[:500]: {
                **dict.fromkeys(_numbers(one["missing_lines"]), False),
                **dict.fromkeys(_numbers(one["executed_lines"]), True),
            }
            for name, one in files.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise XmlRefused(f"it is not what `coverage json` writes ({type(error).__name__}: {error})"[:200]) from error


def _numbers(values: Iterable[object]) -> list[int]:
    return [value for value in values if isinstance(value, int) and 0 < value < _MAX_LINE]


def join(parts: Iterable[Lines]) -> Lines:
    """Several measurements as one: a line was run when one of them ran it."""
    whole: Lines = {}
    for part in parts:
        for name, lines in part.items():
            known = whole.setdefault(name, {})
            for number, hit in lines.items():
                known[number] = known.get(number, False) or hit
    return whole


def summarise(lines: Mapping[str, Mapping[int, bool]]) -> Coverage | None:
    """Counts over all files; ``None`` when nothing was measured."""
    files = [FileCoverage(name, sum(found.values()), len(found)) for name, found in lines.items() if found]
    total = sum(one.total for one in files)
    if not total:
        return None
    covered = sum(one.covered for one in files)
    least = sorted(files, key=lambda one: (one.covered / one.total, -one.total, one.name))
    named = tuple(one for one in least if one.covered < one.total)[:LEAST_COVERED]
    return Coverage(covered, total, round(covered * 100 / total, 2), named)
