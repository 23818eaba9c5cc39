"""What a change is based on: where the sandbox started from, found without asking anybody."""

from __future__ import annotations

import os
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
    log = reflog(repository)
    upstream = upstream_of(repository)
    target = _target(repository, upstream, log)
    if asked:
        common = repository.merge_base(repository.commit_id(asked), head)
        if common is None:
            raise Invalid(
                "export.base", f"{asked!r} has no commit in common with HEAD.", "git log --oneline --graph --all"
            )
        return Baseline(common, "asked", target)
    kept = _recorded(repository)
    trunk = kept.get("ecluse.trunk", "")
    trunk = "" if trunk == repository.branch() else trunk
    named = {
        "recorded": kept.get("ecluse.base", ""),
        "upstream": "@{upstream}" if upstream else "",
        "trunk": f"refs/heads/{trunk}" if trunk else "",
        "origin/HEAD": "refs/remotes/origin/HEAD",
        "clone": next((oid for oid, words in reversed(log) if words.startswith("clone:")), ""),
        "shallow": _shallow_end(repository),
    }
    named = {how: revision for how, revision in named.items() if revision}
    for how, found in zip(named, resolve_all(repository, list(named.values())), strict=True):
        common = repository.merge_base(found, head) if found else None
        if common:
            return Baseline(common, how, trunk if how == "trunk" else target)
    return Baseline("", "none: whole history", target)


def _recorded(repository: Repository) -> dict[str, str]:
    """What `ecluse sync` and `ecluse init` left in the repository's own configuration, asked in one question."""
    asked = repository.run("config", "--local", "--null", "--get-regexp", r"^ecluse\.(base|trunk)$", check=False)
    items = (item.partition("\n") for item in os.fsdecode(asked.stdout).split("\0"))
    return {key: value for key, _, value in items if key}


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
