"""``Dockerfile`` and ``.dockerignore`` of each project that has none.

What stays running (a service) gets an image that listens; what is typed (a package that installs a command) gets one
whose entry is that command; a library has nothing to start, and gets none.
"""

from __future__ import annotations

import re
from pathlib import Path

from ecluse.kit import pins
from ecluse.kit.survey import Project, Survey
from ecluse.kit.wanted import Wanted, fill, untouched


def wanted(work_tree: Path, survey: Survey) -> list[Wanted]:
    """One image for each project that can be started."""
    found = []
    for one in survey.projects:
        place = "" if one.path == "." else f"{one.path}/"
        if not startable(one) and not one.dockerfile:
            continue
        found.append(Wanted(f"{place}Dockerfile", text_of(one), why=_own(work_tree, f"{place}Dockerfile")))
        found.append(Wanted(f"{place}.dockerignore", fill("dockerignore", one=one)))
    return found


def text_of(one: Project) -> str:
    """The Dockerfile of ``one``. What its tests need is read from the commands that install it."""
    install = " ".join(one.install)
    lists = [name for name in re.findall(r"-r (\S+)", install) if name != one.runtime] if one.manager == "pip" else []
    extras = re.search(r"\.\[([^\]]+)\]", install)
    return fill(
        "Dockerfile",
        one=one,
        start=start(one),
        command=entry(one),
        versions=pins,
        test_lists=lists,
        test_extras=extras.group(1).split(",") if extras else [],
    )


def _own(work_tree: Path, path: str) -> str:
    """A Dockerfile that somebody wrote knows what the project needs; no proposal can know better."""
    try:
        text = (work_tree / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return "" if untouched(text) else f"it is yours and stays; to compare: ecluse init --print {path}"


def served(one: Project) -> bool:
    """Whether it stays running once it is started; an image of one folder of a workspace would lack the lock file."""
    return not one.shared and bool(one.start or one.application or "start" in one.scripts)


def entry(one: Project) -> str:
    """The command that a package installs, when that is what one does with it: the one of its name, else its only one."""
    if served(one) or one.shared or not one.packaged or one.language != "python":
        return ""
    return one.name if one.name in one.commands else one.commands[0] if len(one.commands) == 1 else ""


def stays(one: Project) -> bool:
    """Whether it is a service: it stays running, or somebody's Dockerfile is for something that is no command."""
    return served(one) or (bool(one.dockerfile) and not entry(one))


def published(survey: Survey) -> Project | None:
    """The package that the repository is, when it is one: what a package index gets."""
    root = [one for one in survey.projects if one.path == "." and one.language == "python"]
    return root[0] if root and root[0].packaged and not stays(root[0]) else None


def variable_of(name: str) -> str:
    """The variable by which compose files, deployments and the playbook know the image of the project ``name``."""
    return f"{name.upper().replace('-', '_')}_IMAGE"


def startable(one: Project) -> bool:
    """Whether an image of it can be started."""
    return served(one) or bool(entry(one))


def start(one: Project) -> list[str]:
    """The command of the image."""
    if one.start:
        return list(one.start)
    if one.language == "javascript":
        return f"{one.runner}start".split()
    if one.application:
        return ["python", "-m", "uvicorn", one.application, "--host", "0.0.0.0", "--port", str(one.port)]  # noqa: S104
    return ["python", "-m", (one.sources or (one.name,))[0].removesuffix(".py")]
