"""Compose files, deployments to staging and production, and the end-to-end tests between them."""

from __future__ import annotations

import re
from pathlib import Path

from ecluse.kit.docker import stays, variable_of
from ecluse.kit.survey import Project, Survey
from ecluse.kit.wanted import Wanted, fill

_STAGE = re.compile(r"^\s*FROM\s.*\sAS\s+production\s*$", re.IGNORECASE | re.MULTILINE)
_NOTHING = "nothing here stays running (a web application, a start script, or [kit.projects.NAME] start in ecluse.toml)"


def wanted(survey: Survey, work_tree: Path | None = None) -> list[Wanted]:
    """Three compose files and three workflows. ``work_tree`` is where the Dockerfiles lie that somebody wrote."""
    services = [one for one in survey.projects if stays(one)]
    why = "" if services else _NOTHING
    targeted = [one.name for one in services if work_tree is None or _has_stage(work_tree, one)]
    context = {
        "services": services,
        "targeted": targeted,
        "name": survey.name,
        "e2e": bool(survey.e2e),
        "variable_of": variable_of,
    }
    made = [
        Wanted(file, fill("compose.yml", kind=kind, file=file, **context), why=why)
        for kind, file in (
            ("local", "compose.yml"),
            ("prod", "compose.prod.yml"),
            ("staging", "docker-compose.staging.yml"),
        )
    ]
    for place, file in (("staging", "docker-compose.staging.yml"), ("prod", "compose.prod.yml")):
        text = fill("deploy.yml", place=place, file=file, **context)
        made.append(Wanted(f".github/workflows/deploy-{place}.yml", text, why=why))
    made.append(Wanted(".github/workflows/e2e.yml", fill("e2e.yml", **context), why=why or _no_tests(survey)))
    return made


def _has_stage(work_tree: Path, one: Project) -> bool:
    """Whether the project's Dockerfile has a stage called production; the kit's own has."""
    try:
        text = (work_tree / one.path / "Dockerfile").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return True
    return bool(_STAGE.search(text))


def _no_tests(survey: Survey) -> str:
    return "" if survey.e2e else "there are no tests in tests/e2e yet"
