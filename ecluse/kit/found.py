"""What a look at a repository finds: the nouns, and reading files that may be absent or broken."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ecluse.kit import runners

Language = Literal["python", "javascript"]
Kind = Literal["unit", "integration", "e2e"]
KINDS: tuple[Kind, ...] = ("unit", "integration", "e2e")

PORT = 8000
"""Where a service listens when neither its Dockerfile nor ``[kit.projects.NAME]`` says it."""
_CAP = 2 << 20


@dataclass(frozen=True, slots=True)
class Tests:
    """Test files of one kind; ``paths`` are relative to the project's folder, empty when a script of its own knows them."""

    kind: Kind
    paths: tuple[str, ...]
    but: tuple[str, ...] = ()
    """Paths below ``paths`` that hold another kind."""

    @property
    def words(self) -> str:
        """What pytest is given, as a shell reads it."""
        return shlex.join([*self.paths, *(f"--ignore={path}" for path in self.but)])


@dataclass(frozen=True, slots=True)
class Project:
    """One package or service; ``path`` is relative to the repository, ``.`` for its root."""

    name: str
    path: str
    language: Language
    manager: str
    install: tuple[str, ...]
    runner: str = ""
    """What a command in the project's environment, or a script of its package.json, begins with."""
    checking: tuple[str, ...] = ()
    """Commands that bring what only a type checker needs."""
    tests: tuple[Tests, ...] = ()
    sources: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    """Folders and files beside the sources that a running application reads: templates, migrations and the like."""
    python: str = "3.11"
    node: str = "22"
    pnpm: str = ""
    """The version of pnpm, when ``packageManager`` of ``manifest`` does not name one."""
    manifest: str = ""
    """The package.json that names the package manager, relative to the repository."""
    configured: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()
    pinned: tuple[tuple[str, str], ...] = ()
    """Tools that the repository's own hooks name a version of."""
    dockerfile: str = ""
    application: str = ""
    lock: str = ""
    shared: tuple[str, ...] = ()
    """Files outside of ``path``, relative to the repository, whose change concerns the project."""
    whole: bool = False
    """Whether every file of the repository is its concern, as for the root of a workspace."""
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
    port: int = PORT
    health: str = ""
    """Path that answers when it is well, where one is seen or said."""
    system: tuple[str, ...] = ()
    """Debian packages that its image needs."""
    runner_of_tests: runners.Runner = runners.NONE
    manage: bool = False
    """Whether Django's ``manage.py`` runs the tests, because pytest is not told how to."""

    @property
    def coverage(self) -> str:
        """How pytest measures: what the project says it consists of, and no limit, as each kind of test runs alone."""
        limit = " --cov-fail-under=0" if "cov-limit" in self.configured else ""
        return f"{'--cov' if 'cov-paths' in self.configured else '--cov=.'}{limit}"

    def version_of(self, tool: str, otherwise: str) -> str:
        """The version of ``tool`` that the repository itself names, else ``otherwise``."""
        return dict(self.pinned).get(tool, otherwise)


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


def slug(text: str) -> str:
    """``text`` as a job's id and a target's name; letters lose their accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return name if name[:1].isalpha() else f"p-{name}".rstrip("-")


def text_of(path: Path) -> str:
    """The text of a file, at most 2 MiB; empty when it is absent or unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(_CAP).decode("utf-8", "replace")
    except OSError:  # absent or unreadable: nothing can be learned from it
        return ""


def toml_of(path: Path) -> dict[str, Any]:
    """The document of a TOML file; empty when it is none."""
    try:
        return tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError:
        return {}


def json_of(path: Path) -> dict[str, Any]:
    """The object of a JSON file; empty when it is none."""
    try:
        document = json.loads(text_of(path))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def ini_of(path: Path) -> dict[str, dict[str, str]]:
    """The sections of an INI file as setup.cfg and tox.ini are written; empty when it cannot be read."""
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text_of(path))
    except configparser.Error:
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}


def table(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """The table at the end of ``names``; empty where one is missing."""
    for name in names:
        found = document.get(name)
        document = found if isinstance(found, dict) else {}
    return document


def lines_of(value: Any) -> Iterator[str]:
    """The texts of a list, or the lines of a text without comments."""
    if isinstance(value, list):
        yield from (str(one) for one in value if isinstance(one, str))
    elif isinstance(value, str):
        yield from (line for raw in value.splitlines() if (line := re.sub(r"(^|\s)#.*", "", raw).strip()))
