"""Questions to a repository that are asked together, or answered by looking, because each process of git takes its time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence

from ecluse.git.repository import Repository


def resolve_all(repository: Repository, revisions: Sequence[str]) -> list[str | None]:
    """The commit that each of ``revisions`` names, or ``None``, asked in one question."""
    if repository.is_asking:
        return [repository.resolve(revision) for revision in revisions]
    asked = "".join(f"{revision}^{{commit}}\n" for revision in revisions)
    said = repository.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=os.fsencode(asked)).stdout
    answers = os.fsdecode(said).split("\n")[: len(revisions)]
    return [line[:40] if line[40:] == " commit" else None for line in answers]


def lacking(repository: Repository, commits: Iterable[str], tip: str) -> set[str]:
    """Which of ``commits`` (ids) are not in the history of ``tip``; all of them where that is empty."""
    wanted = set(commits)
    asked = "".join(f"{oid}\n" for oid in (*sorted(wanted), *([f"^{tip}"] if tip else [])))
    return wanted & set(
        repository.run("rev-list", "--stdin", stdin=asked.encode("ascii")).stdout.decode("ascii").split()
    )


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
    known = repository.settings()
    if known is not None and known.effective(f"branch.{branch}.merge") is None:
        return ""
    said = repository.text(
        "for-each-ref", "--format=%(upstream) %(upstream:short)", f"refs/heads/{branch}", check=False
    )
    full, _, short = said.partition(" ")
    return short if full and full in repository.refs(full) else ""


def commits_beyond(repository: Repository, head: str, tip: str, most: int) -> tuple[list[str], str | None]:
    """The commits of ``head`` that ``tip`` does not have, no more than ``most`` of them, and where the two part.

    ``None`` when they have nothing in common. What the listed commits stand on says it, except where that is more than
    one commit.
    """
    said = repository.text("rev-list", "--boundary", f"--max-count={most}", "--end-of-options", head, f"^{tip}").split()
    listed = [oid for oid in said if not oid.startswith("-")]
    edges = {oid[1:] for oid in said if oid.startswith("-")}
    if tip in edges:
        return listed, tip
    if not listed:
        return listed, head
    if len(listed) >= most or len(edges) > 1:
        return listed, repository.merge_base(tip, head)
    return listed, next(iter(edges), None)
