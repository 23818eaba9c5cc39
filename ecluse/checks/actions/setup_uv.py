"""``astral-sh/setup-uv`` (and ``hynek/setup-cached-uv``): the uv of this machine, or one that pip brings."""

from __future__ import annotations

from pathlib import Path

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.package_caches import use_package_cache
from ecluse.checks.hashfiles import hash_files
from ecluse.checks.placing import inside
from ecluse.checks.tools import bring_uv
from ecluse.checks.versions import Version, matches, parse, show
from ecluse.errors import Problem
from ecluse.model import Result

_FORCE = (0, 8, 24)
"""Since this version uv waits for others that use the cache, unless it is told not to."""
_DEPENDENCIES = [
    *(f"**/*{kind}*.{ending}" for kind in ("requirements", "constraints") for ending in ("txt", "in")),
    "**/pyproject.toml",
    "**/uv.lock",
    "**/*.py.lock",
]


def run(call: ActionCall) -> Outcome:
    """Put uv on PATH in the wished version; with ``python-version``, have uv use that Python."""
    session = call.session
    env = session.environment(call.frame, call.env)
    wish = _wish(call)
    found = process.which("uv", env.get("PATH"))
    version = uv_version(found) if found else None
    if found is None or version is None or (wish and not matches(wish, version)):
        here = f" (here is {show(version)})" if version else ""
        programs = bring_uv(wish)
        found = str(programs / "uv") if programs else None
        version = uv_version(found) if found else None
        if programs is None or found is None or version is None:
            said = f"uv {wish or ''}".strip()
            return Outcome(
                Result.FAILURE,
                reason=f"{said} is not on this machine{here}, and pip did not bring it: install it with: pip install uv",
            )
        session.path.append(str(programs))
    call.outputs["uv-version"] = show(version)
    call.outputs["uv-path"] = found
    call.outputs["uvx-path"] = str(Path(found).with_name("uvx"))
    call.outputs["cache-hit"] = "false"
    call.outputs["python-cache-hit"] = "false"
    call.say(f"uv {show(version)} of {found}")
    if call.flag("enable-cache"):  # "auto" means: on the forge's own machines
        _use_cache(call, found, version)
    return _python(call, found)


def uv_version(program: str) -> Version | None:
    """The version that ``program`` prints, or ``None`` when it does not run."""
    try:
        done = process.run([program, "--version"], timeout_s=20, check=False)
    except Problem:
        return None
    return parse(done.stdout.decode("utf-8", "replace")) if done.code == 0 else None


def _wish(call: ActionCall) -> str:
    """The version asked for: the input, else that of a file, else ``required-version`` of the project; empty: any."""
    import re
    import tomllib

    if wish := call.input("version"):
        return "" if wish == "latest" else wish
    workspace = call.session.workspace
    named = call.input("version-file")
    for name in [named] if named else ["uv.toml", "pyproject.toml"]:
        path = inside(workspace, name, "version-file")
        if not path.is_file():
            continue
        text = path.read_text("utf-8", "replace")
        if not name.endswith(".toml"):
            found = re.search(r"^uv(?:==|\s+)v?([\d.]+)", text, re.M)
            return found[1] if found else text.strip()
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        own = table if name == "uv.toml" else (table.get("tool") or {}).get("uv") or {}
        if own.get("required-version"):
            return str(own["required-version"])
    return ""


def _python(call: ActionCall, uv: str) -> Outcome:
    session = call.session
    wish = call.input("python-version")
    if wish:
        session.env["UV_PYTHON"] = wish
        call.outputs["python-version"] = wish
    if call.flag("activate-environment"):
        folder = session.temp / "venv"
        env = session.environment(call.frame, call.env)
        done = process.run([uv, "venv", "-q", str(folder)], cwd=session.workspace, env=env, timeout_s=300, check=False)
        if done.code != 0:
            return Outcome(Result.FAILURE, done.code, done.stderr.decode("utf-8", "replace").strip()[-500:])
        session.env["VIRTUAL_ENV"] = str(folder)
        session.path.append(str(folder / "bin"))
        call.outputs["venv"] = str(folder)
    return Outcome(Result.SUCCESS)


def _use_cache(call: ActionCall, uv: str, version: Version) -> None:
    """Keep what uv downloads and builds, told apart by the project's files.

    It is pruned before only when ``prune-cache: true`` says so in words. On the forge that is the default, because there
    a download costs less than a larger cache; here the next run may have no network.
    """
    session = call.session

    def prune(late: ActionCall) -> None:
        argv = [uv, "cache", "prune", "--ci", *(["--force"] if version >= _FORCE else [])]
        env = late.session.environment(late.frame, late.env)
        done = process.run(argv, env=env, cwd=session.workspace, timeout_s=600, check=False)
        said = done.stderr.decode("utf-8", "replace").strip()
        late.say(said if done.code == 0 else f"##[warning]the cache of uv was not pruned: {said[-300:]}")

    if local := call.input("cache-local-path"):
        home = session.environment(call.frame, call.env).get("HOME", "")
        session.env["UV_CACHE_DIR"] = str(session.workspace / (home + local[1:] if local.startswith("~/") else local))
    patterns = call.lines("cache-dependency-glob") or _DEPENDENCIES
    content = hash_files(session.workspace, patterns) or "no-dependency-glob"
    words = ["setup-uv", call.input("python-version", "unset"), content, call.input("cache-suffix")]
    restored = use_package_cache(
        call,
        "uv",
        [word for word in words if word],
        keep=call.flag("save-cache", True),
        look=call.flag("restore-cache", True),
        before=prune if call.flag("prune-cache") else None,
    )
    call.outputs["cache-hit"] = "true" if restored.is_exact else "false"
    call.outputs["cache-key"] = restored.key
