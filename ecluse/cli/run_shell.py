"""A shell at the place of a failed step: its folder, its environment, while the job waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse import process

if TYPE_CHECKING:
    from ecluse.checks.session import FailedStep
    from ecluse.cli.run_view import RunView


def open_shell(view: RunView, step: FailedStep) -> None:
    """Give the terminal to a shell until it ends. What is printed in it is not masked and not kept."""
    path = step.env.get("PATH")
    bash = process.which("bash", path)
    argv = [bash, "--noprofile", "--norc", "-i"] if bash else [process.which("sh", path) or "/bin/sh", "-i"]
    with view.held():
        view.frame.say()
        view.frame.say(f"{step.job}: {step.name} failed. This is a shell in its place: {step.folder}", "error")
        view.frame.say("  The job goes on when you leave it (exit). Secrets are not masked here.")
        env = {**step.env, "PS1": f"[{step.job}] $ ", "TERM": view.terminal, "HISTFILE": ""}
        code = process.run_at_terminal(argv, cwd=step.folder, env=env)
        view.frame.say(f"The shell ended with status {code}; the run goes on.", "step")
