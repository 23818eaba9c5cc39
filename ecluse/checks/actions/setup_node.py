"""``actions/setup-node``: the Node of this machine, when its version is the one asked for."""

from __future__ import annotations

import json
from pathlib import Path

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.placing import inside
from ecluse.checks.versions import Version, matches, parse, show
from ecluse.files import read_capped
from ecluse.model import Result

_CAP = 1 << 20


def run(call: ActionCall) -> Outcome:
    """Check the version of the Node on PATH; nothing is downloaded."""
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
        return Outcome(
            Result.FAILURE,
            reason=f"Node {wish} is not on this machine (here is {show(version)}): "
            "install that version, or ask for the one that is here",
        )
    call.outputs["node-version"] = f"v{show(version)}"
    call.outputs["cache-hit"] = ""
    call.say(f"Node {show(version)} of {node}")
    reason = "there is no cache in this version: packages are installed afresh" if call.input("cache") else ""
    return Outcome(Result.SUCCESS, reason=reason)


def _fulfils(wish: str, version: Version) -> bool:
    wish = wish.strip().lower()
    if wish in ("", "*", "latest", "current", "node"):
        return True
    if wish in ("lts", "lts/*", "lts/-1"):
        return version[0] % 2 == 0
    return not wish.startswith("lts/") and matches(wish, version)


def _from_file(call: ActionCall) -> str:
    name = call.input("node-version-file")
    if not name:
        return ""
    path: Path = inside(call.session.workspace, name, "node-version-file")
    text = read_capped(path, _CAP).decode("utf-8", "replace")
    if path.name == "package.json":
        try:
            package = json.loads(text)
        except ValueError:
            return ""
        volta, engines = package.get("volta") or {}, package.get("engines") or {}
        return str(volta.get("node") or engines.get("node") or "")
    if path.name == ".tool-versions":
        rows = [line.split() for line in text.splitlines()]
        return next((row[1] for row in rows if len(row) > 1 and row[0] in ("nodejs", "node")), "")
    return text.strip()
