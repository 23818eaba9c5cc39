"""Looks at a repository's files: which projects lie in it, how they are installed, tested, checked and served.

Only reads. What it finds is what the kit's files are fitted to; two looks at the same tree give the same answer.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ecluse import config
from ecluse.kit import runners

Language = Literal["python", "javascript"]
Kind = Literal["unit", "integration", "e2e"]
KINDS: tuple[Kind, ...] = ("unit", "integration", "e2e")

_MANIFESTS = ("pyproject.toml", "setup.py", "requirements.txt", "package.json")
_NOT_PROJECTS = frozenset(
    [
        "node_modules",
        "tests",
        "test",
        "testing",
        "docs",
        "doc",
        "examples",
        "example",
        "fixtures",
        "vendor",
        "third_party",
        "build",
        "dist",
        "venv",
        "env",
        "site-packages",
        "__pycache__",
        "requirements",
        "template",
        "templates",
        "files",
    ]
)
_DEPTH = 3
_CAP = 2 << 20
_LOOKED_AT = 200
"""Files of a project that are read for a path of health, at most."""
_TEST_FOLDERS = ("tests", "test", "testing", "__tests__")
_EXTRAS = ("test", "tests", "testing", "dev")
_REQUIREMENTS = (
    "requirements-dev.txt", "requirements-test.txt", "requirements_dev.txt", "dev-requirements.txt",
    "test-requirements.txt", "requirements/dev.txt", "requirements/test.txt", "requirements/tests.txt",
)  # fmt: skip
_RUNTIME = ("requirements.txt", "requirements/runtime.txt", "requirements/prod.txt", "requirements/production.txt")
_HEALTH = re.compile(r"[\"'](/(?:api/)?(?:health|healthz|healthcheck|ping|status))/?[\"']")
_VERSION = re.compile(r"^__version__[ \t]*(?::[ \t]*\w+[ \t]*)?=[ \t]*[\"']", re.M)
_OUTSIDE = re.compile(r"^\s*(?:import|from)\s+(?:psycopg\w*|redis|sqlalchemy|pymongo|testcontainers|docker)\b", re.M)
"""Imports of a test that speak for a service outside the process."""


@dataclass(frozen=True, slots=True)
class Tests:
    """Test files of one kind; ``paths`` are relative to the project's folder."""

    kind: Kind
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """One package or service; ``path`` is relative to the repository, ``.`` for its root."""

    name: str
    path: str
    language: Language
    manager: str
    install: tuple[str, ...]
    runner: str = ""
    tests: tuple[Tests, ...] = ()
    sources: tuple[str, ...] = ()
    python: str = "3.11"
    configured: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()
    dockerfile: str = ""
    application: str = ""
    lock: str = ""
    moves: tuple[tuple[str, str], ...] = ()
    packaged: bool = False
    """Whether it can be built and installed: a build system is named."""
    runtime: str = ""
    """The list of what it needs when it runs, for a layer of its own in an image."""
    versions: tuple[str, ...] = ()
    """Files that say its version themselves."""
    commands: tuple[str, ...] = ()
    """What it installs for a shell."""
    start: tuple[str, ...] = ()
    """What starts it, said in ``[kit.projects.NAME]`` of the policy."""
    port: int = 8000
    health: str = ""
    """Path that answers when it is well, where one is seen or said."""
    system: tuple[str, ...] = ()
    """Debian packages that its image needs."""
    runner_of_tests: runners.Runner = runners.NONE

    def paths_of(self, kind: Kind) -> tuple[str, ...]:
        """Where the tests of ``kind`` lie; empty when there are none."""
        return next((one.paths for one in self.tests if one.kind == kind), ())


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a repository."""

    name: str
    projects: tuple[Project, ...]
    workflows: tuple[str, ...] = ()
    compose: tuple[str, ...] = ()
    e2e: tuple[str, ...] = ()
    found: tuple[str, ...] = field(default=(), compare=False)

    @property
    def many(self) -> bool:
        """Whether it is a monorepo: jobs are then run for what changed only."""
        return len(self.projects) > 1

    def speaks(self, language: Language) -> bool:
        return any(project.language == language for project in self.projects)


def look(folder: Path) -> Survey:
    """The survey of the tree in ``folder``."""
    projects = _told(
        _unique([made for place, language in _places(folder) if (made := _project(folder, place, language))]),
        config.of_checkout(folder),
    )
    workflows = sorted(
        path.relative_to(folder).as_posix()
        for parent in (".github/workflows", ".forgejo/workflows", ".gitea/workflows")
        for path in folder.joinpath(parent).glob("*.y*ml")
    )
    compose = tuple(sorted(path.name for path in folder.glob("*compose*.y*ml")))
    e2e = ("tests/e2e",) if _has_tests(folder / "tests/e2e") else ()
    name = next((one.name for one in projects if one.path == "."), _slug(folder.resolve().name))
    survey = Survey(name, tuple(projects), tuple(workflows), compose, e2e)
    return Survey(survey.name, survey.projects, survey.workflows, survey.compose, survey.e2e, _sentences(survey))


def _told(projects: list[Project], policy: config.Config) -> list[Project]:
    """What a person said in ``[kit.projects.NAME]`` about a project counts more than what can be seen of it."""
    made = []
    for one in projects:
        said = policy.kit.projects.get(one.name)
        if said is not None:
            health = said.health or one.health
            one = replace(one, start=said.start, port=said.port, health=health, system=said.packages)
        made.append(one)
    return made


def _sentences(survey: Survey) -> tuple[str, ...]:
    lines = []
    for one in survey.projects:
        tests = ", ".join(f"{test.kind} tests in {' '.join(test.paths)}" for test in one.tests) or "no tests"
        lines.append(f"{one.path}: {one.language} ({one.manager}), {tests}")
        lines += [f"{one.dockerfile}: builds {one.name}"] if one.dockerfile else []
        lines += [f"{one.path}: a command to install ({', '.join(one.commands)})"] if one.commands else []
    lines += [f"{path}: a workflow" for path in survey.workflows]
    return tuple(lines) or ("neither a Python nor a JavaScript project",)


def _places(folder: Path) -> Iterator[tuple[Path, Language]]:
    """Folders with a manifest; a root that only binds a workspace together is none."""
    for place in _walk(folder, 0):
        names = {name for name in _MANIFESTS if (place / name).is_file()}
        if names - {"package.json"}:
            yield place, "python"
        if "package.json" in names:
            yield place, "javascript"


def _walk(place: Path, depth: int) -> Iterator[Path]:
    yield place
    if depth < _DEPTH:
        for path in sorted(place.iterdir()):
            if path.is_dir() and not path.is_symlink() and path.name[0] != "." and path.name not in _NOT_PROJECTS:
                yield from _walk(path, depth + 1)


def _project(root: Path, place: Path, language: Language) -> Project | None:
    where = place.relative_to(root).as_posix()
    name = _slug(place.resolve().name)
    dockerfile = next((path for path in (f"{where}/Dockerfile", "Dockerfile") if (root / path).is_file()), "")
    dockerfile = "" if dockerfile == "Dockerfile" and where != "." else dockerfile.removeprefix("./")
    if language == "python":
        return _python(place, where, name, dockerfile)
    return _javascript(place, where, name, dockerfile)


def _python(place: Path, where: str, name: str, dockerfile: str) -> Project | None:
    document = _toml(place / "pyproject.toml")
    metadata, tool = _table(document, "project"), _table(document, "tool")
    tests = _python_tests(place)
    sources = tuple(
        sorted(
            path.name
            for path in place.iterdir()
            if (path.is_dir() and path.name not in _TEST_FOLDERS and ((path / "__init__.py").is_file() or _src(path)))
            or (
                path.suffix == ".py"
                and not path.name.startswith("test_")
                and path.name not in {"setup.py", "conftest.py"}
            )
        )
    )
    packaged = bool(metadata or "build-system" in document or (place / "setup.py").is_file())
    if not packaged and not sources and not tests:
        return None
    manager = "uv" if (place / "uv.lock").is_file() else "poetry" if (place / "poetry.lock").is_file() else "pip"
    minimum = max((int(n) for n in re.findall(r">=?\s*3\.(\d+)", str(metadata.get("requires-python", "")))), default=0)
    return Project(
        name=_slug(str(metadata.get("name", name)) if where == "." else name),
        path=where,
        language="python",
        manager=manager,
        install=_python_install(place, manager, metadata, document, packaged=packaged),
        runner={"uv": "uv run ", "poetry": "poetry run "}.get(manager, ""),
        tests=tests,
        sources=sources,
        python=f"3.{max(11, minimum)}",
        configured=frozenset(_configured(place, tool)),
        dockerfile=dockerfile,
        application=_application(place, sources),
        lock=next((n for n in ("uv.lock", "poetry.lock", "pyproject.toml", "requirements.txt", "setup.py") if (place / n).is_file()), ""),
        moves=_moves(place, tests),
        packaged="build-system" in document or (place / "setup.py").is_file(),
        runtime=next((n for n in _RUNTIME if (place / n).is_file()), ""),
        versions=tuple(_versions(place, metadata, sources)),
        commands=tuple(sorted(_table(metadata, "scripts"))),
        health=_health(place, sources),
    )  # fmt: skip


def _versions(place: Path, metadata: dict[str, Any], sources: tuple[str, ...]) -> Iterator[str]:
    """``pyproject.toml`` and the package's own ``__version__``, where they say it and do not read it elsewhere."""
    if "version" in metadata:
        yield "pyproject.toml"
    for path in sorted(path for source in sources for path in (place / source).glob("**/__init__.py")):
        if len(path.relative_to(place).parts) <= _DEPTH and _VERSION.search(_text(path)):
            yield path.relative_to(place).as_posix()


def _health(place: Path, sources: tuple[str, ...]) -> str:
    """The path by whose usual name a service says that it is well; empty when no source has one."""
    for source in sources:
        paths = [place / source] if source.endswith(".py") else sorted((place / source).rglob("*.py"))
        for path in paths[:_LOOKED_AT]:
            found = _HEALTH.search(_text(path))
            if found:
                return found.group(1)
    return ""


def _src(path: Path) -> bool:
    return (path.name == "src" and any(path.glob("*/__init__.py"))) or any(path.glob("src/*.py"))


def _configured(place: Path, tool: dict[str, Any]) -> Iterator[str]:
    for name, files in (("ruff", ("ruff.toml", ".ruff.toml")), ("mypy", ("mypy.ini", ".mypy.ini")), ("cov", ())):
        if name in tool or any((place / file).is_file() for file in files):
            yield name
    if "[mypy" in _text(place / "setup.cfg"):
        yield "mypy"
    if {"files", "packages", "modules"} & set(_table(tool, "mypy")):
        yield "mypy-paths"
    brought = " ".join(_text(place / name) for name in ("pyproject.toml", "requirements.txt", *_REQUIREMENTS))
    for name in ("ruff", "mypy"):
        if re.search(rf"^\s*[\"']?{name}\s*(?:[=<>~\"',\\]|$)", brought, re.M):
            yield f"has-{name}"
    if "setuptools_scm" in tool or re.search(r"[\"']hatch-vcs", brought):
        yield "scm"
    if any("--hash=" in _text(place / name) for name in _RUNTIME):
        yield "hashed"
    if "format" in _table(tool, "ruff") or "line-length" in _table(tool, "ruff"):
        yield "format"


def _python_install(
    place: Path, manager: str, metadata: dict[str, Any], document: dict[str, Any], *, packaged: bool
) -> tuple[str, ...]:
    """The commands that bring a project and what its tests need into the environment of the moment."""
    if manager == "uv":
        return ("python -m pip install uv", "uv sync --all-extras", "uv pip install pytest pytest-cov")
    if manager == "poetry":
        return ("python -m pip install poetry", "poetry install", "poetry run pip install pytest pytest-cov")
    words = []
    if packaged:
        extras = [name for name in _EXTRAS if name in _table(metadata, "optional-dependencies")]
        words.append(f'-e ".[{",".join(extras)}]"' if extras else "-e .")
    lists = [name for name in ("requirements.txt", *_REQUIREMENTS) if (place / name).is_file()]
    locked = [name for name in lists if "--hash=" in _text(place / name)]
    if locked:  # with hashes pip takes nothing beside what is listed, so the project itself comes after
        rest = ("python -m pip install --no-deps -e .",) if packaged else ()
        return (
            f"python -m pip install --require-hashes -r {locked[-1]}",
            *rest,
            "python -m pip install pytest pytest-cov",
        )
    words += [f"-r {name}" for name in lists]
    words += [f"--group {name}" for name in _EXTRAS if name in _table(document, "dependency-groups")]
    upgrade = ("python -m pip install --upgrade pip",) if any(word.startswith("--group") for word in words) else ()
    return (*upgrade, " ".join(["python -m pip install", *words, "pytest pytest-cov"]))


def _python_tests(place: Path) -> tuple[Tests, ...]:
    """By the names of folders; what lies flat is taken for unit tests."""
    found: dict[Kind, list[str]] = {}
    for parent in ("", *_TEST_FOLDERS):
        for kind in KINDS:
            if _has_tests(place / parent / kind):
                found.setdefault(kind, []).append(f"{parent}/{kind}".lstrip("/"))
    flat = [name for name in _TEST_FOLDERS if _has_tests(place / name)]
    if not found and flat:
        found["unit"] = flat
    if not found and list(place.glob("test_*.py")):
        found["unit"] = sorted(path.name for path in place.glob("test_*.py"))
    return tuple(Tests(kind, tuple(found[kind])) for kind in KINDS if kind in found)


def _has_tests(folder: Path) -> bool:
    return any(True for pattern in ("test_*.py", "*_test.py") for _ in folder.rglob(pattern))


def _moves(place: Path, tests: tuple[Tests, ...]) -> tuple[tuple[str, str], ...]:
    """Proposed, never done: flat tests into ``unit/`` and ``integration/``, told apart by what they import."""
    folder = place / "tests"
    if not folder.is_dir() or any((folder / kind).is_dir() for kind in KINDS):
        return ()
    moves = []
    for path in sorted(folder.glob("test_*.py")):
        kind = "integration" if _OUTSIDE.search(_text(path)) else "unit"
        moves.append((f"tests/{path.name}", f"tests/{kind}/{path.name}"))
    return tuple(moves)


def _application(place: Path, sources: tuple[str, ...]) -> str:
    """``module:name`` of an ASGI application, as uvicorn wants it."""
    for source in sources:
        paths = [place / source] if source.endswith(".py") else sorted((place / source).glob("*.py"))
        for path in paths:
            made = re.search(r"^(\w+)\s*(?::[^=]+)?=\s*(?:FastAPI|Starlette)\(", _text(path), re.M)
            if made:
                module = path.relative_to(place).with_suffix("").as_posix().replace("/", ".")
                return f"{module.removesuffix('.__init__')}:{made.group(1)}"
    return ""


def _javascript(place: Path, where: str, name: str, dockerfile: str) -> Project | None:
    try:
        document = json.loads(_text(place / "package.json"))
    except ValueError:
        return None
    scripts = document.get("scripts") if isinstance(document, dict) else None
    scripts = scripts if isinstance(scripts, dict) else {}
    if not isinstance(document, dict) or ("workspaces" in document and "test" not in scripts):
        return None
    locks = (
        ("pnpm", "pnpm-lock.yaml"),
        ("yarn", "yarn.lock"),
        ("npm", "package-lock.json"),
        ("npm", "npm-shrinkwrap.json"),
    )
    manager, lock = next(((m, n) for m, n in locks if (place / n).is_file()), ("npm", ""))
    install = {
        "pnpm": "pnpm install --frozen-lockfile",
        "yarn": "yarn install --frozen-lockfile",
        "npm": "npm ci" if lock else "npm install --no-audit --no-fund",
    }[manager]
    has_tests = "test" in scripts and "no test specified" not in str(scripts["test"])
    files = [("biome", "biome.json"), ("biome", "biome.jsonc"), ("types", "tsconfig.json")]
    return Project(
        name=_slug(str(document.get("name") or name).rpartition("/")[2] if where == "." else name),
        path=where,
        language="javascript",
        manager=manager,
        install=(install,),
        tests=(Tests("unit", ("npm test",)),) if has_tests else (),
        configured=frozenset(name for name, file in files if (place / file).is_file()),
        scripts=frozenset(scripts),
        dockerfile=dockerfile,
        lock=lock,
        runner_of_tests=runners.of(document),
    )  # fmt: skip


def _unique(projects: list[Project]) -> list[Project]:
    """Projects with names that are jobs' ids and targets' names: two of one name get their folder or language added."""
    taken: set[str] = set()
    made = []
    for one in projects:
        name = one.name
        if name in taken:
            name = f"{name}-{one.language}" if one.path == "." else _slug(one.path)
        while name in taken:
            name += "-2"
        taken.add(name)
        made.append(replace(one, name=name))
    return made


def _slug(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name if name[:1].isalpha() else f"p-{name}".rstrip("-")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_CAP).decode("utf-8", "replace")
    except OSError:  # absent or unreadable: nothing can be learned from it
        return ""


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
