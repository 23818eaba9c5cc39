"""What a tree says of itself as a project: which tools it is checked with, how they are set up, who installs for it."""

from __future__ import annotations

import configparser
import json
import tomllib
from pathlib import Path
from typing import Any

from ecluse import process
from ecluse.dataclass import dataclass
from ecluse.errors import Failed

INSTALL = {
    "uv": "uv sync",
    "poetry": "poetry install",
    "npm": "npm ci",
    "pnpm": "pnpm install --frozen-lockfile",
    "yarn": "yarn install --immutable",
}
"""Manager -> the command that installs what a project needs; pip's depends on what is there (:func:`bringing`)."""

_JS_LOCKS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "package-lock.json": "npm", "npm-shrinkwrap.json": "npm"}
_TEXT_CAP = 4 << 20


@dataclass(frozen=True, slots=True)
class Project:
    """``configs`` holds the tools that the project configures, with the file that does; ``package`` is package.json."""

    python_manager: str
    js_manager: str
    js_lock: str
    configs: dict[str, str]
    package: dict[str, Any] | None
    package_fault: str
    mypy_targets: bool


def read_project(folder: Path) -> Project:
    """Read the project files at the top of ``folder``. A file that cannot be read counts as absent."""
    pyproject = _toml(folder / "pyproject.toml")
    tools = pyproject.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    setup = _ini(folder / "setup.cfg")
    lock = next((name for name in _JS_LOCKS if (folder / name).is_file()), "")
    package, fault = _package(folder / "package.json")
    named = str((package or {}).get("packageManager", "")).partition("@")[0]
    mypy = _mypy_section(folder, tools, setup)
    return Project(
        python_manager=_python_manager(folder, tools),
        js_manager=named if named in _JS_LOCKS.values() else _JS_LOCKS.get(lock, "npm"),
        js_lock=lock,
        configs=_configs(folder, tools, setup),
        package=package,
        package_fault=fault,
        mypy_targets=any(mypy.get(name) for name in ("files", "packages", "modules")),
    )


def find_python(checkout: Path | None, manager: str, module: str, environ: dict[str, str]) -> tuple[str, str]:
    """(the interpreter that has ``module``, where it is from): the checkout's environment, else the one in force here.

    Two empty texts when none has it; the second then says who was asked.
    """
    candidates = _interpreters(checkout, environ, manager)
    for path, where in candidates:
        question = "import importlib.util as u, sys; sys.exit(u.find_spec(sys.argv[1]) is None)"
        try:
            if process.run([path, "-I", "-c", question, module], check=False, timeout_s=30).code == 0:
                return path, where
        except Failed:  # a broken environment: the next one
            continue
    return "", ", ".join(dict.fromkeys(where for _, where in candidates)) or "no Python was found"


def find_modules(checkout: Path | None, modules: tuple[str, ...], environ: dict[str, str]) -> dict[str, str]:
    """Module -> where it was found: the checkout's environment, else the active one, else the Python on PATH."""
    found: dict[str, str] = {}
    for path, where in _interpreters(checkout, environ):
        left = [name for name in modules if name not in found]
        question = "import importlib.util as u, sys; print(*(m for m in sys.argv[1:] if u.find_spec(m)))"
        if left:
            try:
                said = process.run([path, "-I", "-c", question, *left], check=False, timeout_s=30)
            except Failed:  # a broken environment: the next one
                continue
            found |= dict.fromkeys(said.stdout.decode("utf-8", "replace").split(), where)
    return found


def _interpreters(checkout: Path | None, environ: dict[str, str], manager: str = "") -> list[tuple[str, str]]:
    places = [] if checkout is None else [(checkout / name, f"the checkout's {name}") for name in (".venv", "venv")]
    if checkout is not None and manager == "poetry" and process.which("poetry"):
        said = process.run(["poetry", "env", "info", "-p"], cwd=checkout, check=False, timeout_s=60)
        places += [(Path(line), "poetry's environment") for line in said.stdout.decode().split("\n")[:1] if line]
    if environ.get("VIRTUAL_ENV"):
        places.append((Path(environ["VIRTUAL_ENV"]), "the active environment"))
    found = [(str(place / part), where) for place, where in places for part in ("bin/python", "Scripts/python.exe")]
    found = [(path, where) for path, where in found if Path(path).exists()]
    return found + [(path, f"{name} on PATH") for name in ("python3", "python") if (path := process.which(name))]


def bringing(folder: Path, manager: str, module: str) -> str:
    """The command that brings ``module`` to where the tools of the Python project in ``folder`` are looked for."""
    if manager in INSTALL:
        return INSTALL[manager]
    words = ["-r requirements.txt"] if (folder / "requirements.txt").is_file() else []
    built = (folder / "setup.py").is_file() or {"build-system", "project"} & set(_toml(folder / "pyproject.toml"))
    return " ".join(["python3 -m venv .venv && .venv/bin/pip install", *words, *(["-e ."] if built else []), module])


def _python_manager(folder: Path, tools: dict[str, Any]) -> str:
    if (folder / "uv.lock").is_file() or "uv" in tools:
        return "uv"
    return "poetry" if (folder / "poetry.lock").is_file() or "poetry" in tools else "pip"


def _configs(folder: Path, tools: dict[str, Any], setup: configparser.RawConfigParser) -> dict[str, str]:
    found: dict[str, str] = {}
    places: dict[str, tuple[str, ...]] = {
        "pytest": ("pytest.ini", ".pytest.ini"),
        "ruff": ("ruff.toml", ".ruff.toml"),
        "mypy": ("mypy.ini", ".mypy.ini"),
    }
    for tool, names in places.items():
        own = next((name for name in names if (folder / name).is_file()), "")
        section = "tool:pytest" if tool == "pytest" else tool
        if own:
            found[tool] = own
        elif tool in tools:
            found[tool] = f"[tool.{tool}] of pyproject.toml"
        elif tool != "ruff" and setup.has_section(section):
            found[tool] = "setup.cfg"
    return found


def _mypy_section(folder: Path, tools: dict[str, Any], setup: configparser.RawConfigParser) -> dict[str, Any]:
    for name in ("mypy.ini", ".mypy.ini"):
        own = _ini(folder / name)
        if own.has_section("mypy"):
            return dict(own.items("mypy"))
    if isinstance(tools.get("mypy"), dict):
        return dict(tools["mypy"])
    return dict(setup.items("mypy")) if setup.has_section("mypy") else {}


def _package(path: Path) -> tuple[dict[str, Any] | None, str]:
    if not path.is_file():
        return None, ""
    try:
        found = json.loads(path.read_bytes()[:_TEXT_CAP])
    except (OSError, ValueError, RecursionError) as error:
        return None, f"package.json cannot be read: {error}"
    return (found, "") if isinstance(found, dict) else (None, "package.json is not an object")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes()[:_TEXT_CAP].decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _ini(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_bytes()[:_TEXT_CAP].decode("utf-8"))
    except (OSError, ValueError, configparser.Error):
        return configparser.RawConfigParser()
    return parser
