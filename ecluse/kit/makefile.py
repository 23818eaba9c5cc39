"""``Makefile``: one target for each service and kind of test."""

from __future__ import annotations

from pathlib import PurePosixPath

from ecluse.kit.survey import Survey
from ecluse.kit.wanted import Wanted, fill

_BESIDE = "kit.mk"


def wanted(survey: Survey) -> list[Wanted]:
    """The Makefile. Its recipes enter a project's folder, so that it may be included from elsewhere too."""
    text = fill("Makefile", survey=survey, projects=survey.projects, base=lambda path: PurePosixPath(path).name)
    return [Wanted("Makefile", text)]
