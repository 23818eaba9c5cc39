"""A coding agent as a detached job: a clone to work in, the brief on standard input, a log, limits, a bundle at the end.

``python -m ecluse.release.agents FOLDER`` is the job. ``FOLDER/agent.json`` says what to run, ``agent.log`` keeps what
it said with secrets hidden, ``change.tar`` is what it made, and ``result.json`` appears, by rename, at the end. The
clone has no remote; the agent's variables are those that its configuration names, and no others.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ecluse
from ecluse import process
from ecluse.errors import Failed
from ecluse.files import write_atomically
from ecluse.release import vault

if TYPE_CHECKING:
    from ecluse.config import AgentConfig
    from ecluse.release.context import Context

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")
CHANGE = "change.tar"
"""The bundle that comes back; an agent that hands over itself finds its path in ECLUSE_CHANGE."""

LOG_CAP = 64 << 20
"""Bytes of an agent's output that are kept."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an agent's work. ``why`` says why it failed; ``bundle`` is empty when it changed nothing."""

    why: str
    bundle: str
    cost: float
    seconds: float


def begin(context: Context, name: str, settings: AgentConfig, brief: str, folder: Path) -> None:
    """Make the clone and start the job in ``folder``; one that was started there before is left alone."""
    import shutil

    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(tree, ignore_errors=True)
    clone = context.repository.borrow(tree)
    clone.check_out(context.release.commit)
    who = {"user.name": name, "user.email": f"{name}@agent.invalid"}
    for key, text in who.items():
        clone.set_config(key, text)
    secrets = {one: vault.value(context.repository, one) for one in settings.secrets}
    variables = {one: os.environ[one] for one in (*_INHERITED, *settings.variables) if one in os.environ}
    request = {
        "agent": name,
        "command": list(settings.command),
        "minutes": settings.minutes,
        "cost": settings.cost,
        "cost_pattern": settings.cost_pattern,
        "base": context.release.commit,
        "secrets": sorted(secrets),
        "variables": sorted({*settings.variables, *secrets}),
    }
    write_atomically(folder / "brief.md", brief.encode(), mode=0o600)
    write_atomically(folder / "agent.json", json.dumps(request).encode(), mode=0o600)
    words = [sys.executable, "-m", "ecluse.release.agents", str(folder)]
    root = Path(ecluse.__file__).resolve().parent.parent
    process.run_job(folder, words, cwd=root, env={**variables, **secrets})


def result_of(folder: Path) -> Result | None:
    """What came of the work in ``folder``, or ``None`` while it is not over."""
    try:
        return Result(**json.loads((folder / "result.json").read_bytes()))
    except (OSError, ValueError):
        return None


def work(folder: Path) -> Result:
    """Body of the job: run the agent within its limits, then bundle what it changed."""
    request = json.loads((folder / "agent.json").read_bytes())
    began = time.monotonic()
    cost, why = _run_agent(folder, request)
    seconds = time.monotonic() - began
    bundle = "" if why else _bundle(folder, request)
    return Result(why, bundle, cost, seconds)


def _run_agent(folder: Path, request: dict[str, Any]) -> tuple[float, str]:
    """Run the command; return what it cost, and why it failed."""
    pattern = re.compile(request["cost_pattern"])
    limit = request["cost"]
    hides = vault.masker(*(os.environ.get(name, "") for name in request["secrets"]))
    spent = 0.0
    over = threading.Event()
    kept = 0
    with (folder / "agent.log").open("w", encoding="utf-8") as log, (folder / "brief.md").open("rb") as brief:

        def on_line(line: str) -> None:
            nonlocal spent, kept
            found = pattern.search(line)
            if found:
                spent = max(spent, float(found[1]))
                if limit is not None and spent > limit:
                    over.set()
            if kept < LOG_CAP:
                kept += log.write(f"{hides.mask(line)}\n")
                log.flush()

        try:
            code = process.stream(
                request["command"],
                on_line,
                cwd=folder / "tree",
                env={**os.environ, "ECLUSE_BASE": request["base"], "ECLUSE_CHANGE": str(folder / CHANGE)},
                timeout_s=float(request["minutes"]) * 60,
                cancelled=over.is_set,
                stdin=brief,
            )
        except TimeoutError:
            return spent, f"did not end within {request['minutes']:g} minutes and was ended."
        except InterruptedError:
            return spent, f"had cost {spent:g} and was ended: the limit is {limit:g}."
        except Failed as problem:
            return spent, f"could not be started: {problem.message}"
    if over.is_set():
        return spent, f"cost {spent:g}, and the limit is {limit:g}; what it made was not taken."
    return spent, f"ended with status {code}." if code else ""


def _bundle(folder: Path, request: dict[str, Any]) -> str:
    """What the agent handed over itself, else an export of what it changed; empty when nothing was."""
    to = folder / CHANGE
    if to.exists():
        return str(to)
    words = ["export", "--agent", request["agent"], "--base", request["base"], "--to", str(to), "--json"]
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    root = Path(ecluse.__file__).resolve().parent.parent
    argv = [sys.executable, "-m", "ecluse", "-C", str(folder / "tree"), *words]
    done = process.run(argv, cwd=root, env=env, check=False)
    if to.exists():
        return str(to)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {"message": done.stderr.decode("utf-8", "replace").strip()[-600:]}
    said = said.get("error", said)
    if said.get("code") == "export.empty":
        return ""
    raise Failed("agent.export", f"made something that cannot be handed over: {said.get('message')}", "ecluse export")


def main(folder_name: str) -> None:
    """Entry of the job's process."""
    folder = Path(folder_name)
    try:
        result = work(folder)
    except Failed as problem:
        result = Result(problem.message, "", 0.0, 0.0)
    write_atomically(folder / "result.json", json.dumps(asdict(result)).encode(), mode=0o600)


if __name__ == "__main__":
    main(sys.argv[1])
