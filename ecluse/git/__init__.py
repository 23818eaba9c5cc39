"""The only caller of git. ``repository`` is one repository, ``invocation`` how a git process is started.

Everything is bytes-clean: names are decoded with ``surrogateescape`` and content is never decoded here.
"""

from __future__ import annotations

from ecluse.git.invocation import GIT_MINIMUM, clean_environment, git_version
from ecluse.git.repository import (
    ChangedPath,
    Commit,
    Identity,
    MergeResult,
    RefMoved,
    Repository,
    StatusEntry,
    TreeEntry,
    list_work_files,
)

__all__ = [
    "GIT_MINIMUM",
    "ChangedPath",
    "Commit",
    "Identity",
    "MergeResult",
    "RefMoved",
    "Repository",
    "StatusEntry",
    "TreeEntry",
    "clean_environment",
    "git_version",
    "list_work_files",
]
