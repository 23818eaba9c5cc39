"""``pnpm/action-setup``: the pnpm of this machine, or one that npm brings."""

from __future__ import annotations

import json

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.package_caches import use_package_cache
from ecluse.checks.hashfiles import hash_files
from ecluse.checks.output import StepOutput
from ecluse.checks.placing import inside
from ecluse.checks.tools import bring_npm_package
from ecluse.checks.versions import matches, parse
from ecluse.errors import Problem
from ecluse.files import read_capped
from ecluse.model import Result
from ecluse.yaml12 import YamlProblem, plain
from ecluse.yaml12 import parse as parse_yaml

_CAP = 1 << 20


def run(call: ActionCall) -> Outcome:
    """Put pnpm on PATH in the wished version, and install packages when ``run_install`` says so."""
    session = call.session
    wish = call.input("version") or _from_package(call)
    if not wish:
        return Outcome(Result.FAILURE, reason="No pnpm version is specified: by the input version, or packageManager")
    env = session.environment(call.frame, call.env)
    found = process.which("pnpm", env.get("PATH"))
    if found is None or not _fits(found, wish, env):
        programs = bring_npm_package("pnpm", wish)
        if programs is None:
            return Outcome(
                Result.FAILURE,
                reason=f"pnpm {wish} is not on this machine, and npm did not bring it: npm install -g pnpm",
            )
        session.path.append(str(programs))
        found = str(programs / "pnpm")
    call.outputs["dest"] = call.outputs["bin_dest"] = found.rpartition("/")[0]
    session.env["PNPM_HOME"] = call.outputs["bin_dest"]
    call.say(f"pnpm of {found}")
    if call.flag("cache"):
        content = hash_files(session.workspace, call.lines("cache_dependency_path") or ["pnpm-lock.yaml"])
        if not content:
            told = "Some specified paths were not resolved, unable to cache dependencies."
            return Outcome(Result.FAILURE, reason=told)
        restored = use_package_cache(call, "pnpm", ["pnpm-cache", content])
        call.outputs["cache-hit"] = "true" if restored.is_exact else "false"
    return _install(call, found)


def _fits(program: str, wish: str, env: dict[str, str]) -> bool:
    try:
        done = process.run([program, "--version"], env=env, timeout_s=30, check=False)
        version = parse(done.stdout.decode("utf-8", "replace"))
        return version is not None and (wish == "latest" or matches(wish, version))
    except Problem:
        return False


def _from_package(call: ActionCall) -> str:
    """The version in ``packageManager`` of package.json, without its hash."""
    path = inside(call.session.workspace, call.input("package_json_file", "package.json"), "package_json_file")
    if not path.is_file():
        return ""
    try:
        package = json.loads(read_capped(path, _CAP))
    except ValueError:
        return ""
    named = str(package.get("packageManager") or "") if isinstance(package, dict) else ""
    return named.removeprefix("pnpm@").partition("+")[0] if named.startswith("pnpm@") else ""


def _install(call: ActionCall, pnpm: str) -> Outcome:
    text = call.input("run_install", "null")
    try:
        wish = plain(parse_yaml(text))
    except YamlProblem as problem:
        return Outcome(Result.FAILURE, reason=f"run_install is wrong: {problem.message}")
    items = [{}] if wish is True else wish if isinstance(wish, list) else [wish] if isinstance(wish, dict) else []
    session = call.session
    for item in items:
        env = session.environment(call.frame, call.env)
        words = ["recursive"] if item.get("recursive") else []
        words += ["install", *(str(one) for one in item.get("args") or [])]
        said = StepOutput(session, env)
        try:
            code = session.start(
                [pnpm, *words],
                said.line,
                frame=call.frame,
                cwd=inside(session.workspace, str(item.get("cwd") or "."), "cwd"),
                env=env | said.variables,
                timeout_s=call.limit_s,
            )
        finally:
            said.close()
        if code != 0:
            return Outcome(Result.FAILURE, code, f"pnpm {' '.join(words)} ended with exit code {code}")
    return Outcome(Result.SUCCESS)
