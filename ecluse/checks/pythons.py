"""Python interpreters on this machine, and environments made from them for one job.

An environment is what ``python -m venv`` makes, written by hand: a few links, and a copy of the base interpreter's
own pip (about 0.1 s; bootstrapping pip takes 2 to 3). It is a copy and never a link, because pip removes and replaces
itself: whatever a job installs, upgrades or removes stays in the job's environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecluse import process
from ecluse.checks.versions import Version, matches, show
from ecluse.errors import Failed

_PROBE = (
    "import json, sys, importlib.util as u, glob, os\n"
    "s = u.find_spec('pip'); p = os.path.dirname(s.origin) if s and s.origin else ''\n"
    "e = u.find_spec('ensurepip'); w = sorted(glob.glob(os.path.join(os.path.dirname(e.origin), '_bundled', "
    "'pip-*.whl'))) if e and e.origin else []\n"
    "print(json.dumps([list(sys.version_info[:3]), sys.implementation.name, "
    "getattr(sys, '_base_executable', sys.executable), p, w[-1] if w else '']))"
)
_NEWEST_MINOR = 20


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine; ``pip`` is its pip package or wheel, empty when it has none."""

    path: str
    version: Version
    pip: str = ""


@lru_cache(maxsize=128)
def probe(path: str) -> Interpreter | None:
    """What the program ``path`` is, or ``None`` when it is no CPython that runs."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")}
    try:
        done = process.run([path, "-I", "-c", _PROBE], env=env, timeout_s=20, check=False)
        version, kind, executable, package, wheel = json.loads(done.stdout)
    except (Failed, ValueError):
        return None
    if done.code != 0 or kind != "cpython":
        return None
    return Interpreter(executable, tuple(version), package or wheel)


def find(wish: str, path: str) -> Interpreter | None:
    """The newest interpreter that fulfils ``wish``, of those on ``path`` and in the usual places."""
    own = getattr(sys, "_base_executable", sys.executable)
    here: Version = tuple(sys.version_info[:3])
    # A wish for one minor version that our own interpreter has needs no search.
    if wish.count(".") == 1 and wish.replace(".", "").isdecimal() and matches(wish, here) and (mine := probe(own)):
        return mine
    fitting = [found for found in known(path) if matches(wish, found.version)]
    return max(fitting, key=lambda found: found.version, default=None) or _ask_uv(wish, path)


def known(path: str) -> list[Interpreter]:
    """Every interpreter found, one for each version, oldest first."""
    found: dict[Version, Interpreter] = {}
    for candidate in _candidates(path):
        interpreter = probe(candidate)
        if interpreter is not None:
            found.setdefault(interpreter.version, interpreter)
    return [found[version] for version in sorted(found)]


def _candidates(path: str) -> Iterator[str]:
    yield getattr(sys, "_base_executable", sys.executable)
    names = ["python3", "python", *(f"python3.{minor}" for minor in range(8, _NEWEST_MINOR))]
    for name in names:
        if located := process.which(name, path):
            yield located
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for pattern in (pyenv / "versions", Path.home() / ".local/share/uv/python", Path("/opt/hostedtoolcache/Python")):
        with contextlib.suppress(OSError):  # an inherited folder that is not ours to read has nothing for us
            yield from [str(found) for depth in ("*", "*/*") for found in sorted(pattern.glob(f"{depth}/bin/python3"))]


def _ask_uv(wish: str, path: str) -> Interpreter | None:
    """What uv knows beyond our own search; it is not asked to download anything."""
    uv = process.which("uv", path)
    if uv is None:
        return None
    env = {"PATH": path, "HOME": os.environ.get("HOME", "/")}
    asked = ["python", "find", "--no-project", "--no-python-downloads", "--system", wish]
    done = process.run([uv, *asked], env=env, timeout_s=20, check=False)
    found = probe(done.stdout.decode("utf-8", "replace").strip()) if done.code == 0 else None
    return found if found is not None and matches(wish, found.version) else None


def bring(wish: str, path: str) -> Interpreter | None:
    """An interpreter that uv fetches, where uv is on this machine; ``None`` when it does not."""
    uv = process.which("uv", path)
    if uv is None:
        return None
    env = {"PATH": path, "HOME": os.environ.get("HOME", "/")}
    wanted = wish.replace(".x", "") if wish.endswith(".x") else wish
    try:
        process.run([uv, "python", "install", "-q", wanted], env=env, timeout_s=300)
    except Failed:
        return None
    return _ask_uv(wish, path)


def make_environment(interpreter: Interpreter, folder: Path) -> Path:
    """Make an environment of ``interpreter`` in ``folder``; return its folder of programs."""
    base = Path(interpreter.path)
    minor = f"{interpreter.version[0]}.{interpreter.version[1]}"
    programs = folder / "bin"
    packages = folder / "lib" / f"python{minor}" / "site-packages"
    programs.mkdir(parents=True)
    packages.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {show(interpreter.version)}\n"
        f"executable = {base}\n"
    )
    for name in ("python", "python3", f"python{minor}"):
        (programs / name).symlink_to(base)
    if interpreter.pip:
        _copy_pip(Path(interpreter.pip), packages)
        body = '#!/bin/sh\nexec "${0%/*}/python" -m pip "$@"\n'
    else:
        body = f"#!/bin/sh\necho 'Python {show(interpreter.version)} has no pip on this machine.' >&2\nexit 1\n"
    for name in ("pip", "pip3", f"pip{minor}"):
        (programs / name).write_text(body)
        (programs / name).chmod(0o755)
    return programs


def _copy_pip(source: Path, packages: Path) -> None:
    """Bring pip from where the base interpreter has it: installed, or as the wheel that its ensurepip carries."""
    if source.suffix == ".whl":
        shutil.unpack_archive(source, packages, "zip")
        return
    shutil.copytree(source, packages / "pip")
    for record in source.parent.glob("pip-*.dist-info"):
        shutil.copytree(record, packages / record.name)
