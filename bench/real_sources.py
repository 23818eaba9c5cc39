"""Repositories made of what package indexes have: sources as their authors published them, laid out as people keep them.

Nothing is fetched but by pip and npm as they are configured; what was fetched is kept in a folder and not fetched again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

KINDS = ("single", "monorepo", "fastapi", "javascript", "untested", "elaborate")
_BACKENDS = ("setuptools", "wheel", "setuptools-scm", "hatchling", "hatch-vcs", "hatch-fancy-pypi-readme",
             "flit-core", "poetry-core", "pdm-backend", "cython", "coherent.licensed")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A published package: where it comes from, its version, and the folder that it gets in the repository."""

    index: Literal["pip", "npm"]
    name: str
    version: str
    place: str = "."
    inside: str = ""
    """The folder of the package that is taken, when it is not all of it."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A repository: the sources it is made of and the few files that no package has."""

    kind: str
    sources: tuple[Source, ...]
    files: dict[str, str] = field(default_factory=dict)
    lock: str = ""
    """``npm``, ``pnpm`` or ``yarn``: the package manager that writes a lock file, as its people would have committed."""
    lock_in: str = "."
    faults: tuple[str, ...] = ()
    """What is known to be wrong with the repository itself: words of the last lines of a failing step."""

    def __str__(self) -> str:
        return " + ".join(str(source) for source in self.sources)


def pip(name: str, version: str, place: str = ".") -> Source:
    """A source package of the Python index."""
    return Source("pip", name, version, place)


def npm(name: str, version: str, place: str = ".", inside: str = "") -> Source:
    """A package of the JavaScript index."""
    return Source("npm", name, version, place, inside)


_SERVICE = """\"\"\"The service.\"\"\"

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello() -> dict[str, str]:
    \"\"\"Say hello.\"\"\"
    return {"hello": "world"}
"""
_PACKAGES = '{"name": "all", "private": true, "workspaces": ["packages/*"]}\n'

RECIPES = (
    Recipe("single", (pip("iniconfig", "2.3.1"),)),
    Recipe("single", (pip("six", "1.17.0"),)),
    Recipe("single", (pip("simplejson", "4.3.0"),)),
    Recipe("single", (pip("python-slugify", "9.2.0"),)),
    Recipe("single", (pip("poetry-core", "2.5.0"),)),
    Recipe("single", (pip("webcolors", "25.10.0"),)),
    Recipe("single", (pip("toposort", "1.10"),), faults=("SystemExit: 2",)),  # unittest.main() whenever it is imported
    Recipe("single", (pip("inflect", "7.6.0"),)),
    Recipe("single", (pip("inflection", "0.5.1"),)),
    Recipe("single", (pip("pyflakes", "4.1.0"),)),
    # a file of its tests is no Python, and its own rules of ruff do not leave it out
    Recipe("single", (pip("tblib", "3.2.2"),), faults=("Found 2 errors.",)),
    Recipe(
        "monorepo",
        (
            pip("cachetools", "8.0.1", "services/cache"),
            pip("parse", "1.22.4", "services/parse"),
            pip("sortedcontainers", "2.4.0", "libs/sort"),
        ),
    ),
    Recipe(
        "monorepo",
        (pip("pluggy", "1.7.0", "plugins"), pip("idna", "3.20", "names"), pip("blinker", "1.9.0", "signals")),
    ),
    Recipe(
        "fastapi",
        (pip("fastapi-cli", "0.0.34", "backend"), npm("create-vite", "9.3.0", "frontend", "template-react-ts")),
        {"backend/main.py": _SERVICE},
        lock="npm",
        lock_in="frontend",
    ),
    Recipe("javascript", (npm("minimist", "1.2.8"),), lock="npm"),
    Recipe("javascript", (npm("left-pad", "1.3.0"),)),
    Recipe("elaborate", (npm("fast-uri", "4.2.3"),)),
    Recipe("javascript", (npm("split2", "4.2.0"),), lock="pnpm"),
    Recipe("javascript", (npm("fast-safe-stringify", "2.1.1"),), lock="yarn"),
    Recipe(
        "javascript",
        (npm("left-pad", "1.3.0", "packages/pad"), npm("minimist", "1.2.8", "packages/arguments")),
        {"package.json": _PACKAGES},
        lock="npm",
    ),
    Recipe("untested", (pip("sortedcontainers", "2.4.0"),)),
    Recipe("untested", (pip("docopt", "0.6.2"),)),
    Recipe("untested", (npm("picocolors", "1.1.1"),)),
    # the package holds the files of a submodule, which the rules of the package refuse
    Recipe("elaborate", (pip("tomlkit", "0.15.2"),), faults=("Found 8 errors.",)),
    Recipe("elaborate", (pip("structlog", "26.1.0"),)),
    Recipe("elaborate", (pip("humanize", "4.17.0"),)),
)
"""The first of each kind is the one that the tests take."""


class Unreachable(Exception):
    """A package index does not answer, or has not what is asked for."""


def build(recipe: Recipe, folder: Path, kept: Path) -> Path:
    """The repository of ``recipe`` in ``folder``, with one commit and a tag. Raises :class:`Unreachable`."""
    folder.mkdir(parents=True)
    for source in recipe.sources:
        _unpack(_fetch(source, kept), folder / source.place, source.inside)
        for path in (folder / source.place).glob("_*") if source.inside else ():  # templates keep hidden files so
            path.rename(path.with_name(f".{path.name[1:]}"))
    for path, text in recipe.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    if recipe.lock:
        _lock(recipe, folder / recipe.lock_in)
    for path in [*folder.rglob("PKG-INFO"), *folder.rglob("*.egg-info")]:  # made by the build, never committed
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Real")
    git(folder, "config", "user.email", "real@example.org")
    commit(folder, "as it was published")
    git(folder, "tag", f"v{recipe.sources[0].version}")
    return folder


def git(folder: Path, *words: str) -> str:
    """What git prints for ``words`` in ``folder``."""
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path, message: str) -> None:
    """Everything that lies in ``folder``, as a commit; what is ignored stays ignored."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


def _fetch(source: Source, kept: Path) -> Path:
    folder = kept / f"{source.index}-{source.name.replace('/', '-')}-{source.version}"
    if not folder.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept, prefix=".new-") as new:
            if source.index == "pip":
                words = [str(_pip(kept)), "-m", "pip", "download", "-q", "--no-binary", ":all:", "--no-deps"]
                words += ["--no-build-isolation", "-d", new, f"{source.name}=={source.version}"]
            else:
                words = ["npm", "pack", "--silent", "--pack-destination", new, f"{source.name}@{source.version}"]
            _ask(words, Path(new))
            if not folder.is_dir():
                Path(new).rename(folder)
                Path(new).mkdir()
    return next(path for path in folder.iterdir() if path.is_file())


def _pip(kept: Path) -> Path:
    """An interpreter that has what source packages are built with: pip builds their metadata before it hands them out."""
    home = kept / "backends"
    python = home / "bin" / "python"
    if not python.exists():
        _ask([sys.executable, "-m", "venv", str(home)], kept)
        try:
            _ask([str(python), "-m", "pip", "install", "-q", "--upgrade", *_BACKENDS], kept)
        except Unreachable:
            python.unlink()
            raise
    return python


def _ask(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=_environment())
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise Unreachable(f"{' '.join(words[-1:])}: {last[0]}")


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST_"))}


def _unpack(archive: Path, place: Path, inside: str) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent.parent, prefix=".new-") as new:
        with tarfile.open(archive) as packed:
            packed.extractall(new, filter="data")
        (top,) = Path(new).iterdir()
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            (top / inside).rename(place)
            return
        for path in (top / inside).iterdir():
            path.rename(place / path.name)


def _lock(recipe: Recipe, folder: Path) -> None:
    words = {
        "npm": ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--ignore-scripts"],
        "pnpm": ["npx", "--yes", "pnpm@9", "install", "--lockfile-only", "--ignore-scripts"],
        "yarn": ["npx", "--yes", "yarn@1", "install", "--ignore-scripts", "--non-interactive"],
    }[recipe.lock]
    _ask(words, folder)
    shutil.rmtree(folder / "node_modules", ignore_errors=True)  # yarn 1 cannot lock without installing
