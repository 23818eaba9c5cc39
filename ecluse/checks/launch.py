"""The one place where the steps of a job start processes, so that a wrapper can be put around all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ecluse import process


class Wrapper(Protocol):
    """Turns a step's command into the command that runs it, for example inside a sandbox."""

    def __call__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Sequence[str]: ...


def bare(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Sequence[str]:
    """No wrapper: the command itself."""
    return argv


def launch(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float | None,
    cancelled: Callable[[], bool] | None,
    on_left: Callable[[int], None],
    wrapper: Wrapper = bare,
) -> int:
    """Run a step's command and return its exit status.

    What it leaves running in the background stays until the job ends (``on_left`` gets its group), as on GitHub.
    Raises :class:`TimeoutError` and :class:`InterruptedError` after ending the whole group.
    """
    return process.stream(
        wrapper(argv, cwd, env),
        on_line,
        cwd=cwd,
        env=env,
        timeout_s=timeout_s,
        cancelled=cancelled,
        on_left=on_left,
    )
