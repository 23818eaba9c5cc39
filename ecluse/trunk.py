"""What the landed trunk says: its name, its tip, the policy, the playbooks and the keys.

Gates and policy are read from here and never from a candidate (invariant 5). Which branch is the trunk is recorded by
``ecluse init`` in the repository's own git configuration, so that no commit can change it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ecluse.errors import Invalid
from ecluse.git import Repository

if TYPE_CHECKING:
    from ecluse.config import Config
    from ecluse.signing import Principal

SIGNERS_PATH = ".ecluse/allowed_signers"
CONFIG_PATH = "ecluse.toml"


class Trunk:
    """The trunk of one repository at the moment it was looked at."""

    def __init__(self, repository: Repository, branch: str, tip: str) -> None:
        self.repository = repository
        self.branch = branch
        self.ref = f"refs/heads/{branch}"
        self.tip = tip

    def read(self, path: str) -> bytes | None:
        """The bytes of ``path`` in the trunk, or ``None``."""
        return self.repository.read(self.tip, path)

    @cached_property
    def config(self) -> Config:
        """The policy in force. Raises :class:`Invalid` when the trunk's file is wrong."""
        from ecluse import config

        data = self.read(CONFIG_PATH)
        if data is not None:
            return config.parse(data)
        project = self.read("pyproject.toml")
        return config.parse_pyproject(project) if project is not None else config.Config()

    @cached_property
    def signers(self) -> bytes:
        """The trunk's ``allowed_signers`` file; empty when there is none."""
        return self.read(SIGNERS_PATH) or b""

    @cached_property
    def principals(self) -> list[Principal]:
        """Everybody whom the trunk's keys name. Raises :class:`Invalid` when a line of the file is wrong."""
        from ecluse import signing

        return signing.principals(self.signers)

    def policy_id(self) -> str:
        """An id that changes when the policy or the keys change: the two blob ids, or ``-``."""
        held = {
            entry.path: entry.id
            for entry in self.repository.list_tree(self.tip, CONFIG_PATH, SIGNERS_PATH, "pyproject.toml")
        }
        return "+".join(held.get(path, "-")[:12] for path in (CONFIG_PATH, SIGNERS_PATH, "pyproject.toml"))


def branch_of(repository: Repository) -> str:
    """The trunk's branch: as recorded by ``init``, else the remote's default, else main, master, or the current one.

    Raises :class:`Invalid` when HEAD is detached and nothing else tells.
    """
    recorded = repository.config("ecluse.trunk")
    if recorded:
        return recorded
    default = repository.text("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD", check=False)
    if default.startswith("origin/") and repository.resolve(f"refs/heads/{default[7:]}"):
        return default[7:]
    heads = repository.refs("refs/heads")
    for name in ("main", "master"):
        if f"refs/heads/{name}" in heads:
            return name
    current = repository.branch()
    if current is None:
        raise Invalid(
            "trunk.unknown", "HEAD is detached and no branch is called main or master.", "ecluse init --trunk BRANCH"
        )
    return current


def open_trunk(repository: Repository) -> Trunk:
    """Look at the trunk now. Raises :class:`Invalid` when it has no commit."""
    branch = branch_of(repository)
    tip = repository.resolve(f"refs/heads/{branch}")
    if tip is None:
        if not repository.refs("refs/heads"):
            raise Invalid(
                "repo.empty", "This repository has no commits yet.", "git add -A && git commit -m 'first commit'"
            )
        raise Invalid("trunk.missing", f"The trunk {branch!r} has no commit here.", "ecluse init --trunk BRANCH")
    return Trunk(repository, branch, tip)
