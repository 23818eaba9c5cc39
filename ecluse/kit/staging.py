"""Compose files, deployments to staging and production, and the end-to-end tests between them."""

from __future__ import annotations

from ecluse.kit.docker import stays, variable_of
from ecluse.kit.survey import Survey
from ecluse.kit.wanted import Wanted, fill

_NOTHING = "nothing here stays running (a web application, a start script, or [kit.projects.NAME] start in ecluse.toml)"


def wanted(survey: Survey) -> list[Wanted]:
    """Three compose files and three workflows."""
    services = [one for one in survey.projects if stays(one)]
    why = "" if services else _NOTHING
    context = {"services": services, "name": survey.name, "e2e": bool(survey.e2e), "variable_of": variable_of}
    made = [
        Wanted("compose.yml", fill("compose.yml", kind="local", **context), why=why),
        Wanted("compose.prod.yml", fill("compose.yml", kind="prod", **context), why=why),
        Wanted("docker-compose.staging.yml", fill("compose.yml", kind="staging", **context), why=why),
    ]
    for place, file in (("staging", "docker-compose.staging.yml"), ("prod", "compose.prod.yml")):
        text = fill("deploy.yml", place=place, file=file, **context)
        made.append(Wanted(f".github/workflows/deploy-{place}.yml", text, why=why))
    made.append(Wanted(".github/workflows/e2e.yml", fill("e2e.yml", **context), why=why or _no_tests(survey)))
    return made


def _no_tests(survey: Survey) -> str:
    return "" if survey.e2e else "there are no tests in tests/e2e yet"
