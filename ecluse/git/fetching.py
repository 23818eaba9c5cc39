"""Commits that are not here, from the remotes that this repository has: into a repository that is thrown away, first.

A clone that was cut off (shallow) is deepened there, until the commits meet its own history. Nothing of the repository
itself changes before :func:`take_history` is asked to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ecluse.errors import Failed
from ecluse.git.invocation import git
from ecluse.git.remotes import remote_names
from ecluse.git.repository import Repository

TIMEOUT_S = 60.0
"""For all remotes and all attempts together."""

_DEPTHS = ("--deepen=50", "--deepen=1000", "--unshallow")
_QUIET = (
    "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
    "--no-prune", "--refmap=",
)  # fmt: skip


def obtain(repository: Repository, room: Repository, oids: Sequence[str], tip: str) -> str:
    """Fetch commits that are not here into ``room`` (which borrows the repository's objects), related to ``tip``.

    Each remote is asked in turn, with the user's and the repository's settings. Returns the remote that had them, or
    nothing: there is no remote, none can be reached in time, none gives the commits, or they have nothing to do with ``tip``.
    """
    deadline = time.monotonic() + TIMEOUT_S
    for remote in remote_names(repository):
        for wanted in _attempts(room, oids):
            left = deadline - time.monotonic()
            if left < 1 or not _fetch(repository, room, remote, wanted, left):
                break
            if _arrived(room, oids, tip):
                return remote
    return ""


def _attempts(room: Repository, oids: Sequence[str]) -> Iterator[Sequence[str]]:
    """What to ask a remote for, one after the other: more and more of the history that was cut off, then the commits."""
    for depth in _DEPTHS:
        cut = _shallow(room)
        if cut:
            yield (depth, "--end-of-options", *cut)
    yield ("--end-of-options", *oids)


def _arrived(room: Repository, oids: Sequence[str], tip: str) -> bool:
    return all(room.resolve(oid) == oid and room.merge_base(tip, oid) for oid in oids)


def _shallow(room: Repository) -> tuple[str, ...]:
    """The commits whose parents were left out."""
    file = room.common_dir / "shallow"
    return tuple(file.read_text("ascii").split()) if file.exists() else ()


def _fetch(repository: Repository, room: Repository, remote: str, words: Sequence[str], timeout_s: float) -> bool:
    at = words.index("--end-of-options") + 1
    settings = ("-c", f"include.path={repository.common_dir / 'config'}")
    argv = ["--git-dir", str(room.git_dir), *settings, *_QUIET, *words[:at], remote, *words[at:]]
    try:
        done = git(
            argv, cwd=repository.work_tree or repository.git_dir, check=False, user_config=True, timeout_s=timeout_s
        )
    except Failed:
        return False
    return done.code == 0


def is_partial(repository: Repository) -> bool:
    """Whether this is a clone made with a filter, which fetches what it lacks when it is looked at."""
    return bool(repository.text("config", "--local", "--get-regexp", r"^remote\..*\.promisor$", check=False))


def is_deeper(repository: Repository, room: Repository) -> bool:
    """Whether ``room`` has more of a history that was cut off than the repository."""
    return _shallow(repository) != _shallow(room)


def take_history(repository: Repository, room: Repository, wanted: Sequence[str]) -> None:
    """Bring what ``room`` has of these commits and of the history that was cut off here into the repository.

    No ref moves; the shallow clone is one with more history, or a full one, afterwards.
    """
    depth = ["--unshallow"] if _shallow(repository) else []
    repository.run(*_QUIET, *depth, "--update-shallow", "--end-of-options", str(room.git_dir), *wanted)
