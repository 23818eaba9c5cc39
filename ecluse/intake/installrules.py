"""What package managers do by themselves when somebody installs: commands they run (and, by ``lockrules``, what they load)."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

from ecluse.git import ChangedPath
from ecluse.intake.lockrules import names_places, new_places
from ecluse.intake.pathrules import shown
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

_ON_INSTALL = {
    "package.json": (
        "preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "dependencies",
    ),
    "composer.json": (
        "pre-install-cmd", "post-install-cmd", "pre-update-cmd", "post-update-cmd", "post-autoload-dump", "pre-autoload-dump",
    ),
}  # fmt: skip
"""File -> names in its `scripts` that run without being asked for."""

_SETS_OUT = expression(
    rb"\b(?:cmdclass|subprocess|os\.(?:system|popen|exec\w*|spawn\w*)|urllib|requests|socket|exec|eval|__import__)\b"
)
_BACKENDS = frozenset((
    "setuptools.build_meta", "hatchling.build", "poetry.core.masonry.api", "flit_core.buildapi", "pdm.backend", "maturin", "uv_build",
    "scikit_build_core.build", "mesonpy", "setuptools.build_meta:__legacy__",
))  # fmt: skip


def judge_install(change: ChangedPath, read: Callable[[str], bytes]) -> list[Finding]:
    """``toolconfig.autorun`` for what a change newly has run on install, ``toolconfig.source`` for where it newly loads from."""
    name = change.path.rpartition("/")[2]
    if name not in _ON_INSTALL and name not in ("setup.py", "pyproject.toml") and not names_places(change.path):
        return []  # most files are never read for this
    now = read(change.new_id)
    before = read(change.old_id) if change.old_mode.startswith("100") else b""
    if name in _ON_INSTALL:
        scripts, known = _scripts(now), _scripts(before)
        fresh = [one for one in _ON_INSTALL[name] if one in scripts and scripts[one] != known.get(one)]
        if fresh:
            return [_finding("toolconfig.autorun", change, f"runs a command by itself on install ({', '.join(fresh)})")]
    if name == "setup.py" and set(_SETS_OUT.findall(now)) - set(_SETS_OUT.findall(before)):
        return [_finding("toolconfig.autorun", change, "runs more than a declaration when it is installed")]
    if name == "pyproject.toml" and (system := _build_system(now)) != _build_system(before):
        backend = system.get("build-backend", "setuptools.build_meta")
        if "backend-path" in system or backend not in _BACKENDS:
            return [
                _finding("toolconfig.autorun", change, f"is built by {str(backend)[:60]!a}, which is run on install")
            ]
    if names_places(change.path) and (places := new_places(name, now, before)):
        return [_finding("toolconfig.source", change, f"has packages loaded from a new place: {', '.join(places[:5])}")]
    return []


def _scripts(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)["scripts"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _build_system(data: bytes) -> dict[str, Any]:
    try:
        found = tomllib.loads(data.decode("utf-8")).get("build-system", {})
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _finding(code: str, change: ChangedPath, why: str) -> Finding:
    return Finding(code, Verdict.QUARANTINE, f"{shown(change.path)} {why}", change.path)
