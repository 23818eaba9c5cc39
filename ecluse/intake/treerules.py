"""What the files of a change may be: names, modes, sizes, links, hidden repositories. Judged without any checkout."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from ecluse.git import ChangedPath, Repository
from ecluse.intake.pathrules import find_collisions, is_dotgit, judge_path, shown
from ecluse.model import Finding, Verdict

MODES = ("100644", "100755", "120000", "160000")
CONTROL_FILES = (".gitmodules", ".gitattributes", ".gitignore", ".mailmap")
_LINK_HOPS = 40
_LINK_CAP = 4096


def list_entries(repository: Repository, tree: str) -> dict[str, tuple[str, str]]:
    """Path to (mode, id), of every file of a tree. Only for trees whose size is known to be sane."""
    listed = os.fsdecode(repository.run("ls-tree", "-r", "-z", "--full-tree", tree).stdout)
    rows = (line.partition("\t") for line in listed.split("\0") if line)
    return {path: (facts[:6], facts[-40:]) for facts, _, path in rows}


def judge_entries(changes: Iterable[ChangedPath], sizes: Mapping[str, int], max_file_bytes: int) -> list[Finding]:
    """Names, modes and sizes of everything that any commit of the change adds or alters."""
    found: list[Finding] = []
    for change in {(c.path, c.new_mode, c.new_id): c for c in changes if c.status != "D"}.values():
        found += judge_path(change.path)
        if change.new_mode not in MODES:
            found.append(
                Finding(
                    "mode.unknown", Verdict.REJECT, f"{shown(change.path)} has the mode {change.new_mode}", change.path
                )
            )
        if change.old_mode == "100644" and change.new_mode == "100755":
            found.append(
                Finding("mode.exec_added", Verdict.WARN, f"{shown(change.path)} becomes executable", change.path)
            )
        if sizes.get(change.new_id, 0) > max_file_bytes:
            text = f"{shown(change.path)} has {sizes[change.new_id]:,} bytes, more than {max_file_bytes:,}"
            found.append(Finding("limit.file_size", Verdict.REJECT, text, change.path))
    return found


def judge_result(changes: Sequence[ChangedPath], modes: Mapping[str, str]) -> list[Finding]:
    """What only shows in the whole result: paths that collide, and repositories hidden inside."""
    kept = [change.path for change in changes if change.status != "D"]
    return [*find_collisions(kept, modes), *_hidden_repositories(kept, modes)]


def _hidden_repositories(changed: Sequence[str], modes: Mapping[str, str]) -> list[Finding]:
    """A folder with HEAD, objects and refs is a repository to git, with a configuration that may start programs."""
    below: dict[str, set[str]] = {}
    folders = {path.rpartition("/")[0] for path in modes}
    for path in (path for path in modes if path.endswith("HEAD") and path.rpartition("/")[2] == "HEAD"):
        below.setdefault(path.rpartition("/")[0], set()).add("HEAD")
    for parts in (folder.split("/") for folder in folders if "objects" in folder or "refs" in folder):
        for number, part in enumerate(parts):
            if part in ("objects", "refs"):
                below.setdefault("/".join(parts[:number]), set()).add(part)
    found = []
    for folder, marks in below.items():
        if len(marks) == 3 and any(path.startswith(f"{folder}/" if folder else "") for path in changed):
            text = f"{shown(folder) or 'the top folder'} is a bare git repository in disguise"
            found.append(Finding("tree.embedded_bare_repo", Verdict.REJECT, text, folder))
    return found


def judge_links(
    repository: Repository, changes: Sequence[ChangedPath], history: Sequence[ChangedPath], link_ids: Mapping[str, str]
) -> list[Finding]:
    """Symbolic links: where each leads through the result tree, and whether a commit writes through one.

    ``link_ids`` are the blobs of the result's links by path; ``history`` what all commits of the change alter.
    """
    found: list[Finding] = []
    touched = {change.path for change in changes if change.new_mode == "120000"}
    targets = _targets(repository, link_ids) if touched or _links_affected(changes, link_ids) else {}
    for path, target in targets.items():
        reason = _follow(path, target, targets)
        if reason and (path in touched or reason[0] != "symlink.escapes"):
            found.append(Finding(reason[0], Verdict.REJECT, f"the link {shown(path)} {reason[1]}", path))
    for change in history:
        if change.new_mode == "120000" and change.path.rpartition("/")[2].lower() in CONTROL_FILES:
            text = f"{shown(change.path)} steers git and must not be a link"
            found.append(Finding("symlink.git_control_file", Verdict.REJECT, text, change.path))
    made: set[str] = set()
    for change in history:  # in the order of the commits
        parts = change.path.split("/")
        through = next((p for n in range(1, len(parts)) if (p := "/".join(parts[:n])) in made), None)
        if through and change.status != "D":
            text = f"{shown(change.path)} is written below {shown(through)}, which an earlier commit makes a link"
            found.append(Finding("symlink.write_through", Verdict.REJECT, text, change.path))
        if change.new_mode == "120000":
            made.add(change.path)
    history_links = [c for c in history if c.new_mode == "120000" and link_ids.get(c.path) != c.new_id]
    for change in history_links:  # a link that a later commit takes away still exists when that commit is checked out
        reason = _follow(change.path, repository.blob(change.new_id)[:_LINK_CAP], {})
        if reason:
            found.append(Finding(reason[0], Verdict.REJECT, f"the link {shown(change.path)} {reason[1]}", change.path))
    return found


def _links_affected(changes: Sequence[ChangedPath], link_ids: Mapping[str, str]) -> bool:
    return any(change.old_mode == "120000" for change in changes) and bool(link_ids)


def _targets(repository: Repository, link_ids: Mapping[str, str]) -> dict[str, bytes]:
    from ecluse.intake.objects import read_blobs

    content = dict(read_blobs(repository, link_ids.values(), _LINK_CAP))
    return {path: content.get(oid, b"/") for path, oid in link_ids.items()}


def link_problem(path: str, target: bytes) -> tuple[str, str] | None:
    """(code, words) when a link at ``path`` leads out of the tree or into ``.git``, looked at by itself."""
    return _follow(path, target, {})


def _follow(path: str, target: bytes, links: Mapping[str, bytes]) -> tuple[str, str] | None:
    """Walk to where a link leads, through other links of the tree; the reason when that is not a place inside it."""
    here = path.split("/")[:-1]
    todo = list(reversed(os.fsdecode(target).split("/")))
    if target.startswith(b"/") or b"\\" in target or b":" in target[:3] or not target or b"\0" in target:
        return "symlink.escapes", "leads to an absolute place"
    hops = 1
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return "symlink.escapes", "leads out of the tree"
            here.pop()
            continue
        if is_dotgit(part):
            return "symlink.into_dotgit", "leads into .git"
        here.append(part)
        further = links.get("/".join(here))
        if further is not None:
            hops += 1
            if hops > _LINK_HOPS:
                return "symlink.loop", "goes round in circles"
            if further.startswith(b"/"):
                return "symlink.escapes", "leads to an absolute place by way of another link"
            here.pop()
            todo += reversed(os.fsdecode(further).split("/"))
    return None
