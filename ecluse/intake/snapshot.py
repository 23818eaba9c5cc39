"""The uncommitted work of a checkout as one commit, made beside the repository: index, HEAD and files stay untouched."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecluse.clock import now
from ecluse.dataclass import dataclass, field
from ecluse.git import Identity, Repository
from ecluse.git.nouns import ZERO, names_somebody
from ecluse.intake.pathrules import shown
from ecluse.patterns import expression
from ecluse.process import CommandFailed, background

MARK = "Ecluse-Uncommitted: yes"
QUIET_REASONS = ("ignored", "own")
"""Reasons for leaving something out that never need a person's acceptance."""

_OWN = expression(
    r"(?:^|/)(?:sync_cloud_\d{8}_\d{6}(?:_\d+)?\.(?:json|bundle|patch|tar|json\.sig)|INSTRUCTIONS_\d{8}_\d{6}(?:_\d+)?\.txt"
    r"|(?:sync-session-summary|agent-handoff|checklist-pre-sync)_\d{8}_\d{6}(?:_\d+)?\.md)$"
    r"|(?:^|/)logs/(?:ex|im)port_\d{8}_\d{6}(?:_\w+)?\.log$|(?:^|/)\.export-[^/]+/|^\.sync/(?:patches|logs)/|^\.sync/sync_history\.|^reports/report\.json$|^memory/(?:ci_report_[^/]*\.json|session\.log)$"
)
_OUR_TAR = re.compile(rb"sync_cloud_\d{8}_\d{6}(?:_\d+)?\.json\0")
_LIST_CAP = 500
FILE_CAP = 20 << 20
"""An uncommitted file above this many bytes is not carried."""
_NO_PERMISSION = "no permission to read it"
SUBMODULE = "only its commit id is carried, not its content"
"""Why a submodule is listed as not carried."""


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


def committer(repository: Repository, agent: str) -> Identity:
    """Whose name the commit of uncommitted work bears: git's user here, else the agent."""
    return repository.identity() or Identity(agent if names_somebody(agent) else "agent", "agent@localhost")


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
    if _show(repository, env, found_hidden()):
        survey = _survey(repository, env, settings)
    _note_unfinished(survey, repository.git_dir)
    if not survey.tracked and not survey.untracked:
        return Snapshot("", {}, tuple(survey.left_out))
    unfit = _sift(survey, top, max_file_bytes)
    unfit += _store(repository, env, settings, survey, list(survey.tracked))
    _store(repository, env, [*settings, "-c", "core.autocrlf=false"], survey, list(survey.untracked))
    _put_back(repository, env, head, unfit)
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


def _hidden(repository: Repository, env: dict[str, str]) -> dict[str, list[bytes]]:
    """Files that git was asked not to look at, by the option that ends it; we look, so that nothing is lost.

    Files that a sparse checkout left out are not there, and are not meant.
    """
    listed = b"\0" + repository.run("ls-files", "-v", "-z", extra_env=env).stdout
    if all(listed.find(b"\0%c " % tag) < 0 for tag in b"hsmrckuS"):
        return {}  # git's letters: small for assume-unchanged, S or s for skip-worktree
    rows = listed.split(b"\0")
    top = os.fsencode(repository.work_tree or "")
    skipped = [row[2:] for row in rows if row[:1] in (b"S", b"s")]
    return {
        "--no-assume-unchanged": [row[2:] for row in rows if row[:1].islower()],
        "--no-skip-worktree": [path for path in skipped if os.path.lexists(os.path.join(top, path))],  # noqa: PTH118 - bytes
    }


def _show(repository: Repository, env: dict[str, str], hidden: dict[str, list[bytes]]) -> bool:
    """Let git look at what was hidden from it, in the copy of the index; whether there was any."""
    found = {option: b"".join(path + b"\0" for path in paths) for option, paths in hidden.items() if paths}
    for option, names in found.items():
        repository.run("update-index", option, "-z", "--stdin", stdin=names, extra_env=env)
    return bool(found)


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
    for name in re.findall(rb"^warning: could not open directory '(.+)': ", listed.stderr, re.MULTILINE):
        found.leave_out(os.fsdecode(name), "unreadable", _NO_PERMISSION)
    if found.ignored > _LIST_CAP:
        found.leave_out("", "ignored", f"and {found.ignored - _LIST_CAP} more ignored paths")
    return found


_UNFINISHED = {
    "MERGE_HEAD": ("unfinished merge", "what lies here is carried, that it comes from another branch too is not"),
    "rebase-merge": ("unfinished rebase", "what lies here is carried, commits that are still to come are not"),
    "rebase-apply": ("unfinished rebase", "what lies here is carried, commits that are still to come are not"),
}
"""What git keeps of work that it was stopped in -> why the change would be less than the work."""


def _note_unfinished(found: _Survey, git_dir: Path) -> None:
    for name, (reason, detail) in _UNFINISHED.items():
        if (git_dir / name).exists():
            found.leave_out(name, reason, detail)


def _note_changed(found: _Survey, states: str, submodule: str, path: str) -> None:
    if submodule.startswith("S"):
        found.leave_out(path, "submodule", SUBMODULE)
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


def _sift(survey: _Survey, top: Path, max_file_bytes: int) -> list[str]:
    """Take out what must not travel: untracked secrets, and whatever is too large or cannot be read.

    Returns the tracked ones among it, of which the index may hold something already.
    """
    kept: list[str] = []
    for path in survey.untracked:
        try:
            reason = _reason(top, path, max_file_bytes)
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone since git listed it: something is at work here
        if reason:
            survey.leave_out(path, *reason)
        else:
            kept.append(path)
    survey.untracked = kept
    unfit: list[str] = []
    for path in list(survey.tracked):
        reason = _obstacle(top / path, max_file_bytes)
        if reason:
            survey.leave_out(path, *reason)
            del survey.tracked[path]
            unfit.append(path)
    return unfit


def _reason(top: Path, path: str, max_file_bytes: int) -> tuple[str, str] | None:
    """Why an untracked file stays here, if it does."""
    from ecluse.secrets.scan import scan, sensitive_path

    place = top / path
    rule = sensitive_path(path) or ("env-file" if path.rpartition("/")[2].lower() == ".envrc" else "")
    if rule:  # an .envrc is a program as well: one that was committed travels, and a person looks at it there
        return "sensitive", rule
    if obstacle := _obstacle(place, max_file_bytes):
        return obstacle
    if place.is_symlink():
        return None
    data = place.read_bytes()
    if path.endswith(".tar") and _OUR_TAR.match(data):
        return "own", ""
    hits = scan(data, path)
    return ("sensitive", f"line {hits[0].line}: {hits[0].rule}") if hits else None


def _obstacle(path: Path, max_file_bytes: int) -> tuple[str, str] | None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    size = found.st_size
    if size > max_file_bytes:
        return "too large", f"{size:,} bytes, the cap is {max_file_bytes:,}"
    if (
        os.access(path, os.R_OK) or not os.path.lexists(path) or os.access(path, os.R_OK)
    ):  # it may have gone, or be back
        return None
    return "unreadable", _NO_PERMISSION


def _store(
    repository: Repository, env: dict[str, str], settings: Sequence[str], survey: _Survey, paths: Sequence[str]
) -> list[str]:
    """Put the files into the copy of the index; those that cannot be are left out, listed and returned."""
    words = (*settings, "update-index", "--add", "--remove", "--replace", "-z", "--stdin")
    unfit: list[str] = []
    if not paths or _update(repository, env, words, paths).code == 0:
        return unfit
    for path in paths:  # one of them cannot be stored: find out which, keep the others
        done = _update(repository, env, words, [path])
        if done.code:
            done = _update(repository, env, words, [path])  # it may have gone, or come back, while git looked at it
        if done.code and _gave_way(repository, path):
            _update(repository, env, ("update-index", "--force-remove", "-z", "--stdin"), [path])
        elif done.code:
            if (failed := CommandFailed(done)).code == "disk.full":
                raise failed
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            survey.leave_out(path, "not storable", said[0] if said else "")
            survey.tracked.pop(path, None)
            if path in survey.untracked:
                survey.untracked.remove(path)
            unfit.append(path)
    return unfit


def _put_back(repository: Repository, env: dict[str, str], head: str, paths: Sequence[str]) -> None:
    """Give paths that are not carried what HEAD has there: something of them may have been staged."""
    if not paths:
        return
    listed = repository.run("ls-tree", "-r", "-z", "--full-tree", head).stdout
    there = {row.partition(b"\t")[2]: row for row in listed.split(b"\0")}
    rows = [there.get(path, b"0 %s\t%s" % (ZERO.encode("ascii"), path)) for path in map(os.fsencode, paths)]
    repository.run("update-index", "-z", "--index-info", stdin=b"".join(row + b"\0" for row in rows), extra_env=env)


def _gave_way(repository: Repository, path: str) -> bool:
    """Whether a tracked file is gone because a plain folder took its place, or a link the place of a folder above it."""
    top = repository.work_tree or Path()
    place = top / path
    if place.is_dir() and not place.is_symlink() and not (place / ".git").exists():
        return True
    return any((top / folder).is_symlink() for folder in Path(path).parents)


def _update(repository: Repository, env: dict[str, str], words: Sequence[str], paths: Sequence[str]) -> Any:
    names = os.fsencode("".join(f"{path}\0" for path in paths))
    return repository.run(*words, stdin=names, extra_env=env, check=False)


def _when(repository: Repository, head: str, top: Path, paths: dict[str, str]) -> str:
    """The newest change among the files, not before HEAD nor ahead of the clock: truthful, the same for the same work."""
    latest = now().timestamp()
    moments = [int(repository.text("log", "-1", "--format=%ct", "--end-of-options", head))]
    for path in paths:
        with contextlib.suppress(OSError):
            moments.append(int((top / path).lstat().st_mtime))
    return f"{max(moments[:1] + [one for one in moments if one <= latest])} +0000"
