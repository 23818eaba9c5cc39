"""What a change is based on: where the sandbox started from, found without asking anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid
from ecluse.git import Repository


@dataclass(frozen=True, slots=True)
class Baseline:
    """The commit a change starts from (empty: none, whole history), how it was found, and the branch it lay on."""

    commit: str
    how: str
    target: str


def find_baseline(repository: Repository, head: str, asked: str | None = None) -> Baseline:
    """``asked``, else what was recorded, else the upstream, ``origin/HEAD``, the clone, the shallow end, or nothing.

    The commit is always an ancestor of ``head``: where HEAD was moved back behind it, the common ancestor is taken.
    Raises :class:`Invalid` when ``asked`` is unknown or has nothing in common with ``head``.
    """
    log = _reflog(repository)
    upstream = _upstream(repository)
    target = _target(repository, upstream, log)
    if asked:
        common = repository.merge_base(repository.commit_id(asked), head)
        if common is None:
            raise Invalid(
                "export.base", f"{asked!r} has no commit in common with HEAD.", "git log --oneline --graph --all"
            )
        return Baseline(common, "asked", target)
    for how, revision in _candidates(repository, upstream, log):
        found = repository.resolve(revision) if revision else None
        common = repository.merge_base(found, head) if found else None
        if common:
            return Baseline(common, how, target)
    return Baseline("", "none: whole history", target)


def _candidates(repository: Repository, upstream: str, log: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(how, revision), found one after the other: mostly the first ones answer."""
    yield "recorded", repository.config("ecluse.base") or ""
    yield "upstream", "@{upstream}" if upstream else ""
    yield "origin/HEAD", "refs/remotes/origin/HEAD"
    yield "clone", next((oid for oid, words in reversed(log) if words.startswith("clone:")), "")
    yield "shallow", _shallow_end(repository)


def _upstream(repository: Repository) -> str:
    """The short name of the branch that this one follows; empty when there is none."""
    said = repository.text("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}", check=False)
    return "" if said == "@{upstream}" else said


def _target(repository: Repository, upstream: str, log: list[tuple[str, str]]) -> str:
    """The branch that the work was based on: the upstream's, else the one first checked out here."""
    if "/" in upstream:
        return upstream.partition("/")[2]
    moves = [re.match(r"checkout: moving from (\S+) to ", words) for _, words in reversed(log)]
    first = next((move.group(1) for move in moves if move), "")
    if first and repository.resolve(f"refs/heads/{first}"):
        return first
    return repository.branch() or ""


def _reflog(repository: Repository) -> list[tuple[str, str]]:
    """(commit, words) of HEAD's reflog, newest first; empty when there is none."""
    listed = repository.run("log", "-g", "--format=%H %gs", "HEAD", check=False)
    lines = listed.stdout.decode("utf-8", "replace").splitlines() if listed.code == 0 else []
    return [(line[:40], line[41:]) for line in lines]


def _shallow_end(repository: Repository) -> str:
    """In a shallow clone the history ends somewhere: nothing below that can be carried, so it is a base."""
    shallow = repository.common_dir / "shallow"
    if not shallow.exists():
        return ""
    ends = shallow.read_text("ascii").split()
    return next((oid for oid in ends if repository.is_ancestor(oid, "HEAD")), "")
