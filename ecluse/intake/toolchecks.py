"""What the levels run of a change: build, tests, linter and types, on its tree in a clean clone.

These run code of the change. Who calls this has made sure that it may be run (``validation``).
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecluse import process
from ecluse.dataclass import dataclass
from ecluse.git import ChangedPath, Repository
from ecluse.intake.project import INSTALL, Project, bringing, find_python, read_project
from ecluse.secrets.scan import scan

_LEVELS: dict[str, tuple[str, ...]] = {"minimal": ("build",), "standard": ("pytest",), "complete": ("ruff", "mypy")}
"""Level -> the tools that it adds to those of the level before it."""

TIMEOUT_S = 900.0
"""How long one tool may take, in seconds."""

Outcome = tuple[str, str]
"""Result (success, failure, skipped) and the sentence that goes with it."""


@dataclass(frozen=True, slots=True)
class Site:
    """A clean clone with the tree in it, the checkout whose environments may be used, and what the change touches."""

    folder: Path
    checkout: Path | None
    project: Project
    changed: tuple[str, ...]


def tools_of(level: str) -> list[tuple[str, str]]:
    """(tool, the level that it belongs to) of everything that ``level`` runs, in order."""
    upto = list(_LEVELS)[: list(_LEVELS).index(level) + 1]
    return [(name, one) for one in upto for name in _LEVELS[one]]


def run_tools(
    repository: Repository, commit: str, changes: Sequence[ChangedPath], level: str, checkout: Path | None,
    only: Sequence[str] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Run the tools of ``level`` on ``commit``, of these only ``only`` where it is given;
    one result each, bound to the tree id.
    """
    tree = repository.tree_id(commit)
    python = tuple(c.path for c in changes if c.path.endswith((".py", ".pyi")) and c.new_mode.startswith("100"))
    found = []
    with repository.temporary_clone(bare=False) as clone:
        clone.check_out(commit)
        assert clone.work_tree is not None  # noqa: S101 - made with one
        site = Site(clone.work_tree, checkout, read_project(clone.work_tree), python)
        for name, of in tools_of(level):
            if only is not None and name not in only:
                continue
            began = time.monotonic()
            result, detail = _TOOLS[name](site)
            took = round((time.monotonic() - began) * 1000, 1)
            found.append(
                {"name": name, "level": of, "result": result, "detail": detail, "duration_ms": took, "tree": tree}
            )
    return found


def _build(site: Site) -> Outcome:
    project = site.project
    if project.package is None:
        return ("failure", project.package_fault) if project.package_fault else ("skipped", "there is no package.json")
    scripts = project.package.get("scripts")
    if not isinstance(scripts, dict) or not scripts.get("build"):
        return "skipped", "package.json names no script `build`"
    manager = project.js_manager
    if process.which(manager) is None:
        return "skipped", f"not checked: {manager} is not on this machine"
    needs = any(project.package.get(kind) for kind in ("dependencies", "devDependencies", "optionalDependencies"))
    if needs and not _bring_modules(site):
        why = "its dependencies are not installed in the checkout for exactly this package.json and lock file"
        return "skipped", f"not checked: {why}; type: {INSTALL[manager]}"
    return _run([manager, "run", "build"], site, "build", f"{manager} run build")


def _bring_modules(site: Site) -> bool:
    """Copy the checkout's ``node_modules`` into the clone, if it was installed for the same files."""
    if site.checkout is None or not (site.checkout / "node_modules").is_dir():
        return False
    for name in filter(None, ("package.json", site.project.js_lock)):
        theirs, ours = site.checkout / name, site.folder / name
        if not theirs.is_file() or theirs.read_bytes() != ours.read_bytes():
            return False
    shutil.copytree(site.checkout / "node_modules", site.folder / "node_modules", symlinks=True)
    return True


def _pytest(site: Site) -> Outcome:
    named = site.project.configs.get("pytest")
    if not named and not any(_is_test(name) for _, _, names in os.walk(site.folder) for name in names):
        return "skipped", "the tree holds no test files"
    python, where = _python_for(site, "pytest")
    if not python:
        return "skipped", where
    words = [python, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return _run(words, site, "pytest", f"with {where}{f', {named}' if named else ''}", nothing=5)


def _is_test(name: str) -> bool:
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def _ruff(site: Site) -> Outcome:
    named = site.project.configs.get("ruff")
    what = ["."] if named else [f"./{path}" for path in site.changed]
    if not what:
        return "skipped", "no Python file changed, and the project does not configure ruff"
    python, where = _python_for(site, "ruff")
    alone = process.which("ruff")
    if not python and alone is None:
        return "skipped", where
    words = [python, "-m", "ruff"] if python else [str(alone)]
    using = where if python else "ruff on PATH"
    return _run(
        [*words, "check", "--no-cache", "--quiet", *what],
        site,
        "ruff",
        f"with {using}, {named or 'its defaults, on the changed files'}",
    )


def _mypy(site: Site) -> Outcome:
    named = site.project.configs.get("mypy")
    what = [f"./{path}" for path in site.changed] if not named else [] if site.project.mypy_targets else ["."]
    if not named and not what:
        return "skipped", "no Python file changed, and the project does not configure mypy"
    python, where = _python_for(site, "mypy")
    if not python:
        return "skipped", where
    words = [python, "-m", "mypy", f"--cache-dir={os.devnull}", "--no-error-summary", *what]
    return _run(words, site, "mypy", f"with {where}, {named or 'its defaults, on the changed files'}")


def _python_for(site: Site, module: str) -> tuple[str, str]:
    """(interpreter, where it is from), or an empty text and why there is none, with the command that helps."""
    manager = site.project.python_manager
    python, where = find_python(site.checkout, manager, module, dict(os.environ))
    if python:
        return python, where
    command = bringing(site.checkout or site.folder, manager, module)
    return (
        "",
        f"not checked: {module} is not installed ({where}); install it in the checkout, for example with: {command}",
    )


def _run(words: list[str], site: Site, name: str, how: str, *, nothing: int | None = None) -> Outcome:
    """Run one tool in the clone; ``nothing`` is the status that says that there was nothing to check."""
    lines: deque[str] = deque(maxlen=60)
    try:
        code = process.stream(words, lines.append, cwd=site.folder, env=_environment(site), timeout_s=TIMEOUT_S)
    except TimeoutError:
        return "failure", f"{name} did not end within {TIMEOUT_S:g} s ({how})"
    if code == nothing:
        return "skipped", f"{name} found nothing to check ({how})"
    if code == 0:
        last = next((line.strip() for line in reversed(lines) if line.strip()), "") if name == "pytest" else ""
        return "success", _without_secrets(f"{last + ' ' if last else ''}({how})")
    return "failure", _without_secrets("\n".join([f"{name} ended with status {code} ({how})", *list(lines)[-25:]]))


def _without_secrets(text: str) -> str:
    """What a tool printed, cut to size; a line that holds what looks like a secret is left out."""
    hits = {hit.line for hit in scan(text.encode("utf-8", "backslashreplace"))}
    kept = [
        "(a line that looks like a secret was left out)" if number in hits else line[:400]
        for number, line in enumerate(text.split("\n"), 1)
    ]
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in kept)[:6000]


def _environment(site: Site) -> dict[str, str]:
    """The tools' environment: the clone comes before whatever an environment has installed of the same project."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "ECLUSE_"))}
    source = site.folder / "src"
    env["PYTHONPATH"] = os.pathsep.join([str(site.folder), *([str(source)] if source.is_dir() else [])])
    return env | {"PYTHONDONTWRITEBYTECODE": "1", "CI": "1", "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1"}


_TOOLS: dict[str, Callable[[Site], Outcome]] = {"build": _build, "pytest": _pytest, "ruff": _ruff, "mypy": _mypy}
