"""What package managers do by themselves when somebody installs: commands they run, and places they load from."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

from ecluse.git import ChangedPath
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
_LOCK = expression(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock|Cargo\.lock"
    r"|Gemfile\.lock|requirements[^/]*\.(?:txt|in))$",
    re.IGNORECASE,
)
_PLACE = rb"(?:[a-z]{2,9}\+)?(?:https?|git|ssh)://(?:[^/@\s\"']*@)?([A-Za-z0-9.-]+)"
_LOCKED = expression(
    rb"(?:\"resolved\":|^\s*resolved|\btarball:|^source =|\bregistry =|^\s*remote:|\burl =|\bgit =)\s{0,9}[\"']?"
    + _PLACE,
    re.M,
)
_FILE_OF_UV = expression(rb"\burl =\s{0,9}\"" + _PLACE)
"""Where single files of uv.lock lie. The index, named beside them, says where: what counts is a place that is new."""

_WANTED = expression(rb"^[^#\n]*?" + _PLACE, re.M)
_USUAL = frozenset((
    (b"npmjs", b"org"), (b"yarnpkg", b"com"), (b"pypi", b"org"), (b"github", b"com"),
    (b"gitlab", b"com"), (b"bitbucket", b"org"), (b"rubygems", b"org"), (b"crates", b"io"),
))  # fmt: skip
"""The last two parts of the names of public registries and forges, which nobody else can stand below."""

_BACKENDS = frozenset((
    "setuptools.build_meta", "hatchling.build", "poetry.core.masonry.api", "flit_core.buildapi", "pdm.backend", "maturin", "uv_build",
    "scikit_build_core.build", "mesonpy", "setuptools.build_meta:__legacy__",
))  # fmt: skip


def judge_install(change: ChangedPath, read: Callable[[str], bytes]) -> list[Finding]:
    """``toolconfig.autorun`` for what a change newly has run on install, ``toolconfig.source`` for where it newly loads from."""
    name = change.path.rpartition("/")[2]
    if name not in _ON_INSTALL and name not in ("setup.py", "pyproject.toml") and not _LOCK.search(change.path):
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
    if _LOCK.search(change.path):
        shape = _WANTED if name.lower().startswith("requirements") else _LOCKED
        usual = _hosts(shape, before)
        if name.lower() == "uv.lock" and not _FILE_OF_UV.search(before):
            usual |= _hosts(_FILE_OF_UV, now) - _hosts(shape, _FILE_OF_UV.sub(b"", now))
        places = sorted(one for one in _hosts(shape, now) - usual if _owner(one) not in _USUAL)
        if places:
            told = ", ".join(one.decode("ascii") for one in places[:5])
            return [_finding("toolconfig.source", change, f"has packages loaded from a new place: {told}")]
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


def _owner(host: bytes) -> tuple[bytes, ...]:
    return tuple(host.lower().split(b".")[-2:])


def _hosts(shape: re.Pattern[bytes], data: bytes) -> set[bytes]:
    return {one.lower() for one in shape.findall(data)}


def _finding(code: str, change: ChangedPath, why: str) -> Finding:
    return Finding(code, Verdict.QUARANTINE, f"{shown(change.path)} {why}", change.path)
