"""How a git process is started: nothing inherited steers it, nothing of a repository runs in it.

Inherited ``GIT_*`` variables are stripped, system and user configuration are not read (except where a caller asks
for the user's own: identity, credentials), hooks, fsmonitor, external protocols, signing and prompts are off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ecluse import process
from ecluse.errors import Failed

GIT_MINIMUM = (2, 38)
"""First release with ``merge-tree --write-tree``, which merges without a work tree."""

_FIXED_CONFIG: tuple[tuple[str, str], ...] = (
    ("safe.directory", "*"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull),
    ("core.quotePath", "false"),
    ("core.safecrlf", "false"),
    ("core.splitIndex", "false"),
    ("color.ui", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("protocol.ext.allow", "never"),
    ("protocol.file.allow", "always"),
    ("advice.detachedHead", "false"),
    ("diff.noprefix", "false"),
    ("diff.mnemonicPrefix", "false"),
    ("diff.renames", "false"),
    ("diff.orderFile", os.devnull),
    ("merge.renames", "true"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
)


def clean_environment(*, user_config: bool = False, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a git process. With ``user_config``, the user's own configuration is read as well."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env.update(LC_ALL="C.UTF-8", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_EDITOR=":", GIT_PAGER="cat")
    if not user_config:
        env.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull, GIT_ATTR_NOSYSTEM="1")
    env["GIT_CONFIG_COUNT"] = str(len(_FIXED_CONFIG))
    for number, (key, value) in enumerate(_FIXED_CONFIG):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    env.update(extra or {})
    return env


def git(
    args: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: bytes | IO[bytes] | None = None,
    check: bool = True,
    user_config: bool = False,
    extra_env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    stdout: IO[bytes] | None = None,
    limits: process.Limits | None = None,
) -> process.Completed:
    """Run one git command. Raises :class:`ecluse.errors.Failed` when git is missing or (with ``check``) fails."""
    env = clean_environment(user_config=user_config, extra=extra_env)
    return process.run(
        ["git", *args], cwd=cwd, env=env, stdin=stdin, stdout=stdout, check=check, timeout_s=timeout_s, limits=limits
    )


def git_version() -> tuple[int, ...]:
    """The version of the git on PATH, for example ``(2, 39, 5)``. Raises :class:`Failed` when there is none."""
    said = git(["--version"]).stdout.decode("ascii", "replace")
    found = re.search(r"(\d+(?:\.\d+)+)", said)
    if not found:
        raise Failed("git.version", f"`git --version` said {said.strip()!r}, which names no version.", "ecluse doctor")
    return tuple(int(part) for part in found.group(1).split("."))
