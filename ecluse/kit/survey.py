"""Looks at a repository's files: which projects lie in it, how they are installed, tested, checked and served.

Only reads. What it finds is what the kit's files are fitted to; two looks at the same tree give the same answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ecluse import config
from ecluse.kit.found import KINDS, PORT, Kind, Language, Project, Survey, Tests, slug, text_of
from ecluse.kit.survey_javascript import Workspace, workspace_of
from ecluse.kit.survey_javascript import project as javascript_project
from ecluse.kit.survey_python import has_tests
from ecluse.kit.survey_python import project as python_project

__all__ = ["KINDS", "Kind", "Language", "Project", "Survey", "Tests", "look"]

_MANIFESTS = ("pyproject.toml", "setup.py", "requirements.txt", "package.json")
_NOT_PROJECTS = frozenset(
    ["node_modules", "tests", "test", "testing", "__tests__", "docs", "doc", "website", "examples", "example", "samples",
     "fixtures", "bench", "benchmark", "benchmarks", "vendor", "third_party", "build", "dist", "venv", "env",
     "site-packages", "__pycache__", "requirements", "template", "templates", "files"]
)  # fmt: skip
_HELPERS = frozenset(["ci", "script", "scripts", "tool", "tools", "bin", "hack", "etc", "contrib", "deploy", "ops"])
"""Folders that are no project when all they have is a list of what their own scripts need."""
_OTHERS = (
    ("go.mod", "Go"), ("*.go", "Go"), ("Cargo.toml", "Rust"), ("pom.xml", "Java"), ("build.gradle*", "Gradle"), ("Gemfile", "Ruby"),
    ("composer.json", "PHP"), ("*.sln", ".NET"), ("*.csproj", ".NET"), ("mix.exs", "Elixir"), ("CMakeLists.txt", "C or C++"),
)  # fmt: skip
_EXPOSED = re.compile(r"^\s*EXPOSE\s+(\d{1,5})\b", re.M | re.I)
_DEPTH = 3


def look(folder: Path) -> Survey:
    """The survey of the tree in ``folder``."""
    places = list(_places(folder))
    workspaces = [found for place, language in places if language == "javascript" and (found := workspace_of(place))]
    made = [one for place, language in places if (one := _project(folder, place, language, workspaces))]
    projects = _told(_unique(_without_idle_roots(made, workspaces, folder)), config.of_checkout(folder))
    workflows = sorted(
        path.relative_to(folder).as_posix()
        for parent in (".github/workflows", ".forgejo/workflows", ".gitea/workflows")
        for path in folder.joinpath(parent).glob("*.y*ml")
    )
    compose = tuple(sorted(path.name for path in folder.glob("*compose*.y*ml")))
    e2e = ("tests/e2e",) if has_tests(folder / "tests/e2e") else ()
    name = next((one.name for one in projects if one.path == "."), slug(folder.resolve().name))
    survey = Survey(name, tuple(projects), tuple(workflows), compose, e2e)
    sentences = (*_sentences(survey), *_of_others(folder))
    return replace(survey, found=sentences or ("neither a Python nor a JavaScript project",))


def _told(projects: list[Project], policy: config.Config) -> list[Project]:
    """What a person said in ``[kit.projects.NAME]`` about a project counts more than what can be seen of it."""
    made = []
    for one in projects:
        said = policy.kit.projects.get(one.name)
        if said is not None:
            health = said.health or one.health
            port = one.port if said.port == PORT else said.port
            one = replace(one, start=said.start, port=port, health=health, system=said.packages)
        made.append(one)
    return made


def _sentences(survey: Survey) -> tuple[str, ...]:
    lines = []

    def whose(one: Project) -> str:
        return "what manage.py finds" if one.manage else "its test script"

    for one in survey.projects:
        tests = ", ".join(f"{test.kind} tests in {' '.join(test.paths) or whose(one)}" for test in one.tests)
        lines.append(f"{one.path}: {one.language} ({one.manager}), {tests or 'no tests'}")
        lines += [f"{one.dockerfile}: builds {one.name}"] if one.dockerfile else []
        lines += [f"{one.path}: a command to install ({', '.join(one.commands)})"] if one.commands else []
    lines += [f"{path}: a workflow" for path in survey.workflows]
    return tuple(lines)


def _of_others(folder: Path) -> Iterator[str]:
    """What is written in a language that the kit has no checks for, by its manifest."""
    named = set()
    for pattern, language in _OTHERS:
        for path in sorted(folder.glob(pattern))[: language not in named]:
            named.add(language)
            yield f"{path.name}: {language}, which the kit has no checks for; steps of yours belong in a workflow"


def _places(folder: Path) -> Iterator[tuple[Path, Language]]:
    """Folders with a manifest."""
    for place, files in _walk(folder, 0):
        names = files.intersection(_MANIFESTS)
        python = names - {"package.json"}
        if python and not (python == {"requirements.txt"} and place.name in _HELPERS and place != folder):
            yield place, "python"
        if "package.json" in names:
            yield place, "javascript"


def _walk(place: Path, depth: int) -> Iterator[tuple[Path, set[str]]]:
    """Folders that may hold a project, with the names of their files; an environment of Python is none."""
    with os.scandir(place) as entries:
        found = list(entries)
    files = {entry.name for entry in found if entry.is_file()}
    if "pyvenv.cfg" in files:
        return
    yield place, files
    if depth < _DEPTH:
        for name in sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False)):
            if name[0] != "." and name not in _NOT_PROJECTS:
                yield from _walk(place / name, depth + 1)


def _project(root: Path, place: Path, language: Language, workspaces: list[Workspace]) -> Project | None:
    where = place.relative_to(root).as_posix()
    name = slug(place.resolve().name)
    own = "Dockerfile" if where == "." else f"{where}/Dockerfile"
    dockerfile = own if (root / own).is_file() else ""
    if language == "python":
        made = python_project(root, place, where, name, dockerfile)
    else:
        made = javascript_project(root, place, where, name, dockerfile, workspaces)
    from ecluse.kit.wanted import untouched

    text = text_of(root / dockerfile) if made and dockerfile else ""
    said = [] if untouched(text) else _EXPOSED.findall(text)
    return replace(made, port=int(said[-1])) if made and said else made


def _without_idle_roots(made: list[Project], workspaces: list[Workspace], root: Path) -> list[Project]:
    """A workspace's root is a project for what it does itself: its packages' tests are their own."""
    members = {one.path for one in made if any(space.holds(root / one.path) for space in workspaces)}
    tested = any(one.tests for one in made if one.path in members and one.language == "javascript")
    kept = []
    for one in made:
        space = next((s for s in workspaces if s.root == root / one.path), None)
        if space is not None and one.language == "javascript":
            one = replace(one, tests=() if tested else one.tests, whole=True)
            if not one.tests and "lint" not in one.scripts:
                continue
        kept.append(one)
    return kept


def _unique(projects: list[Project]) -> list[Project]:
    """Projects with names that are jobs' ids and targets' names: two of one name get their folder or language added."""
    taken: set[str] = set()
    made = []
    for one in projects:
        name = one.name
        if name in taken:
            name = f"{name}-{one.language}" if one.path == "." else slug(one.path)
        while name in taken:
            name += "-2"
        taken.add(name)
        made.append(replace(one, name=name))
    return made
