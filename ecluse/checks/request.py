"""What a run of checks is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecluse.errors import Invalid


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One request for checks.

    ``workflows`` are files or folders relative to the tree; empty means every file of ``.github/workflows`` that
    ``event`` triggers. ``commit`` and ``tree`` are object ids, recorded in the report; ``base_commit`` is what the change
    is compared with, where that is known. ``matrix`` keeps only the
    combinations whose key ``k`` has one of the given values; ``jobs`` only these jobs and what they need.
    ``changed`` are the changed paths for path filters (``None``: unknown, so they match). ``log_dir`` receives one
    log per job. ``local_actions`` maps ``owner/repo@ref`` to a folder to take that action from. ``vars`` are the
    configuration variables of the ``vars`` context. ``actions_url`` is the base address of other repositories' actions
    (empty: the environment's, else GitHub's); ``lock_actions`` writes what they are at into the tree's lock file,
    ``update_actions`` looks all of them up anew. ``identity`` tells this repository from others with its name (empty:
    its first commits do). ``cache_scope`` is where caches are kept instead of at the ref: only runs of the same scope
    read them, so what an untrusted change keeps reaches no other.
    """

    workflows: tuple[str, ...] = ()
    event: str = "push"
    event_payload: dict[str, Any] = field(default_factory=dict)
    ref: str = "refs/heads/main"
    commit: str = ""
    tree: str = ""
    repository: str = "local/repo"
    actor: str = "ecluse"
    inputs: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    env: dict[str, str] = field(default_factory=dict)
    vars: dict[str, str] = field(default_factory=dict)
    matrix: dict[str, tuple[str, ...]] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()
    base_branch: str = ""
    base_commit: str = ""
    changed: tuple[str, ...] | None = None
    dry_run: bool = False
    log_dir: Path | None = None
    local_actions: dict[str, str] = field(default_factory=dict)
    actions_url: str = ""
    lock_actions: bool = False
    update_actions: bool = False
    identity: str = ""
    cache_scope: str = ""

    @property
    def branch(self) -> str:
        """The name that branch filters look at: the base of a pull request, else the branch or tag itself."""
        if self.event.startswith("pull_request") and self.base_branch:
            return self.base_branch
        return self.ref.removeprefix("refs/heads/")

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON document, without its secrets: they are never written anywhere."""
        return {
            "workflows": list(self.workflows),
            "event": self.event,
            "event_payload": self.event_payload,
            "ref": self.ref,
            "commit": self.commit,
            "tree": self.tree,
            "repository": self.repository,
            "actor": self.actor,
            "inputs": self.inputs,
            "env": self.env,
            "vars": self.vars,
            "matrix": {key: list(values) for key, values in self.matrix.items()},
            "jobs": list(self.jobs),
            "base_branch": self.base_branch,
            "base_commit": self.base_commit,
            "changed": None if self.changed is None else list(self.changed),
            "dry_run": self.dry_run,
            "log_dir": None if self.log_dir is None else str(self.log_dir),
            "local_actions": self.local_actions,
            "actions_url": self.actions_url,
            "lock_actions": self.lock_actions,
            "update_actions": self.update_actions,
            "identity": self.identity,
            "cache_scope": self.cache_scope,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RunRequest:
        """The request in a document of :meth:`to_json`. Raises :class:`Invalid` for keys it does not know."""
        known = dict(document)
        unknown = sorted(set(known) - set(cls.__dataclass_fields__) | ({"secrets"} & set(known)))
        if unknown:
            raise Invalid(
                "request.unknown_keys",
                f"The request for checks has keys that are not known here: {', '.join(unknown)}.",
                "ecluse doctor",
            )
        for name in ("workflows", "jobs", "changed"):
            if known.get(name) is not None:
                known[name] = tuple(known[name])
        if "matrix" in known:
            known["matrix"] = {key: tuple(values) for key, values in known["matrix"].items()}
        if known.get("log_dir") is not None:
            known["log_dir"] = Path(known["log_dir"])
        return cls(**known)
