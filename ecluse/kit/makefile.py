"""``Makefile``: one target for each service and kind of test; beside one of your own, ``kit.mk`` to include."""

from __future__ import annotations

import re
from pathlib import Path

from ecluse.kit import runners
from ecluse.kit.survey import Survey
from ecluse.kit.wanted import Wanted, fill, untouched

_DEFAULT = frozenset(["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"])
"""The names that compose looks for when it is told none."""
PATH, BESIDE = "Makefile", "kit.mk"
_TARGETS = re.compile(r"^([A-Za-z0-9_. %/-]+?)\s*:(?![=:])", re.M)


def wanted(work_tree: Path, survey: Survey) -> list[Wanted]:
    """The Makefile, or what a Makefile that somebody wrote can include: the targets that it does not have itself."""
    own = _own(work_tree)
    if own is None:
        return [Wanted(PATH, _text(survey, frozenset()))]
    why = ""
    if not re.search(rf"^-?include\s.*\b{re.escape(BESIDE)}\b", own, re.M):
        why = f"it is yours and stays; the targets that it lacks are in {BESIDE}: add the line `include {BESIDE}` at its end"
    taken = frozenset(name for line in _TARGETS.findall(own) for name in line.split())
    made = [Wanted(BESIDE, _text(survey, taken, beside=True))]
    return [Wanted(PATH, own, why=why), *made] if why else made


def _own(work_tree: Path) -> str | None:
    """The text of a Makefile that is not the kit's; ``None`` when there is none, or it is the kit's."""
    try:
        text = (work_tree / PATH).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return None if untouched(text) else text


def _text(survey: Survey, taken: frozenset[str], *, beside: bool = False) -> str:
    return fill(
        "Makefile",
        survey=survey,
        projects=survey.projects,
        taken=taken,
        beside=beside,
        serving=bool(survey.e2e) or any(test.kind == "integration" for one in survey.projects for test in one.tests),
        rooted=any(one.path == "." and one.language == "python" for one in survey.projects),
        declared=bool(_DEFAULT.intersection(survey.compose)),
        with_results=runners.with_results,
    )
