"""``pre-commit/action``: the hooks of ``.pre-commit-config.yaml``, by the pre-commit or the uv of this machine."""

from __future__ import annotations

import shlex

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.output import StepOutput
from ecluse.errors import Unsupported
from ecluse.model import Result


def run(call: ActionCall) -> Outcome:
    """Run the hooks on all files, or as ``extra_args`` says.

    Raises :class:`Unsupported` when neither program is there.
    """
    session = call.session
    env = session.environment(call.frame, call.env)
    path = env.get("PATH")
    if tool := process.which("pre-commit", path):
        argv = [tool]
    elif tool := process.which("uvx", path):
        argv = [tool, "pre-commit"]
    else:
        raise Unsupported(
            "checks.pre_commit",
            "pre-commit is not on this machine, and neither is uv, which could bring it.",
            "Install it, for example in a step before: pip install pre-commit",
        )
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
