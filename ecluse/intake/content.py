"""All rules over the commits and files of a change, in one place: what is asked of each, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecluse import guarded
from ecluse.git import ChangedPath, Commit, Repository
from ecluse.intake import pathrules, toolrules
from ecluse.intake.commitrules import judge_merges
from ecluse.intake.objects import READ_CAP, Blobs, Reader
from ecluse.intake.secretrules import find_secrets
from ecluse.intake.submodulerules import judge_submodules
from ecluse.intake.textrules import judge_oversized, judge_text
from ecluse.intake.toolrules import judge_tools
from ecluse.intake.treerules import judge_entries, judge_links, judge_result
from ecluse.model import Finding, Verdict
from ecluse.patterns import prepare
from ecluse.trunk import Trunk


def make_ready() -> None:
    """Prepare the rules that nearly every change needs, while git is at work on it."""
    prepare(pathrules, toolrules, guarded)


def judge_content(
    room: Repository, reader: Reader, trunk: Trunk, head: str, commits: Sequence[Commit], changes: Sequence[ChangedPath],
    by_commit: Mapping[str, Sequence[ChangedPath]], entries: Mapping[str, tuple[str, str]], of_commits: Sequence[Finding],
) -> list[Finding]:  # fmt: skip
    """Judge a change whose objects lie in ``room``, where ``reader`` reads, and whose size is known to be sane.

    ``changes`` lead from its base to ``head``, ``by_commit`` are those of each commit; ``entries`` is what the
    target would hold after it: path to (mode, id). ``of_commits`` was found in what the commits say of themselves.
    """
    history = [change for commit in commits for change in by_commit[commit.id]]
    modes = {path: mode for path, (mode, _) in entries.items()}
    links = {path: oid for path, (mode, oid) in entries.items() if mode == "120000"}
    read = Blobs(reader, changes, history)
    found = judge_entries([*changes, *history], read.weigh(), trunk.config.intake.max_file_bytes)
    found += judge_result(changes, modes)
    found += judge_links(room, changes, history, links)
    gitmodules = [
        c.new_id for c in (*history, *changes) if c.path.lower() == ".gitmodules" and c.new_mode.startswith("100")
    ]
    if gitmodules or any(change.path.lower() == ".gitmodules" or change.new_mode == "160000" for change in changes):
        found += judge_submodules(room, changes, modes, _gitmodules(room, head, gitmodules))
    found += [*of_commits, *judge_merges(room, commits)]
    if any(finding.verdict is Verdict.REJECT for finding in found):
        return found  # nothing else can change the verdict, and hostile content is not read further than needed
    found += find_secrets(read, commits, by_commit, changes)
    config = trunk.config
    found += judge_tools(changes, read, config.release.playbooks, config.intake.protected)
    for change in changes:
        if change.status != "D" and change.new_mode.startswith("100"):
            found += _judge_file(change, read)
    return found


def _judge_file(change: ChangedPath, read: Blobs) -> list[Finding]:
    if read.size(change.new_id) > READ_CAP:
        return judge_oversized(change.path, read.peek(change.new_id, 8192), read.size(change.new_id))
    known = change.old_mode.startswith("100") and read.size(change.old_id) <= READ_CAP
    return judge_text(change.path, read(change.new_id), read(change.old_id) if known else b"")


def _gitmodules(room: Repository, head: str, changed: Sequence[str]) -> list[str]:
    standing = next((one.id for one in room.list_tree(head, ".gitmodules") if one.kind == "blob"), None)
    return [*(one for one in dict.fromkeys(changed) if one != standing), *([standing] if standing else [])]
