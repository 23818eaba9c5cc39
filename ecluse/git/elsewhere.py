"""Repositories elsewhere: what their refs are at, and bringing one commit of them here. Nobody is asked a password.

The user's own configuration and credentials are not used: what is fetched is named by a file that anyone may have
changed.
"""

from __future__ import annotations

import os
from pathlib import Path

from ecluse import process
from ecluse.errors import Failed
from ecluse.git.invocation import git
from ecluse.git.repository import Repository

_PROTOCOLS = {"GIT_ALLOW_PROTOCOL": "file:git:http:https", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
_SLOW = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=20")
ASK_S = 30.0
FETCH_S = 600.0


def list_remote(url: str, *patterns: str) -> dict[str, str]:
    """The refs of ``url`` that fit ``patterns``, with their object ids; a tag's commit is under ``NAME^{}``.

    Raises :class:`Failed` with what git said when the repository cannot be asked.
    """
    done = git([*_SLOW, "ls-remote", "--", url, *patterns], check=False, extra_env=_PROTOCOLS, timeout_s=ASK_S)
    if done.code != 0:
        raise _unreachable(url, done)
    rows = (line.split("\t", 1) for line in os.fsdecode(done.stdout).splitlines() if "\t" in line)
    return {name: oid for oid, name in rows}


def fetch_commit(repository: Repository, url: str, commit: str, ref: str = "") -> bool:
    """Bring ``commit`` of ``url`` without its history; ``ref`` (a full name) is where it was last seen.

    Servers that do not give out single commits are asked for the ref, then for everything. Returns whether the commit
    is here now. Raises :class:`Failed` when the repository cannot be asked.
    """
    attempts: list[tuple[str, ...]] = [("--depth=1", commit)]
    if ref:
        attempts.append(("--depth=1", ref))
    attempts.append(("--depth=2147483647", "+refs/heads/*:refs/remotes/all/*", "+refs/tags/*:refs/tags/*"))
    said = None
    for words in attempts:
        depth, *specs = words
        said = repository.run(
            *_SLOW, "fetch", "-q", "--no-tags", "--no-write-fetch-head", depth, "--", url, *specs,
            check=False, extra_env=_PROTOCOLS, timeout_s=FETCH_S,
        )  # fmt: skip
        if repository.resolve(commit) is not None:
            return True
    if said is not None and said.code != 0:
        raise _unreachable(url, said)
    return False


def export(repository: Repository, commit: str, folder: Path) -> None:
    """Write the files of ``commit`` into ``folder``, which gets no ``.git``."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {"GIT_INDEX_FILE": str(folder.with_name(folder.name + ".index")), "GIT_WORK_TREE": str(folder)}
    repository.run("read-tree", commit, extra_env=own)
    repository.run("checkout-index", "-a", "-f", "-q", f"--prefix={folder}/", extra_env=own)
    Path(own["GIT_INDEX_FILE"]).unlink(missing_ok=True)


def _unreachable(url: str, done: process.Completed) -> Failed:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    why = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "no reason")
    return Failed(
        "git.unreachable",
        f"git could not ask {url}: {why.removeprefix('fatal: ').removeprefix('error: ').rstrip('.')}.",
        f"look whether it answers: git ls-remote {url}",
    )
