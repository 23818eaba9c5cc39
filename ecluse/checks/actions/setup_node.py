"""``actions/setup-node``: the Node of this machine, or another version that npm brings and this machine keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.artifacts import version_of
from ecluse.checks.actions.package_caches import use_package_cache
from ecluse.checks.hashfiles import hash_files
from ecluse.checks.placing import inside
from ecluse.checks.tools import bring_node
from ecluse.checks.versions import Version, matches, parse, show
from ecluse.errors import Problem
from ecluse.files import read_capped
from ecluse.model import Result

_CAP = 1 << 20
_LOCK_FILES = {
    "npm": ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock"],
    "pnpm": ["pnpm-lock.yaml"],
    "yarn": ["yarn.lock"],
}
_ASKING = ("volta", "engines", "devEngines")
_EXTENDED = 10
"""How many packages one after the other may extend another one's versions."""
_MANAGER = re.compile(r"\^?(npm|yarn|pnpm)(?:@.*)?\Z")
_NAMES = {
    "argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14", "gallium": "16",
    "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}  # fmt: skip


def run(call: ActionCall) -> Outcome:
    """Use the Node on PATH when its version is the one asked for, else put another one in front of it."""
    env = call.session.environment(call.frame, call.env)
    node = process.which("node", env.get("PATH"))
    wish = call.input("node-version") or _from_file(call)
    version = None
    if node is not None:
        done = process.run([node, "--version"], env=env, timeout_s=20, check=False)
        version = parse(done.stdout.decode("utf-8", "replace"))
    if node is None or version is None:
        return Outcome(Result.FAILURE, reason="Node is not on this machine: install it, or remove setup-node")
    if not _fulfils(wish, version):
        brought = bring_node(_as_range(wish)) if _as_range(wish) else None
        if brought is None:
            return Outcome(
                Result.FAILURE,
                reason=f"Node {wish} is not on this machine (here is {show(version)}), and npm did not bring it: "
                "install that version, or ask for the one that is here",
            )
        version, programs = brought
        call.session.path.append(str(programs))
        node = str(programs / "node")
    _use_registry(call)
    call.outputs["node-version"] = f"v{show(version)}"
    call.outputs["cache-hit"] = ""
    call.say(f"Node {show(version)} of {node}")
    manager = call.input("cache") or _own_manager(call)
    return _use_cache(call, manager) if manager else Outcome(Result.SUCCESS)


def _own_manager(call: ActionCall) -> str:
    """The manager whose cache is kept without being asked for, since version 5: the one that package.json names.

    Version 5 does so for all three, later ones for npm only. Where the version cannot be seen (a commit), it is done
    when there is a lock file to go by: an older version would not have asked for one.
    """
    major = (version_of(call.step.uses) or (0,))[0]
    if 0 < major < 5 or not call.flag("package-manager-cache", True):
        return ""
    package = _package(call.session.workspace / "package.json")
    engines = package.get("devEngines")
    named = engines.get("packageManager") if isinstance(engines, dict) else None
    wishes = [one.get("name") for one in (named if isinstance(named, list) else [named]) if isinstance(one, dict)]
    for wish in [*wishes, package.get("packageManager")]:
        said = _MANAGER.match(wish) if isinstance(wish, str) else None
        if said is None or (major != 5 and said[1] != "npm"):
            continue
        if not major and not any((call.session.workspace / name).is_file() for name in _LOCK_FILES[said[1]]):
            continue
        call.say(f"package.json names {said[1]}: what it downloads is kept; not so with package-manager-cache: false")
        return said[1]
    return ""


def _package(path: Path) -> dict[str, Any]:
    """What a package.json says; nothing when it is not there, or no JSON object."""
    try:
        said = json.loads(read_capped(path, _CAP)) if path.is_file() else {}
    except (OSError, ValueError, Problem):
        return {}
    return said if isinstance(said, dict) else {}


def _use_cache(call: ActionCall, manager: str) -> Outcome:
    """Keep what npm, yarn or pnpm downloads, told apart by the lock file."""
    if manager not in _LOCK_FILES:
        return Outcome(Result.FAILURE, reason=f"Caching for '{manager}' is not supported")
    workspace = call.session.workspace
    given = call.lines("cache-dependency-path")
    patterns = given or [name for name in _LOCK_FILES[manager] if (workspace / name).is_file()][:1]
    if not patterns:
        told = f"Dependencies lock file is not found in {workspace}. Supported file patterns: "
        return Outcome(Result.FAILURE, reason=told + ",".join(_LOCK_FILES[manager]))
    content = hash_files(workspace, patterns)
    if not content:
        return Outcome(Result.FAILURE, reason="Some specified paths were not resolved, unable to cache dependencies.")
    restored = use_package_cache(call, manager, ["node-cache", manager, content])
    call.outputs["cache-hit"] = "true" if restored.is_exact else "false"
    call.outputs["cache-primary-key"] = restored.key
    call.outputs["cache-matched-key"] = restored.found
    return Outcome(Result.SUCCESS)


def _fulfils(wish: str, version: Version) -> bool:
    wish = wish.strip().lower()
    if wish in ("", "*", "latest", "current", "node"):
        return True
    if wish in ("lts", "lts/*", "lts/-1"):
        return version[0] % 2 == 0
    return matches(_as_range(wish), version) if _as_range(wish) else False


def _as_range(wish: str) -> str:
    """A wish in numbers: code names of long-term releases become their major version; empty for an unknown one."""
    wish = wish.strip().lower().removeprefix("v")
    return _NAMES.get(wish.removeprefix("lts/"), "") if wish.startswith("lts/") else wish


def _use_registry(call: ActionCall) -> None:
    """With ``registry-url``, an npm configuration that reads its token from NODE_AUTH_TOKEN."""
    url = call.input("registry-url")
    if not url:
        return
    url = url if url.endswith("/") else url + "/"
    scope = call.input("scope")
    scope = f"{scope if scope.startswith('@') else '@' + scope}:" if scope else ""
    path = call.session.temp / ".npmrc"
    host = url.partition(":")[2]
    path.write_text(f"{host}:_authToken=${{NODE_AUTH_TOKEN}}\n{scope}registry={url}\n", encoding="utf-8")
    call.session.env["NPM_CONFIG_USERCONFIG"] = str(path)
    call.session.env.setdefault("NODE_AUTH_TOKEN", "XXXXX-XXXXX-XXXXX-XXXXX")


def _from_file(call: ActionCall) -> str:
    name = call.input("node-version-file")
    if not name:
        return ""
    path: Path = inside(call.session.workspace, name, "node-version-file")
    text = read_capped(path, _CAP).decode("utf-8", "replace")
    if path.name == "package.json":
        return _of_package(call.session.workspace, path)
    if path.name == ".tool-versions":
        rows = [line.split() for line in text.splitlines()]
        return next((row[1] for row in rows if len(row) > 1 and row[0] in ("nodejs", "node")), "")
    return text.strip()


def _of_package(workspace: Path, path: Path, depth: int = 0) -> str:
    """The Node that a package.json asks for: ``volta``, ``devEngines.runtime``, ``engines``, and what volta extends."""
    package = _package(path)
    volta, engines, own = ({} if not isinstance(package.get(key), dict) else package[key] for key in _ASKING)
    runtime = own.get("runtime")
    for one in [{"name": "node", "version": volta.get("node")}, *(runtime if isinstance(runtime, list) else [runtime])]:
        if isinstance(one, dict) and one.get("name") == "node" and one.get("version"):
            return str(one["version"])
    if engines.get("node"):
        return str(engines["node"])
    more = volta.get("extends")
    if not isinstance(more, str) or depth >= _EXTENDED:
        return ""
    return _of_package(
        workspace, inside(workspace, str(path.parent.relative_to(workspace) / more), "extends"), depth + 1
    )
