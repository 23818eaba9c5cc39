"""Tools that setup actions bring when this machine has another version: by the package clients that are here.

They are kept per user below the cache folder, told apart by version, and appear there by rename.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from ecluse import process
from ecluse.checks.contexts import inherited_environment
from ecluse.checks.versions import Version, matches, parse, show
from ecluse.errors import Failed, Problem

_WAIT_S = 300.0
_NPM_OF_NODE = ((11, "6"), (13, "6"), (15, "6"), (17, "8"), (23, "10"))
"""Below which major version of Node which npm still runs."""


def tools_folder(kind: str) -> Path:
    """Where tools of one kind are kept, a folder for each version."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ecluse" / "tools" / kind


def bring_node(wish: str) -> tuple[Version, Path] | None:
    """The newest Node that fulfils ``wish`` with an npm that runs on it, as version and folder of programs.

    npm of this machine brings it when it is not kept yet. ``None`` when there is no npm, no such version, or no
    answer.
    """
    npm = process.which("npm")
    kind = f"node-{_system()}"
    kept = tools_folder(kind)
    here = [version for entry in kept.glob("*/node_modules") if (version := parse(entry.parent.name))]
    fitting = sorted(version for version in here if matches(wish, version))
    if not fitting and npm is not None:
        fitting = _fetch_node(npm, kind, wish, kept)
    if not fitting:
        return None
    return fitting[-1], kept / show(fitting[-1]) / "node_modules" / ".bin"


def _system() -> str:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    return f"{'win' if sys.platform == 'win32' else sys.platform}-{machine}"


def _fetch_node(npm: str, kind: str, wish: str, kept: Path) -> list[Version]:
    env = inherited_environment()
    try:
        asked = process.run([npm, "view", f"{kind}@{wish}", "version", "--json"], env=env, timeout_s=60, check=False)
        answer = json.loads(asked.stdout or b"[]")
    except (Failed, ValueError):
        return []
    names = [answer] if isinstance(answer, str) else answer if isinstance(answer, list) else []
    known = sorted(version for name in names if (version := parse(str(name))) and matches(wish, version))
    if not known:
        return []
    version = known[-1]
    suited = next((npm_version for limit, npm_version in _NPM_OF_NODE if version[0] < limit), "11")
    packages = [f"{kind}@{show(version)}", f"npm@{suited}"]
    return [version] if _install(npm, packages, kept / show(version), env) else []


def bring_npm_package(name: str, version: str) -> Path | None:
    """The folder of programs of an npm package, kept by version; ``None`` when npm does not bring it."""
    npm = process.which("npm")
    target = tools_folder(name) / version
    if not target.is_dir() and (
        npm is None or not _install(npm, [f"{name}@{version}"], target, inherited_environment())
    ):
        return None
    return target / "node_modules" / ".bin"


def _install(npm: str, packages: list[str], target: Path, env: dict[str, str]) -> bool:
    """Install packages into ``target`` as one step; whether they are there now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"]
    try:
        done = process.run(
            [npm, "install", *quiet, "--prefix", str(folder), *packages],
            cwd=folder, env=env, timeout_s=_WAIT_S, check=False,
        )  # fmt: skip
        if done.code == 0:
            with suppress(OSError):  # another run was faster
                folder.replace(target)
    except Problem:
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target.is_dir()


def bring_uv(wish: str) -> Path | None:
    """The folder of programs of a uv that fulfils ``wish`` (empty: any), brought by pip into an environment.

    ``None`` when pip does not bring it.
    """
    from ecluse.checks.pythons import make_environment, probe

    kept = tools_folder("uv")
    here = [version for entry in kept.glob("*/bin/uv") if (version := parse(entry.parent.parent.name))]
    fitting = sorted(version for version in here if matches(wish or "*", version))
    if fitting:
        return kept / show(fitting[-1]) / "bin"
    own = probe(getattr(sys, "_base_executable", sys.executable))
    if own is None:
        return None
    kept.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=kept))
    try:
        programs = make_environment(own, folder / "env")
        wanted = "uv" + _as_pip(wish)
        install = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = process.run(
            [*install, "--target", str(folder / "files"), wanted],
            env=inherited_environment(),
            timeout_s=_WAIT_S,
            check=False,
        )
        program = folder / "files" / "bin" / "uv"
        if done.code != 0 or not program.is_file():
            return None
        version = parse(process.run([str(program), "--version"], timeout_s=20).stdout.decode("utf-8", "replace"))
        target = kept / show(version or (0, 0, 0))
        with suppress(OSError):  # another run was faster
            (folder / "files").replace(target)
        return target / "bin"
    except Problem:
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_pip(wish: str) -> str:
    """A version wish in pip's words: ``0.5.x`` as ``==0.5.*``, ``0.5.1`` as ``==0.5.1``, ``>=0.4`` as it is."""
    text = wish.strip()
    if text[:1] in "<>=!~":
        return text
    numbers = [part for part in text.split(".") if part.isdecimal()]
    if not numbers:
        return ""
    return f"=={'.'.join(numbers)}" + ("" if len(numbers) > 2 else ".*")
