"""``actions/setup-python``: an interpreter of this machine, in an environment that belongs to the job alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.package_caches import use_package_cache
from ecluse.checks.contexts import runner_architecture
from ecluse.checks.hashfiles import hash_files
from ecluse.checks.placing import inside
from ecluse.checks.pythons import Interpreter, bring, find, known, make_environment
from ecluse.checks.versions import show
from ecluse.errors import Invalid, Unsupported
from ecluse.files import read_capped
from ecluse.model import Result

_CAP = 1 << 20
_LOCK_FILES = {"pip": ["**/requirements.txt"], "pipenv": ["**/Pipfile.lock"], "poetry": ["**/poetry.lock"]}


def run(call: ActionCall) -> Outcome:
    """Make each wished version's environment; the last one listed comes first on PATH, as on GitHub."""
    path = call.session.environment(call.frame, call.env).get("PATH", "")
    version = ""
    for wish in _wishes(call):
        interpreter = find(wish, path)
        if interpreter is None:
            interpreter = bring(wish, path)
        if interpreter is None:
            here = ", ".join(show(one.version) for one in known(path)) or "none"
            return Outcome(
                Result.FAILURE,
                reason=f"Python {wish} is not on this machine (here are: {here}). "
                "Install it, for example with: uv python install, or ask for a version that is here",
            )
        _use(call, interpreter)
        version = show(interpreter.version)
    return _use_cache(call, version) if call.input("cache") else Outcome(Result.SUCCESS)


def _use_cache(call: ActionCall, version: str) -> Outcome:
    """Keep what pip, pipenv or poetry downloads, told apart by the files that say what to install."""
    manager = call.input("cache").lower()
    if manager not in _LOCK_FILES:
        return Outcome(Result.FAILURE, reason=f"Caching for '{call.input('cache')}' is not supported")
    patterns = call.lines("cache-dependency-path")
    workspace = call.session.workspace
    content = hash_files(workspace, patterns or _LOCK_FILES[manager])
    if not content and manager == "pip" and not patterns:
        content = hash_files(workspace, ["**/pyproject.toml"])
    if not content:
        wanted = ",".join(patterns or _LOCK_FILES[manager])
        told = f"No file in {workspace} matched to [{wanted}], make sure you have checked out the target repository"
        return Outcome(Result.FAILURE, reason=told)
    head = f"setup-python-{version}-{manager}"
    restored = use_package_cache(call, manager, [head, content], prefix=head if manager == "pip" else "")
    call.outputs["cache-hit"] = "true" if restored.is_exact else "false"
    return Outcome(Result.SUCCESS)


def _use(call: ActionCall, interpreter: Interpreter) -> None:
    session = call.session
    version = show(interpreter.version)
    folder = session.tools / "Python" / version / runner_architecture().lower()
    programs = folder / "bin"
    if not programs.exists():
        make_environment(interpreter, folder)
    if call.flag("update-environment", True):
        session.path.append(str(programs))
        for name in ("pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"):
            session.env[name] = str(folder)
    call.outputs["python-version"] = version
    call.outputs["python-path"] = str(programs / "python")
    call.outputs["cache-hit"] = ""
    call.say(f"Python {version} of {interpreter.path}")


def _wishes(call: ActionCall) -> list[str]:
    lines = [line.strip() for line in call.input("python-version").splitlines() if line.strip()]
    if not lines and (name := call.input("python-version-file")):
        lines = [read_wish(inside(call.session.workspace, name, "python-version-file"))]
    if not lines and (call.session.workspace / ".python-version").is_file():
        lines = [read_wish(call.session.workspace / ".python-version")]
    if call.flag("freethreaded"):
        lines = [f"{line}t" for line in lines]
    for line in lines:
        if re.match(r"(pypy|graalpy)|.*\dt$", line):
            raise Unsupported(
                "checks.python_kind",
                f"Python '{line}' is not the usual CPython, and only that is supported here.",
                "Ask for a CPython version such as 3.12.",
            )
    return lines or ["3.x"]


def read_wish(path: Path) -> str:
    """The version that a file asks for: ``.python-version``, ``.tool-versions`` or ``pyproject.toml``."""
    text = read_capped(path, _CAP).decode("utf-8", "replace")
    if path.suffix == ".toml":
        try:
            project = tomllib.loads(text).get("project") or {}
        except tomllib.TOMLDecodeError as error:
            raise Invalid("checks.python_file", f"{path.name} is not TOML: {error}.", "Correct the file.") from error
        return str(project.get("requires-python") or "3.x")
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if path.name == ".tool-versions":
            if words and words[0] == "python":
                return words[1]
        elif words:
            return words[0].removeprefix("python-")
    return "3.x"
