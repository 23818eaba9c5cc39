"""One bundle under judgement: what is known of it so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecluse.dataclass import dataclass, field
from ecluse.git import ChangedPath, Commit, Repository
from ecluse.intake.manifest import Manifest
from ecluse.intake.objects import Reader
from ecluse.model import Finding
from ecluse.signing import Principal
from ecluse.trunk import Trunk


@dataclass(slots=True)
class Case:
    """What is known so far of one bundle under judgement."""

    trunk: Trunk
    target: str
    room: Repository
    reader: Reader
    branches: Callable[[], frozenset[str]] = frozenset
    claims: Manifest | None = None
    signer: Principal | None = None
    findings: list[Finding] = field(default_factory=list)
    base: str = ""
    head: str = ""
    tree: str = ""
    method: str = ""
    uncommitted: str = ""
    fetched: bool = False
    committed_only: bool = False
    commits: list[Commit] = field(default_factory=list)
    changes: list[ChangedPath] = field(default_factory=list)
    standing: dict[str, tuple[str, str]] | None = None
    by_commit: dict[str, list[ChangedPath]] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    conflicts: tuple[str, ...] = ()
    resolved: tuple[dict[str, str], ...] = ()
    validations: list[dict[str, Any]] = field(default_factory=list)

    def tip(self) -> str:
        """Where the target stands: the trunk as it was looked at, or another branch as it is now."""
        return self.trunk.tip if self.target == self.trunk.ref else self.trunk.repository.commit_id(self.target)
