"""All rules over the commits and files of a change, in one place: what is asked of each, and in which order."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ecluse.git import ChangedPath, Commit, Repository
from ecluse.intake.commitrules import judge_commits
from ecluse.intake.objects import Reader, commit_changes
from ecluse.intake.secretrules import find_secrets
from ecluse.intake.submodulerules import judge_submodules
from ecluse.intake.textrules import judge_text
from ecluse.intake.toolrules import judge_tools
from ecluse.intake.treerules import judge_entries, judge_links, judge_result, list_modes
from ecluse.model import Finding, Verdict
from ecluse.signing import principals
from ecluse.trunk import Trunk

_KEEP_BYTES = 32 << 20


def judge_content(
    room: Repository, trunk: Trunk, base: str, head: str, commits: Sequence[Commit], changes: Sequence[ChangedPath],
    result_tree: str, signer: str,
) -> list[Finding]:  # fmt: skip
    """Judge a change whose objects lie in ``room`` and whose size is known to be sane.

    ``changes`` lead from ``base`` to ``head``; ``result_tree`` is what the target would hold after it.
    """
    by_commit = commit_changes(room, [commit.id for commit in commits])
    history = [change for commit in commits for change in by_commit[commit.id]]
    modes = list_modes(room, result_tree)
    found = judge_entries([*changes, *history], _sizes(room, [*changes, *history]), trunk.config.intake.max_file_bytes)
    found += judge_result(changes, modes)
    found += judge_links(room, changes, history, _link_ids(room, result_tree))
    gitmodules = [
        c.new_id for c in (*history, *changes) if c.path.lower() == ".gitmodules" and c.new_mode.startswith("100")
    ]
    if gitmodules or any(change.new_mode == "160000" for change in changes):
        found += judge_submodules(room, changes, modes, _gitmodules(room, head, gitmodules))
    found += judge_commits(room, commits, principals(trunk.signers), signer)
    if any(finding.verdict is Verdict.REJECT for finding in found):
        return found  # nothing else can change the verdict, and hostile content is not read further than needed
    found += find_secrets(room, commits, by_commit, changes)
    config = trunk.config
    with Reader(room) as reader:
        read = _Blobs(reader)
        found += judge_tools(changes, read, config.release.playbooks, config.intake.protected)
        for change in changes:
            if change.status != "D" and change.new_mode.startswith("100"):
                old = read(change.old_id) if change.old_mode.startswith("100") else b""
                found += judge_text(change.path, read(change.new_id), old)
    return found


class _Blobs:
    """Reads a blob's bytes, keeping the small ones for the next rule."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: dict[str, bytes] = {}
        self._held = 0

    def __call__(self, oid: str) -> bytes:
        if oid in self._kept:
            return self._kept[oid]
        data = self._reader.read(oid)[1]
        if self._held + len(data) < _KEEP_BYTES:
            self._kept[oid] = data
            self._held += len(data)
        return data


def _sizes(room: Repository, changes: Sequence[ChangedPath]) -> dict[str, int]:
    wanted = list(dict.fromkeys(c.new_id for c in changes if c.status != "D" and c.new_mode != "160000"))
    if not wanted:
        return {}
    listed = room.run("cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in wanted).encode("ascii")).stdout
    rows = (line.split() for line in listed.decode("ascii", "replace").splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) == 3}


def _link_ids(room: Repository, tree: str) -> dict[str, str]:
    listed = os.fsdecode(room.run("ls-tree", "-r", "-z", "--full-tree", tree).stdout)
    rows = (line.partition("\t") for line in listed.split("\0") if line.startswith("120000 "))
    return {path: facts.split()[2] for facts, _, path in rows}


def _gitmodules(room: Repository, head: str, changed: Sequence[str]) -> list[str]:
    standing = next((one.id for one in room.list_tree(head, ".gitmodules") if one.kind == "blob"), None)
    return [*(one for one in dict.fromkeys(changed) if one != standing), *([standing] if standing else [])]
