"""The only place where a command becomes a process: what every one of them has in common, and how it fails to start."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ecluse.errors import Failed
from ecluse.files import storage_problem


def missing_tool(name: str) -> Failed:
    """The problem to raise when the program ``name`` is not on this machine."""
    return Failed(
        "tool.missing",
        f"The program `{name}` was not found on this machine (PATH was searched).",
        f"install {name} with your system's package manager, then type: ecluse doctor",
    )


def which(name: str, path: str | None = None) -> str | None:
    """Where ``name`` is on PATH (or on ``path``), or ``None``."""
    import shutil

    return shutil.which(name, path=path)


def start(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise storage_problem(error, cwd) from error
        raise missing_tool(argv[0]) from error
    except PermissionError as error:
        if which(argv[0], None if env is None else env.get("PATH")) is None:
            raise missing_tool(argv[0]) from error  # a folder of PATH that may not be read hides that there is none
        raise Failed(
            "tool.not_executable", f"`{argv[0]}` may not be executed: {error.strerror}.", f"ls -l {argv[0]}"
        ) from error
