"""``pre-commit/action``: the hooks of ``.pre-commit-config.yaml``, by the pre-commit or the uv that is here, or by pip."""

from __future__ import annotations

import shlex
from pathlib import Path

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.output import StepOutput
from ecluse.errors import Unsupported
from ecluse.model import Result


def run(call: ActionCall) -> Outcome:
    """Run the hooks on all files, or as ``extra_args`` says.

    Raises :class:`Unsupported` when nothing here has pre-commit or can bring it.
    """
    session = call.session
    env = session.environment(call.frame, call.env)
    argv = _program(call, env)
    try:
        words = shlex.split(call.input("extra_args", "--all-files"))
    except ValueError as error:
        return Outcome(Result.FAILURE, reason=f"extra_args cannot be split into words: {error}")
    said = StepOutput(session, env)
    try:
        code = session.start(
            [*argv, "run", "--show-diff-on-failure", "--color=always", *words],
            said.line,
            frame=call.frame,
            cwd=session.workspace,
            env=env | said.variables,
            timeout_s=call.limit_s,
        )
    finally:
        said.close()
    if code != 0:
        return Outcome(Result.FAILURE, code, f"Process completed with exit code {code}.")
    return Outcome(Result.SUCCESS, code)


def _program(call: ActionCall, env: dict[str, str]) -> list[str]:
    """How pre-commit is started: as it is on PATH, by uv, or installed into the job's own Python as the action does."""
    path = env.get("PATH")
    if tool := process.which("pre-commit", path):
        return [tool]
    if tool := process.which("uvx", path):
        return [tool, "pre-commit"]
    own = Path(env.get("pythonLocation") or "/nowhere") / "bin"
    if (own / "python").is_file():
        install = [str(own / "python"), "-m", "pip", "install", "-q", "pre-commit"]
        done = process.run(install, cwd=call.session.workspace, env=env, timeout_s=call.limit_s or 600, check=False)
        if done.code == 0:
            return [str(own / "pre-commit")]
        call.say(done.stderr.decode("utf-8", "replace").strip()[-500:])
    raise Unsupported(
        "checks.pre_commit",
        "pre-commit is not on this machine, and neither uv nor a Python of setup-python brought it.",
        "Install it, for example in a step before: pip install pre-commit",
    )
