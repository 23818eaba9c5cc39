"""The only caller of git. ``repository`` is one repository, ``invocation`` how a git process is started.

Everything is bytes-clean: names are decoded with ``surrogateescape`` and content is never decoded here. The parts
are loaded when used: a command that only reads the history needs none but ``locate``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecluse.git.invocation import GIT_MINIMUM, clean_environment, git_version
    from ecluse.git.listing import list_work_files
    from ecluse.git.nouns import ChangedPath, Commit, Identity, MergeResult, StatusEntry, TreeEntry
    from ecluse.git.repository import RefMoved, Repository

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

_HOMES = {
    "ChangedPath": "nouns",
    "Commit": "nouns",
    "Identity": "nouns",
    "MergeResult": "nouns",
    "StatusEntry": "nouns",
    "TreeEntry": "nouns",
    "GIT_MINIMUM": "invocation",
    "clean_environment": "invocation",
    "git_version": "invocation",
    "list_work_files": "listing",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"ecluse.git.{_HOMES.get(name, 'repository')}"), name)
