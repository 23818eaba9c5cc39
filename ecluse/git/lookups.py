"""Questions to a repository that are asked together, or answered by looking, because each process of git takes its time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from ecluse.git.repository import Repository


def resolve_all(repository: Repository, revisions: Sequence[str]) -> list[str | None]:
    """The commit that each of ``revisions`` names, or ``None``, asked in one question."""
    asked = "".join(f"{revision}^{{commit}}\n" for revision in revisions)
    said = repository.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=os.fsencode(asked)).stdout
    answers = os.fsdecode(said).split("\n")[: len(revisions)]
    return [line[:40] if line[40:] == " commit" else None for line in answers]


def reflog(repository: Repository) -> list[tuple[str, str]]:
    """(commit, words) of HEAD's reflog, newest first; empty when there is none."""
    with contextlib.suppress(OSError):  # mostly a file of lines: old, new, who, when, a tab, words
        said = (repository.git_dir / "logs" / "HEAD").read_bytes().decode("utf-8", "replace").split("\n")
        return [(line[41:81], line.partition("\t")[2]) for line in reversed(said) if line]
    listed = repository.run("log", "-g", "--format=%H %gs", "HEAD", "--", check=False)
    lines = listed.stdout.decode("utf-8", "replace").splitlines() if listed.code == 0 else []
    return [(line[:40], line[41:]) for line in lines]


def upstream_of(repository: Repository) -> str:
    """The short name of the branch that the one checked out follows; empty when there is none, or it is gone."""
    branch = repository.branch()
    if branch is None:
        return ""
    said = repository.text(
        "for-each-ref", "--format=%(upstream) %(upstream:short)", f"refs/heads/{branch}", check=False
    )
    full, _, short = said.partition(" ")
    return short if full and full in repository.refs(full) else ""
