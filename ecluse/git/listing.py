"""Which files of a folder belong to a project, as git sees it."""

from __future__ import annotations

import os
from pathlib import Path

from ecluse.errors import Invalid
from ecluse.git.invocation import git
from ecluse.git.repository import Repository


def list_work_files(folder: Path) -> list[str] | None:
    """Tracked and untracked-but-not-ignored files below ``folder``, relative to it; ``None`` outside a work tree."""
    try:
        repository = Repository.discover(folder)
    except Invalid:
        return None
    if repository.work_tree is None:
        return None
    listed = git(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"], cwd=folder)
    names = [name for name in os.fsdecode(listed.stdout).split("\0") if name]
    return [name for name in names if os.path.lexists(folder / name)]
