"""What the tree under test changes, uncommitted work included, against the commit it is compared with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ecluse.checks.actions import ActionCall
from ecluse.checks.contexts import NO_COMMIT
from ecluse.checks.placing import inside
from ecluse.errors import Invalid, Problem
from ecluse.git import Repository


@dataclass(frozen=True, slots=True)
class Changed:
    """One path that differs. ``status`` is git's letter; ``before`` is the old path of what was renamed or copied."""

    status: str
    path: str
    before: str = ""


def repository_of(call: ActionCall, folder: str) -> Repository:
    """The repository that is compared: the tree's own, or one that a step checked out into ``folder``.

    Raises :class:`Invalid` when there is none.
    """
    session = call.session
    try:
        own = Repository.discover(session.tree)
        if folder in ("", "."):
            return own
        other = Repository.discover(inside(session.workspace, folder, "path"))
        head = other.resolve("HEAD")
        return own if head is not None and own.resolve(head) is not None else other
    except Problem as problem:
        raise Invalid(
            "checks.changes_repository",
            f"Changes cannot be found without a git repository: {problem.message}",
            "run this in a repository: git init",
        ) from problem


def resolve(repository: Repository, name: str) -> str | None:
    """The commit that a branch, tag or commit id names, also when only a remote has the branch."""
    if not name or name == NO_COMMIT or name.startswith("-"):
        return None
    short = name.removeprefix("refs/heads/")
    for candidate in (name, f"refs/heads/{short}", f"refs/remotes/origin/{short}"):
        if found := repository.resolve(candidate):
            return found
    return None


def changes(repository: Repository, base: str, head: str = "", *, renames: bool = False) -> list[Changed]:
    """What differs from ``base`` to ``head``; without ``head`` to the files as they are, new ones included."""
    detect = "-M" if renames else "--no-renames"
    words = ["diff", "--name-status", "-z", detect, "--ignore-submodules=all", base, *([head] if head else []), "--"]
    found = _read(os.fsdecode(repository.run(*words).stdout).split("\0"))
    if not head and repository.work_tree is not None:
        listed = repository.run("ls-files", "-z", "--others", "--exclude-standard").stdout
        found += [Changed("A", name) for name in os.fsdecode(listed).split("\0") if name]
    return found


def _read(words: list[str]) -> list[Changed]:
    found = []
    parts = iter(words)
    for status in parts:
        if status[:1] in ("R", "C"):
            before = next(parts)
            found.append(Changed(status[0], next(parts), before))
        elif status:
            found.append(Changed(status[0], next(parts)))
    return found


def is_own_head(repository: Repository, call: ActionCall, commit: str | None) -> bool:
    """Whether ``commit`` is the one under test, whose files may have uncommitted changes on top."""
    return commit is not None and commit == repository.resolve("HEAD") and _same(repository, call.session.tree)


def _same(repository: Repository, tree: Path) -> bool:
    return repository.work_tree is not None and repository.work_tree.resolve() == tree


def told_by_request(call: ActionCall) -> list[Changed] | None:
    """The changed paths that came with the request, for when the commit before is not known."""
    told = call.session.request.changed
    if told is None:
        return None
    tree = call.session.tree
    return [Changed("M" if os.path.lexists(tree / path) else "D", path) for path in told]


def pull_request_base(call: ActionCall, repository: Repository) -> str | None:
    """Where a pull request branched off: the merge base of its base and what is under test."""
    github = call.session.github
    event = github["event"] if isinstance(github["event"], dict) else {}
    base = ((event.get("pull_request") or {}).get("base") or {}).get("sha")
    tip = resolve(repository, str(base or "")) or resolve(repository, str(github["base_ref"]))
    head = repository.resolve("HEAD")
    if tip is None or head is None:
        return None
    return repository.merge_base(tip, head) or tip
