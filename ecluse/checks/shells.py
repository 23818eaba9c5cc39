"""How the script of a ``run`` step is handed to its shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecluse.errors import Unsupported

Finder = Callable[[str], str | None]
"""Where a program is on the step's PATH, or ``None``."""


@dataclass(frozen=True, slots=True)
class Shell:
    """A command line whose ``{0}`` is the script's path, the script's file ending, and text around the script."""

    argv: Sequence[str]
    suffix: str = ".sh"
    before: str = ""
    after: str = ""

    def command(self, script: str) -> list[str]:
        return [word.replace("{0}", script) for word in self.argv]


_POWERSHELL_END = "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }"


def choose(name: str, find: Finder) -> Shell:
    """The shell that a step names; without a name bash, or sh where there is none.

    Raises :class:`Unsupported` for a name that is no shell here and no command line with ``{0}`` in it.
    """
    if not name:
        return Shell(("bash" if find("bash") else "sh", "-e", "{0}"))
    if name == "bash":
        return Shell(("bash", "--noprofile", "--norc", "-eo", "pipefail", "{0}"))
    if name == "sh":
        return Shell(("sh", "-e", "{0}"))
    if name == "python":
        return Shell(("python" if find("python") else "python3", "{0}"), ".py")
    if name == "node":  # Forgejo's; GitHub wants `node {0}`
        return Shell(("node", "{0}"), ".js")
    if name == "pwsh":
        return Shell(("pwsh", "-command", ". '{0}'"), ".ps1", "$ErrorActionPreference = 'stop'\n", _POWERSHELL_END)
    if "{0}" in name:
        return Shell(tuple(shlex.split(name)), "")
    if name in ("cmd", "powershell"):
        raise Unsupported(
            "checks.shell", f"The shell '{name}' exists on Windows only.", "use shell: bash, sh, python or pwsh"
        )
    raise Unsupported(
        "checks.shell",
        f"'{name}' is neither a shell that is known here nor a command line with {{0}} for the script.",
        f"use shell: bash, sh, python, node or pwsh, or write: shell: {name} {{0}}",
    )
