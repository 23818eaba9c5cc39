"""``.pre-commit-config.yaml``: fast checks before every commit."""

from __future__ import annotations

from ecluse.kit import pins
from ecluse.kit.survey import Survey
from ecluse.kit.wanted import Wanted, fill


def wanted(survey: Survey) -> list[Wanted]:
    """The one file; a repository without Python gets no hooks for it."""
    text = fill(
        "pre-commit-config.yaml",
        python=survey.speaks("python"),
        javascript=survey.speaks("javascript"),
        versions=pins,
    )
    return [Wanted(".pre-commit-config.yaml", text)]
