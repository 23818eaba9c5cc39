"""``Dockerfile`` and ``.dockerignore`` of each project that has none."""

from __future__ import annotations

from pathlib import Path

from ecluse.kit.survey import Project, Survey
from ecluse.kit.wanted import Wanted, fill, untouched


def wanted(work_tree: Path, survey: Survey) -> list[Wanted]:
    """One image for each project that can be started; a library has nothing to start, and gets none."""
    found = []
    for one in survey.projects:
        place = "" if one.path == "." else f"{one.path}/"
        if not served(one) and not one.dockerfile:
            continue
        found.append(
            Wanted(
                f"{place}Dockerfile",
                fill("Dockerfile", one=one, start=start(one)),
                why=_own(work_tree, f"{place}Dockerfile"),
            )
        )
        found.append(Wanted(f"{place}.dockerignore", fill("dockerignore", one=one)))
    return found


def _own(work_tree: Path, path: str) -> str:
    """A Dockerfile that somebody wrote knows what the project needs; no proposal can know better."""
    try:
        text = (work_tree / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return "" if untouched(text) else f"it is yours and stays; to compare: ecluse init --print {path}"


def served(one: Project) -> bool:
    """Whether there is something to start."""
    return bool(one.application or "start" in one.scripts)


def start(one: Project) -> list[str]:
    """The command of the image."""
    if one.language == "javascript":
        return ["npm", "start"]
    if one.application:
        return ["python", "-m", "uvicorn", one.application, "--host", "0.0.0.0", "--port", "8000"]  # noqa: S104
    return ["python", "-m", (one.sources or (one.name,))[0].removesuffix(".py")]
