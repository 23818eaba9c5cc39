"""The uncommitted work of a checkout as one commit, made beside the repository: index, HEAD and files stay untouched."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecluse.dataclass import dataclass, field
from ecluse.git import Identity, Repository
from ecluse.intake.pathrules import shown
from ecluse.patterns import expression
from ecluse.process import background

MARK = "Ecluse-Uncommitted: yes"
QUIET_REASONS = ("ignored", "own")
"""Reasons for leaving something out that never need a person's acceptance."""

_OWN = expression(
    r"(?:^|/)(?:sync_cloud_\d{8}_\d{6}(?:_\d+)?\.(?:json|bundle|patch|tar|json\.sig)|INSTRUCTIONS_\d{8}_\d{6}(?:_\d+)?\.txt"
    r"|(?:sync-session-summary|agent-handoff|checklist-pre-sync)_\d{8}_\d{6}(?:_\d+)?\.md)$"
    r"|^\.sync/(?:patches|logs)/|^\.sync/sync_history\.|^reports/report\.json$|^memory/(?:ci_report_[^/]*\.json|session\.log)$"
)
_LIST_CAP = 500


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the checkout holds beyond HEAD. ``commit`` is empty when that is nothing; ``origins`` says where from."""

    commit: str
    origins: dict[str, str] = field(default_factory=dict)
    not_carried: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class _Survey:
    tracked: dict[str, str] = field(default_factory=dict)
    untracked: list[str] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    ignored: int = 0

    def leave_out(self, path: str, reason: str, detail: str = "") -> None:
        self.left_out.append({"path": shown(path), "reason": reason, **({"detail": detail} if detail else {})})


def take(
    repository: Repository, temporary: Repository, head: str, *, who: Callable[[], Identity], max_file_bytes: int
) -> Snapshot:
    """Make the snapshot in ``temporary`` (which borrows the repository's objects). Needs no write access to ``.git``.

    Staged, unstaged and untracked work becomes one commit on ``head``, as a marked tip. The same work gives the same
    commit. Files that must not or cannot be carried are listed in ``not_carried`` with the reason.
    """
    top = repository.work_tree
    if top is None:
        return Snapshot("")
    env = {
        "GIT_INDEX_FILE": str(temporary.git_dir / "ecluse-index"),
        "GIT_OBJECT_DIRECTORY": str(temporary.git_dir / "objects"),
    }
    settings = _user_settings(repository)
    _copy_index(repository, env, settings, head)
    with background(lambda: _hidden(repository, env)) as found_hidden:
        survey = _survey(repository, env, settings)
    if hidden := found_hidden():
        names = b"".join(path + b"\0" for path in hidden)
        repository.run("update-index", "--no-assume-unchanged", "-z", "--stdin", stdin=names, extra_env=env)
        survey = _survey(repository, env, settings)
    if not survey.tracked and not survey.untracked:
        return Snapshot("", {}, tuple(survey.left_out))
    _sift(survey, top, max_file_bytes)
    _store(repository, env, settings, survey, list(survey.tracked))
    _store(repository, env, [*settings, "-c", "core.autocrlf=false"], survey, survey.untracked)
    tree = repository.run("write-tree", "--missing-ok", extra_env=env).stdout.decode("ascii").strip()
    left_out = tuple(survey.left_out)
    if tree == repository.tree_id(head):
        return Snapshot("", {}, left_out)
    origins = {**survey.tracked, **dict.fromkeys(survey.untracked, "untracked")}
    message = f"Uncommitted work\n\nStaged, unstaged and untracked files as they were at the export.\n\n{MARK}\n"
    commit = temporary.commit_tree(tree, [head], message, who(), _when(repository, head, top, origins))
    return Snapshot(commit, origins, left_out)


def _user_settings(repository: Repository) -> list[str]:
    """The settings that say what counts as a difference; everything else of the user's configuration is not read."""
    known = repository.settings()
    if known is None:
        return []
    found = {key: known.effective(key) for key in ("core.autocrlf", "core.eol", "core.excludesfile")}
    words: list[str] = []
    for key, value in found.items():
        if value is not None:
            words += ["-c", f"{key}={Path(value).expanduser() if key == 'core.excludesfile' else value}"]
    return words


def _copy_index(repository: Repository, env: dict[str, str], settings: Sequence[str], head: str) -> None:
    real = repository.git_dir / "index"
    if real.exists():
        seen = real.stat()
        shutil.copyfile(real, env["GIT_INDEX_FILE"])
        # git distrusts entries that are as young as the index: a copy that looked younger would hide such a change
        os.utime(env["GIT_INDEX_FILE"], ns=(seen.st_atime_ns, seen.st_mtime_ns))
    else:
        repository.run("read-tree", head, extra_env=env)


def _hidden(repository: Repository, env: dict[str, str]) -> list[bytes]:
    """Files marked assume-unchanged: the user promised git not to look; we look, so that nothing is lost."""
    listed = b"\0" + repository.run("ls-files", "-v", "-z", extra_env=env).stdout
    if all(
        listed.find(b"\0%c " % tag) < 0 for tag in b"hsmrcku"
    ):  # the letters of git, small for what it is not to look at
        return []
    return [line[2:] for line in listed.split(b"\0") if line[:1].islower()]


def _survey(repository: Repository, env: dict[str, str], settings: Sequence[str]) -> _Survey:
    listed = repository.run(
        *settings, "status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignored=matching", "--no-renames",
        "--ignore-submodules=none", extra_env=env,
    )  # fmt: skip
    found = _Survey()
    for line in os.fsdecode(listed.stdout).split("\0"):
        if line.startswith("1 "):
            _, states, submodule, *_, path = line.split(" ", 8)
            _note_changed(found, states, submodule, path)
        elif line.startswith("u "):
            path = line.split(" ", 10)[10]
            found.tracked[path] = "unmerged"
            found.leave_out(path, "unmerged", "carried as it lies in the checkout; the other side is not")
        elif line.startswith("? "):
            _note_untracked(found, line[2:])
        elif line.startswith("! "):
            found.ignored += 1
            if found.ignored <= _LIST_CAP:
                found.leave_out(line[2:], "own" if _OWN.search(line[2:]) else "ignored")
    if found.ignored > _LIST_CAP:
        found.leave_out("", "ignored", f"and {found.ignored - _LIST_CAP} more ignored paths")
    return found


def _note_changed(found: _Survey, states: str, submodule: str, path: str) -> None:
    if submodule.startswith("S"):
        found.leave_out(path, "submodule", "only its commit id is carried, not its content")
        if states == ".M" and submodule[1] != "C":
            return
    words = [word for state, word in zip(states, ("staged", "unstaged"), strict=True) if state != "."]
    found.tracked[path] = "+".join(words)


def _note_untracked(found: _Survey, path: str) -> None:
    if path.endswith("/"):
        found.leave_out(path, "nested repository", "a repository of its own; export it from inside")
    elif _OWN.search(path):
        found.leave_out(path, "own")
    else:
        found.untracked.append(path)


def _sift(survey: _Survey, top: Path, max_file_bytes: int) -> None:
    """Take out what must not travel: untracked secrets, and whatever is too large or cannot be read."""
    from ecluse.secrets.scan import scan, sensitive_path

    kept: list[str] = []
    for path in survey.untracked:
        reason = _obstacle(top / path, max_file_bytes)
        rule = sensitive_path(path)
        if rule:
            survey.leave_out(path, "sensitive", rule)
        elif reason:
            survey.leave_out(path, *reason)
        elif _is_our_tar(top / path):
            survey.leave_out(path, "own")
        elif (top / path).is_symlink() or not (hits := scan((top / path).read_bytes(), path)):
            kept.append(path)
        else:
            survey.leave_out(path, "sensitive", f"line {hits[0].line}: {hits[0].rule}")
    survey.untracked = kept
    for path in list(survey.tracked):
        reason = _obstacle(top / path, max_file_bytes)
        if reason:
            survey.leave_out(path, *reason)
            del survey.tracked[path]


def _obstacle(path: Path, max_file_bytes: int) -> tuple[str, str] | None:
    if path.is_symlink() or not path.is_file():
        return None
    size = path.stat().st_size
    if size > max_file_bytes:
        return "too large", f"{size:,} bytes, the cap is {max_file_bytes:,}"
    return None if os.access(path, os.R_OK) else ("unreadable", "no permission to read it")


def _is_our_tar(path: Path) -> bool:
    if path.suffix != ".tar" or path.is_symlink():
        return False
    with path.open("rb") as handle:
        return bool(re.match(rb"sync_cloud_\d{8}_\d{6}(?:_\d+)?\.json\0", handle.read(100)))


def _store(
    repository: Repository, env: dict[str, str], settings: Sequence[str], survey: _Survey, paths: list[str]
) -> None:
    words = (*settings, "update-index", "--add", "--remove", "--replace", "-z", "--stdin")
    if not paths or _update(repository, env, words, paths).code == 0:
        return
    for path in paths:  # one of them cannot be stored: find out which, keep the others
        done = _update(repository, env, words, [path])
        if done.code and _became_folder(repository, path):
            _update(repository, env, ("update-index", "--force-remove", "-z", "--stdin"), [path])
        elif done.code:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            survey.leave_out(path, "not storable", said[0] if said else "")
            survey.tracked.pop(path, None)
            if path in survey.untracked:
                survey.untracked.remove(path)


def _became_folder(repository: Repository, path: str) -> bool:
    """Whether a tracked file gave way to a plain folder: the file is gone, its place is taken by what lies in there."""
    place = (repository.work_tree or Path()) / path
    return place.is_dir() and not place.is_symlink() and not (place / ".git").exists()


def _update(repository: Repository, env: dict[str, str], words: Sequence[str], paths: list[str]) -> Any:
    names = os.fsencode("".join(f"{path}\0" for path in paths))
    return repository.run(*words, stdin=names, extra_env=env, check=False)


def _when(repository: Repository, head: str, top: Path, paths: dict[str, str]) -> str:
    """The newest change among the files, not before HEAD: truthful, and the same for the same work."""
    moments = [int(repository.text("log", "-1", "--format=%ct", "--end-of-options", head))]
    for path in paths:
        if os.path.lexists(top / path):
            moments.append(int((top / path).lstat().st_mtime))
    return f"{max(moments)} +0000"
