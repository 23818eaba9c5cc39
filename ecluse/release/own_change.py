"""A change that a release makes itself: files written on the trunk's tip, ready to land like any other change."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ecluse import clock
from ecluse.git import Repository
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.history.requests import request_landing
from ecluse.model import Change, ChangeState, Event, Verdict
from ecluse.release.canonical import digest
from ecluse.release.context import Context


def tree_with(repository: Repository, base: str, files: dict[str, bytes]) -> str:
    """The tree of ``base`` with ``files`` replaced, made in an index of its own: no checkout is touched."""
    entries = b""
    for path, data in files.items():
        modes = {entry.path: entry.mode for entry in repository.list_tree(base, path)}
        blob = repository.run("hash-object", "-w", "--stdin", "--no-filters", stdin=data).stdout.decode("ascii").strip()
        entries += f"{modes.get(path, '100644')} {blob} 0\t{path}\0".encode()
    with tempfile.TemporaryDirectory(prefix="ecluse-index-") as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        repository.run("read-tree", base, extra_env=own)
        repository.run("update-index", "-z", "--index-info", stdin=entries, extra_env=own)
        return repository.run("write-tree", extra_env=own).stdout.decode("ascii").strip()


def commit_file(context: Context, plan: dict[str, Any], path: str, data: bytes, message: str) -> dict[str, Any]:
    """Commit ``data`` as ``path``; see :func:`commit_files`."""
    return commit_files(context, plan, {path: data}, message)


def commit_files(context: Context, plan: dict[str, Any], files: dict[str, bytes], message: str) -> dict[str, Any]:
    """Commit ``files`` on ``plan["base"]``, kept at the change's ref. Doing it twice changes nothing.

    The first of them is what the change is about. ``plan`` has ``base``, ``change`` (the change's id) and ``when`` (git's date), as :func:`plan_for` makes it.
    """
    repository, base = context.repository, plan["base"]
    tree = tree_with(repository, base, files)
    who = repository.identity() or FALLBACK_IDENTITY
    commit = repository.commit_tree(tree, [base], f"{message}\n\nRelease: {context.release.id}\n", who, plan["when"])
    ref = f"refs/ecluse/changes/{plan['change']}/1"
    repository.move_ref(ref, commit, repository.refs(ref).get(ref, ""), f"ecluse: {context.release.id}")
    target = plan.get("target", context.trunk.ref)  # a plan of an earlier version has none
    made = {"base": base, "commit": commit, "tree": tree, "ref": ref, "paths": list(files)}
    return {**made, "change": plan["change"], "target": target}


def plan_for(context: Context, branch: str = "") -> dict[str, Any]:
    """What is settled before the effect: the same after a death gives the same commit.

    ``branch`` is where the change is for, and on whose tip it is made; empty is the trunk.
    """
    target = f"refs/heads/{branch}" if branch else context.trunk.ref
    base = context.repository.commit_id(target)
    return {"when": clock.instant()[:19] + "+0000", "change": clock.new_id("chg"), "base": base, "target": target}


def record(context: Context, written: dict[str, Any], title: str, key: str, *, land: bool) -> Change:
    """Store the commit as a change that is ready, and with ``land`` ask for its landing, in one transaction."""
    release, moment = context.release, clock.instant()
    change = Change(
        key=f"{written['change']}/1",
        id=written["change"],
        revision=1,
        state=ChangeState.READY,
        title=title,
        agent="release",
        target=written["target"],
        digest=key,
        source="release",
        created_at=moment,
        updated_at=moment,
        verdict=Verdict.ACCEPT,
        base=written["base"],
        head=written["commit"],
        tree=written["tree"],
        ref=written["ref"],
        method="release",
        commits={written["commit"]: written["commit"]},
        files=tuple(written["paths"] if "paths" in written else [written["path"]]),  # an earlier version kept one
        trusted_by=f"release {release.id}",
        wants_landing=land,
    )
    with context.history.transaction():
        text = f"{change.key}: {change.title}, made by {release.id}"
        context.history.record(change, Event("change.ready", change.subject, text, data={"release": release.id}))
        if land:
            request_landing(context.history, change, actor=f"release {release.id}", parent=release.subject)
    return change


def write_once(context: Context, effect: str, path: str, data: bytes, message: str, *, land: bool) -> Change:
    """The change that ``effect`` of this release makes, made now or found again."""
    key = digest({"release": context.release.id, "step": effect})
    known = context.history.find(Change, digest=key)
    if known:
        return known[-1]
    written = perform(
        context.history,
        context.release.subject,
        effect,
        lambda plan: commit_file(context, plan, path, data, message),
        probe=lambda plan: Probed(False),  # objects and a ref of its own name: making them again changes nothing
        plan=plan_for(context),
    )
    return record(context, dict(written), message, key, land=land)
