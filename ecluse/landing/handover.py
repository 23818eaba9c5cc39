"""The journal of hand-overs as part of what lands: one commit of Écluse's own on top of the candidate, before it is tested.

The commits of the change keep their ids below it. It is made of what is known when the candidate is built, so the same
landing always gets the same commit, and what was tested is what lands.
"""

from __future__ import annotations

import dataclasses

from ecluse.documents import journal, words
from ecluse.git import Repository
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.git.trees import with_files
from ecluse.landing.candidate import Candidate
from ecluse.model import Change, Landing
from ecluse.trunk import open_trunk

MARK = "Ecluse-Handover"
_FILE_CAP = 1 << 20


def write_down(repository: Repository, built: Candidate, landing: Landing, change: Change) -> Candidate:
    """``built`` with the hand-over of ``change`` written down on top, where the trunk's policy asks for it.

    Where the tree holds something else under one of the names (a link, a folder, a file that is no text), nothing is
    written: a landing does not fail for its minutes.
    """
    config = open_trunk(repository).config
    if not config.documents.landing or not built.commit or built.how == "same":
        return built
    entry = _entry(repository, landing, change, built.base)
    pages = (journal.STATE, journal.INDEX, journal.page_of(entry.agent))
    try:
        standing = {path: _read(repository, built.tree, path) for path in pages}
    except _InTheWay:
        return built
    files = journal.updated(entry, words.choose(config.language), standing.get)
    tree = with_files(repository, built.tree, {path: text.encode("utf-8") for path, text in files.items()})
    message = f"chore(sync): hand-over of {change.id} by {entry.agent}\n\n{MARK}: {change.key}\n"
    who = repository.identity() or FALLBACK_IDENTITY
    commit = repository.commit_tree(tree, [built.commit], message, who, landing.created_at)
    return dataclasses.replace(built, commit=commit, tree=tree)


def _entry(repository: Repository, landing: Landing, change: Change, base: str) -> journal.Entry:
    commits = repository.commits(f"^{base}", change.head)
    return journal.Entry(
        change=change.id,
        revision=change.revision,
        title=change.title,
        agent=change.agent or "unknown",
        branch=landing.target.removeprefix("refs/heads/"),
        base=change.base,
        at=landing.created_at,
        commits=tuple((one.id, one.title) for one in commits if len(one.parents) < 2),
        files=change.files,
        validations=change.validations,
        not_carried=tuple(
            str(one.get("path")) for one in change.not_carried if one.get("reason") not in ("ignored", "own")
        ),
        note=change.note,
    )


class _InTheWay(Exception):
    """Something other than a text of a page lies where the page would be."""


def _read(repository: Repository, tree: str, path: str) -> str | None:
    """The text at ``path``, or ``None``. Raises :class:`_InTheWay` where a page cannot be written."""
    parts = path.split("/")
    mode = size = ""
    for number in range(1, len(parts) + 1):
        found = repository.text("ls-tree", "-l", "-z", tree, "--", "/".join(parts[:number])).rstrip("\0")
        if not found:
            return None
        mode, _, _, size = found.partition("\t")[0].split()
        if number < len(parts) and mode != "040000":
            raise _InTheWay(path)
    if not mode.startswith("100") or int(size) > _FILE_CAP:
        raise _InTheWay(path)
    try:
        return (repository.read(tree, path) or b"").decode("utf-8")
    except UnicodeDecodeError:
        raise _InTheWay(path) from None
