"""Python projects: how one is installed with what its tests need, where its tests lie, what is configured."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any

from ecluse.kit.found import KINDS, Kind, Project, Tests, ini_of, lines_of, slug, table, text_of, toml_of

_TEST_FOLDERS = ("tests", "test", "testing", "__tests__")
_TEST_FILES = ("test_*.py", "*_test.py", "test.py", "tests.py")
_NOT_SOURCES = frozenset(
    [*_TEST_FOLDERS, "docs", "doc", "examples", "example", "build", "dist", "node_modules", "venv"]
)
_NOT_MODULES = frozenset(["setup.py", "conftest.py", "noxfile.py", "conf.py", "tasks.py"])
_EXTRAS = ("test", "tests", "testing", "dev")
_TYPING = ("lint", "typing", "types", "mypy")
"""Names of groups and lists that bring what a type checker has to see."""
_WHOLE = ("all", "full", "standard")
"""Names of extras with the modules that a package imports when they are there: its tests and its types need them."""
_NAMES = ("dev", "develop", "development", "test", "tests", "testing")
_REQUIREMENTS = tuple(
    chain.from_iterable(
        (f"requirements-{n}.txt", f"requirements_{n}.txt", f"{n}-requirements.txt", f"{n}_requirements.txt",
         f"{n}.requirements.txt", f"requirements/{n}.txt", f"{n}/requirements.txt")
        for n in _NAMES
    )
)  # fmt: skip
_RUNTIME = ("requirements.txt", "requirements/runtime.txt", "requirements/prod.txt", "requirements/production.txt")
_MADE = re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(?:FastAPI|Starlette|get_asgi_application)\(", re.M)
_ASSETS = ("templates", "static", "assets", "migrations", "alembic", "alembic.ini", "locale")
"""What an application reads when it runs and is no module: by the names that frameworks give it."""
_LOOKED_AT = 200
"""Files of a project that are read for a path of health, at most."""
_HEALTH = re.compile(r"[\"'](/(?:api/)?(?:health|healthz|healthcheck|ping|status))/?[\"']")
_VERSION = re.compile(r"^__version__[ \t]*(?::[ \t]*\w+[ \t]*)?=[ \t]*[\"']", re.M)
_OUTSIDE = re.compile(r"^\s*(?:import|from)\s+(?:psycopg\w*|redis|sqlalchemy|pymongo|testcontainers|docker)\b", re.M)
"""Imports of a test that speak for a service outside the process."""


def project(root: Path, place: Path, where: str, name: str, dockerfile: str) -> Project | None:
    """The project in ``place``; none when there is nothing to install, test or run."""
    document = toml_of(place / "pyproject.toml")
    metadata = table(document, "project")
    sources = _sources(place)
    manage = _by_manage(place, document)
    tests = _tests(place, document, sources) if not manage else (Tests("unit", ()),) if _in_applications(place) else ()
    packaged = bool(metadata or "build-system" in document or (place / "setup.py").is_file())
    if not packaged and not sources and not tests:
        return None
    manager, home = _manager(root, place, document)
    locks = ("uv.lock", "poetry.lock", "pyproject.toml", "requirements.txt", "setup.py")
    return Project(
        name=slug(str(metadata.get("name", name)) if where == "." else name),
        path=where,
        language="python",
        manager=manager,
        install=_install(place, manager, document, packaged=packaged),
        checking=_checking(place, manager, document),
        runner={"uv": "uv run ", "poetry": "poetry run "}.get(manager, ""),
        tests=tests,
        sources=sources,
        assets=tuple(name for name in _ASSETS if (place / name).exists() and name not in sources),
        manage=manage,
        python=_version(place, document),
        configured=frozenset(_configured(root, place, document)),
        pinned=tuple(_pinned(root)),
        dockerfile=dockerfile,
        application=_application(place, sources),
        lock=next((n for n in locks if (place / n).is_file()), ""),
        shared=() if home == place else ((home / "uv.lock").relative_to(root).as_posix(),),
        moves=_moves(place),
        packaged="build-system" in document or (place / "setup.py").is_file(),
        runtime=next((n for n in _RUNTIME if (place / n).is_file()), ""),
        versions=tuple(_versions(place, metadata, sources)),
        commands=tuple(sorted(table(metadata, "scripts"))),
        health=_health(place, sources),
    )


def has_tests(folder: Path, but: tuple[Path, ...] = ()) -> bool:
    """Whether a file of tests lies in or below ``folder``, outside of ``but`` and of what is installed or hidden."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and f != "node_modules" and Path(place, f) not in but)
        if any(fnmatchcase(file, pattern) for file in files for pattern in _TEST_FILES[:2]):
            return True
    return False


def _by_manage(place: Path, document: dict[str, Any]) -> bool:
    """Whether Django's own command runs the tests: there is one, and pytest is not told of Django's settings."""
    if "DJANGO_SETTINGS_MODULE" not in text_of(place / "manage.py"):
        return False
    told = table(document, "tool", "pytest", "ini_options") or table(document, "tool", "pytest")
    inis = "".join(text_of(place / name) for name in ("pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg"))
    return not any(key in told or key in inis for key in ("DJANGO_SETTINGS_MODULE", "django_find_project"))


def _in_applications(place: Path) -> bool:
    """Whether an application of a Django project has tests, by the names that ``manage.py test`` looks for."""
    found = (path for pattern in ("*/test*.py", "*/tests/**/test*.py") for path in place.glob(pattern))
    return any("def test" in text_of(path) for path in found if "site-packages" not in path.parts)


def _sources(place: Path) -> tuple[str, ...]:
    """Packages and modules beside the manifest, or ``src``; else packages of a namespace."""
    found, spaces = [], []
    for path in sorted(place.iterdir()):
        if path.suffix == ".py" and path.name not in _NOT_MODULES and not _is_test(path.name):
            found.append(path.name)
        elif path.is_dir() and path.name[0] != "." and path.name not in _NOT_SOURCES:
            if (path / "__init__.py").is_file() or (path.name == "src" and _has_code(path)):
                found.append(path.name)
            elif any(path.glob("*/__init__.py")):
                spaces.append(path.name)
    return tuple(found or spaces)


def _versions(place: Path, metadata: dict[str, Any], sources: tuple[str, ...]) -> Iterator[str]:
    """``pyproject.toml`` and the package's own ``__version__``, where they say it and do not read it elsewhere."""
    if "version" in metadata:
        yield "pyproject.toml"
    for source in sources:
        folder = place / source
        for pattern in ("__init__.py", "*/__init__.py") if folder.is_dir() else ():
            for path in sorted(folder.glob(pattern)):
                if _VERSION.search(text_of(path)):
                    yield path.relative_to(place).as_posix()


def _health(place: Path, sources: tuple[str, ...]) -> str:
    """The path by whose usual name a service says that it is well; empty when no source has one."""
    for source in sources:
        paths = [place / source] if source.endswith(".py") else sorted((place / source).rglob("*.py"))
        for path in paths[:_LOOKED_AT]:
            found = _HEALTH.search(text_of(path))
            if found:
                return found.group(1)
    return ""


def _has_code(src: Path) -> bool:
    return any(True for pattern in ("*.py", "*/__init__.py", "*/*/__init__.py") for _ in src.glob(pattern))


def _is_test(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _TEST_FILES)


def _manager(root: Path, place: Path, document: dict[str, Any]) -> tuple[str, Path]:
    """The package manager, and the folder of its lock file: a member of a workspace has that of the root."""
    if (place / "uv.lock").is_file():
        return "uv", place
    poetry = table(document, "tool", "poetry")
    if (place / "poetry.lock").is_file() or "group" in poetry or "dev-dependencies" in poetry:
        return "poetry", place
    for home in place.parents if place != root else ():
        space = table(toml_of(home / "pyproject.toml"), "tool", "uv", "workspace")
        path = place.relative_to(home).as_posix()
        members, without = (list(lines_of(space.get(name, []))) for name in ("members", "exclude"))
        if (home / "uv.lock").is_file() and _matches(path, members) and not _matches(path, without):
            return "uv", home
        if home == root:
            break
    return "pip", place


def _matches(path: str, globs: list[str]) -> bool:
    return any(fnmatchcase(path, glob.rstrip("/")) for glob in globs)


def _version(place: Path, document: dict[str, Any]) -> str:
    """3.11, or the nearest version that the project allows."""
    asked = str(table(document, "project").get("requires-python", ""))
    asked += f" {table(document, 'tool', 'poetry', 'dependencies').get('python', '')}"
    asked += f" {ini_of(place / 'setup.cfg').get('options', {}).get('python_requires', '')}"
    least = max((int(n) for n in re.findall(r"(?:>=?|\^|~=?)\s*3\.(\d+)", asked)), default=0)
    below = min((int(n) for n in re.findall(r"<\s*3\.(\d+)", asked)), default=99)
    return f"3.{max(least, min(11, below - 1))}"


def _configured(root: Path, place: Path, document: dict[str, Any]) -> Iterator[str]:
    tool = table(document, "tool")
    if "project" in document:
        yield "metadata"
    for name, files in (("ruff", ("ruff.toml", ".ruff.toml")), ("mypy", ("mypy.ini", ".mypy.ini"))):
        if name in tool or any((place / file).is_file() for file in files):
            yield name
    ini = {**ini_of(place / "setup.cfg").get("mypy", {}), **ini_of(place / "mypy.ini").get("mypy", {})}
    if ini or "[mypy" in text_of(place / "setup.cfg"):
        yield "mypy"
    if {"files", "packages", "modules"} & {*table(tool, "mypy"), *ini}:
        yield "mypy-paths"
    lists = "\n".join(text_of(place / name) for name in ("requirements.txt", *_REQUIREMENTS))
    for name in ("ruff", "mypy"):
        line = re.compile(rf"^\s*[\"']?{name}\s*(?:[=<>~!\"',\\]|$)", re.M)
        if line.search(lists):
            yield f"has-{name}"
        elif line.search(text_of(place / "pyproject.toml")):  # in some group, which need not be one that is installed
            yield f"names-{name}"
    run = {**ini_of(place / ".coveragerc").get("run", {}), **ini_of(place / "setup.cfg").get("coverage:run", {})}
    if {"source", "source_pkgs"} & {*run, *table(tool, "coverage", "run")}:
        yield "cov-paths"
    told = (text_of(place / name) for name in ("pyproject.toml", "setup.cfg", ".coveragerc", "pytest.ini", "tox.ini"))
    if any(re.search(r"fail[_-]under|covdefaults", text) for text in told):
        yield "cov-limit"
    if "setuptools_scm" in tool or re.search(r"[\"']hatch-vcs", text_of(place / "pyproject.toml")):
        yield "scm"
    if any("--hash=" in text_of(place / name) for name in _RUNTIME):
        yield "hashed"
    rules = {**table(tool, "ruff"), **toml_of(place / "ruff.toml"), **toml_of(place / ".ruff.toml")}
    if "format" in rules or _formats(root):
        yield "format"
    elif "line-length" in rules:  # it may be there for the rule about long lines alone
        yield "format-shown"


def _formats(root: Path) -> bool:
    """Whether the repository's own hooks, not the kit's, format with ruff."""
    from ecluse.kit.wanted import untouched

    text = text_of(root / ".pre-commit-config.yaml")
    return "id: ruff-format" in text and not untouched(text)


def _pinned(root: Path) -> Iterator[tuple[str, str]]:
    """The versions of ruff and mypy that the hooks name: a later one would find what nobody has agreed to."""
    from ecluse.kit.wanted import untouched

    text = text_of(root / ".pre-commit-config.yaml")
    if untouched(text):
        return
    for tool, repo in (("ruff", "ruff-pre-commit"), ("mypy", "mirrors-mypy")):
        found = re.search(rf"/{repo}(?:\.git)?[\"']?\s*(?:#.*)?\n\s*rev:\s*[\"']?v?(\d+\.\d+[\d.]*)", text)
        if found:
            yield tool, found.group(1)


def _install(place: Path, manager: str, document: dict[str, Any], *, packaged: bool) -> tuple[str, ...]:
    """The commands that bring a project and what its tests need into the environment of the moment."""
    groups = [name for name in _EXTRAS if name in table(document, "dependency-groups")]
    if manager == "uv":
        named = "".join(f" --group {name}" for name in groups if name != "dev")
        # without VIRTUAL_ENV, uv takes the environment that it has made itself, as `uv run` does
        return (
            "python -m pip install uv",
            f"uv sync --all-extras{named}",
            "env -u VIRTUAL_ENV uv pip install pytest pytest-cov",
        )
    if manager == "poetry":
        optional = [n for n in _EXTRAS if table(document, "tool", "poetry", "group", n).get("optional") is True]
        named = f" --with {','.join(optional)}" if optional else ""
        return (
            "python -m pip install poetry",
            f"poetry install --all-extras{named}",
            "poetry run python -m pip install pytest pytest-cov",
        )
    lists = [name for name in ("requirements.txt", *_REQUIREMENTS) if (place / name).is_file()]
    locked = [name for name in lists if "--hash=" in text_of(place / name)]
    if locked:  # with hashes pip takes nothing beside what is listed, so the project itself comes after
        rest = ("python -m pip install --no-deps -e .",) if packaged else ()
        return (
            f"python -m pip install --require-hashes -r {locked[-1]}",
            *rest,
            "python -m pip install pytest pytest-cov",
        )
    words = _words(place, document, lists, groups, packaged=packaged)
    upgrade = ("python -m pip install --upgrade pip",) if groups else ()
    return (*upgrade, " ".join(["python -m pip install", *words, "pytest pytest-cov"]))


def _checking(place: Path, manager: str, document: dict[str, Any]) -> tuple[str, ...]:
    """The command that brings what a type checker wants to see beside what the tests need."""
    groups = [f"--group {name}" for name in _TYPING if name in table(document, "dependency-groups")]
    if manager == "uv":
        return (f"uv sync --inexact --all-extras {' '.join(groups)}",) if groups else ()
    if manager == "poetry":
        return ()
    extras = [name for name in _TYPING if name in table(document, "project", "optional-dependencies")]
    words = [f'-e ".[{",".join(extras)}]"'] if extras else []
    words += [f"-r requirements/{name}.txt" for name in _TYPING if (place / f"requirements/{name}.txt").is_file()]
    words += [f"-r requirements-{name}.txt" for name in _TYPING if (place / f"requirements-{name}.txt").is_file()]
    words += groups
    upgrade = ("python -m pip install --upgrade pip",) if groups else ()
    return (*upgrade, f"python -m pip install {' '.join(words)}") if words else ()


def _words(place: Path, document: dict[str, Any], lists: list[str], groups: list[str], *, packaged: bool) -> list[str]:
    """What pip is given: the project with the extras, lists and groups that are there for its tests."""
    known = {*table(document, "project", "optional-dependencies"), *_other_extras(place)}
    extras = [name for name in (*_EXTRAS, *_WHOLE) if name in known]
    words = []
    if packaged:
        words.append(f'-e ".[{",".join(extras)}]"' if extras else "-e .")
    words += [f"-r {name}" for name in lists]
    words += [f"--group {name}" for name in groups]
    found = list(_of_tools(place, document))
    if not extras and not groups and lists in ([], ["requirements.txt"]):
        found += _of_tox(place)
    found += [one for one in _plugins(place, document) if not re.search(rf"\b{one}\b", " ".join(found), re.I)]
    found = [one for one in dict.fromkeys(found) if one not in ("pytest", "pytest-cov")]
    return words + [f'"{one}"' if re.search(r"[^\w.=/ -]", one) else one for one in found]


def _other_extras(place: Path) -> Iterator[str]:
    yield from ini_of(place / "setup.cfg").get("options.extras_require", {})
    declared = re.search(r"extras_require\s*=\s*\{(.*?)\}", text_of(place / "setup.py"), re.S)
    yield from re.findall(r"[\"']([\w-]+)[\"']\s*:", declared.group(1)) if declared else ()


def _plugins(place: Path, document: dict[str, Any]) -> Iterator[str]:
    """Plugins that coverage is told to load, under the names that their packages have."""
    told = [ini_of(place / ".coveragerc").get("run", {}).get("plugins")]
    told += [ini_of(place / name).get("coverage:run", {}).get("plugins") for name in ("setup.cfg", "tox.ini")]
    told.append(table(document, "tool", "coverage", "run").get("plugins"))
    for value in told:
        for line in lines_of(value):
            yield from (word.partition(".")[0].replace("_", "-") for word in re.split(r"[,\s]+", line) if word)


def _of_tools(place: Path, document: dict[str, Any]) -> Iterator[str]:
    """Requirements that hatch, pdm and setuptools keep for tests beside the standard tables."""
    for name in ("default", "test", "tests", "hatch-test"):
        environment = table(document, "tool", "hatch", "envs", name)
        yield from lines_of(environment.get("dependencies"))
        yield from lines_of(environment.get("extra-dependencies"))
    for name in _EXTRAS:
        yield from lines_of(table(document, "tool", "pdm", "dev-dependencies").get(name))
    yield from lines_of(ini_of(place / "setup.cfg").get("options", {}).get("tests_require"))


def _of_tox(place: Path) -> Iterator[str]:
    """The requirements of tox's ``[testenv]``; lines for one of its factors, or with its own words, are left out."""
    for line in lines_of(ini_of(place / "tox.ini").get("testenv", {}).get("deps")):
        if "{" not in line and not re.match(r"[\w.,!-]+\s*:(?!//)", line):
            yield line


def _tests(place: Path, document: dict[str, Any], sources: tuple[str, ...]) -> tuple[Tests, ...]:
    """By the names of folders; what lies flat is taken for unit tests, and so is what pytest is told to run."""
    found: dict[Kind, list[str]] = {}
    for parent in ("", *_TEST_FOLDERS):
        for kind in KINDS:
            if has_tests(place / parent / kind):
                found.setdefault(kind, []).append(f"{parent}/{kind}".lstrip("/"))
    but = tuple(path for paths in found.values() for path in paths)
    flat = [name for name in _flat(place, document, sources) if has_tests(place / name, tuple(place / b for b in but))]
    if "unit" not in found:
        flat = flat or sorted(path.name for pattern in _TEST_FILES for path in place.glob(pattern) if path.is_file())
        inside = [one for one in but if any(one.startswith(f"{name}/") for name in flat)]
        made = (Tests("unit", tuple(flat), tuple(inside)),) if flat else ()
    else:
        made = (Tests("unit", tuple(found["unit"])),)
    return (*made, *(Tests(kind, tuple(found[kind])) for kind in KINDS[1:] if kind in found))


def _flat(place: Path, document: dict[str, Any], sources: tuple[str, ...]) -> list[str]:
    """Folders of tests by what pytest is told, else by their names beside the packages, else inside of them."""
    pytest = table(document, "tool", "pytest", "ini_options") or table(document, "tool", "pytest")
    told = [pytest.get("testpaths")]
    told += [ini_of(place / f).get("pytest", {}).get("testpaths") for f in ("pytest.ini", ".pytest.ini", "tox.ini")]
    told.append(ini_of(place / "setup.cfg").get("tool:pytest", {}).get("testpaths"))
    for value in told:
        words = value.split() if isinstance(value, str) else list(lines_of(value))
        named = [word.rstrip("/") for word in words if (place / word).is_dir()]
        if any(has_tests(place / name) for name in named):
            return named
    beside = [name for name in _TEST_FOLDERS if has_tests(place / name)]
    if beside:
        return beside
    packages = [place / name for name in sources if "." not in name]
    packages += sorted(path for path in (place / "src").glob("*") if path.is_dir())
    within = [package / name for package in packages for name in _TEST_FOLDERS[:2]]
    return [path.relative_to(place).as_posix() for path in within if has_tests(path)]


def _moves(place: Path) -> tuple[tuple[str, str], ...]:
    """Proposed, never done: flat tests into ``unit/`` and ``integration/``, told apart by what they import."""
    folder = place / "tests"
    if not folder.is_dir() or any((folder / kind).is_dir() for kind in KINDS):
        return ()
    moves = []
    for path in sorted(folder.glob("test_*.py")):
        kind = "integration" if _OUTSIDE.search(text_of(path)) else "unit"
        moves.append((f"tests/{path.name}", f"tests/{kind}/{path.name}"))
    return tuple(moves)


def _application(place: Path, sources: tuple[str, ...]) -> str:
    """``module:name`` of an ASGI application, as uvicorn wants it."""
    for source in sources:
        folder = place / source
        paths = [folder] if source.endswith(".py") else sorted([*folder.glob("*.py"), *folder.glob("*/*.py")])
        base = folder if source == "src" else place
        for path in paths:
            text = text_of(path)
            if not any(name in text for name in ("FastAPI(", "Starlette(", "get_asgi_application(")):
                continue  # most files of a large repository: no need of the pattern
            made = _MADE.search(text)
            if made:
                module = path.relative_to(base).with_suffix("").as_posix().replace("/", ".")
                return f"{module.removesuffix('.__init__')}:{made.group(1)}"
    return ""
