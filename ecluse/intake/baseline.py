"""What a change is based on: where the sandbox started from, found without asking anybody."""

from __future__ import annotations

import re

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid
from ecluse.git import Repository
from ecluse.git.lookups import reflog, resolve_all, upstream_of


@dataclass(frozen=True, slots=True)
class Baseline:
    """The commit a change starts from (empty: none, whole history), how it was found, and the branch it lay on."""

    commit: str
    how: str
    target: str


def find_baseline(repository: Repository, head: str, asked: str | None = None) -> Baseline:
    """``asked``, else what was recorded, else the upstream, the trunk that ``init`` recorded (from a branch beside it),
    ``origin/HEAD``, the clone, the shallow end, or nothing.

    The commit is always an ancestor of ``head``: where HEAD was moved back behind it, the common ancestor is taken.
    Raises :class:`Invalid` when ``asked`` is unknown or has nothing in common with ``head``.
    """
    for one in _candidates(repository, asked):
        common = repository.merge_base(one.commit, head) if one.commit else ""
        if common is not None:
            return Baseline(common, one.how, one.target)
    raise Invalid("export.base", f"{asked!r} has no commit in common with HEAD.", "git log --oneline --graph --all")


def likely_baseline(repository: Repository, asked: str | None = None) -> Baseline:
    """What :func:`find_baseline` mostly finds, before anybody has looked whether the work stands on it."""
    return _candidates(repository, asked)[0]


def _candidates(repository: Repository, asked: str | None) -> list[Baseline]:
    """Where the work may have started, the likeliest first; what was asked for stands alone."""
    log = reflog(repository)
    upstream = upstream_of(repository)
    target = _target(repository, upstream, log)
    if asked:
        return [Baseline(repository.commit_id(asked), "asked", target)]
    trunk = repository.config("ecluse.trunk") or ""
    trunk = "" if trunk == repository.branch() else trunk
    named = {
        "recorded": repository.config("ecluse.base") or "",
        "upstream": "@{upstream}" if upstream else "",
        "trunk": f"refs/heads/{trunk}" if trunk else "",
        "origin/HEAD": "refs/remotes/origin/HEAD",
        "clone": next((oid for oid, words in reversed(log) if words.startswith("clone:")), ""),
        "shallow": _shallow_end(repository),
    }
    named = {how: revision for how, revision in named.items() if revision}
    found = zip(named, resolve_all(repository, list(named.values())), strict=True)
    likely = [Baseline(commit, how, trunk if how == "trunk" else target) for how, commit in found if commit]
    return [*likely, Baseline("", "none: whole history", target)]


def _target(repository: Repository, upstream: str, log: list[tuple[str, str]]) -> str:
    """The branch that the work was based on: the upstream's, else the one first checked out here."""
    if "/" in upstream:
        return upstream.partition("/")[2]
    moves = [re.match(r"checkout: moving from (\S+) to ", words) for _, words in reversed(log)]
    first = next((move.group(1) for move in moves if move), "")
    if first and repository.resolve(f"refs/heads/{first}"):
        return first
    return repository.branch() or ""


def _shallow_end(repository: Repository) -> str:
    """In a shallow clone the history ends somewhere: nothing below that can be carried, so it is a base."""
    shallow = repository.common_dir / "shallow"
    if not shallow.exists():
        return ""
    ends = shallow.read_text("ascii").split()
    return next((oid for oid in ends if repository.is_ancestor(oid, "HEAD")), "")
