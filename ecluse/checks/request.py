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
    configuration variables of the ``vars`` context. ``platforms`` maps patterns of ``runs-on`` labels to ``here``,
    ``skip`` or ``fail``. ``results`` are patterns of the files that jobs leave their test results and coverage in; empty:
    the usual names. ``run_id`` is ``github.run_id``; a run that is given none makes one. ``steps`` are ids, names or
    numbers of the only steps that run (see :mod:`ecluse.checks.choosing`); ``keep`` is a folder that receives what a
    later run may take over. ``actions_url`` is the base address of other
    repositories' actions (empty: the environment's, else GitHub's); ``lock_actions`` writes what they are at into the
    tree's lock file, ``update_actions`` looks all of them up anew. ``identity`` tells this repository from others with its
    name (empty: its first commits do). ``cache_scope`` is where caches are kept instead of at the ref: only runs of the
    same scope read them, so what an untrusted change keeps reaches no other. ``attempt`` is ``github.run_attempt``,
    ``numbers`` is ``github.run_number`` by workflow; a run that is given none takes the next ones of the file ``counters``.

    What the payload says of the ref of a push, or of the base of a pull request, goes before ``ref`` and ``base_branch``.
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
    platforms: dict[str, str] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    keep: Path | None = None
    run_id: str = ""
    actions_url: str = ""
    lock_actions: bool = False
    update_actions: bool = False
    identity: str = ""
    cache_scope: str = ""
    attempt: int = 1
    numbers: dict[str, int] = field(default_factory=dict)
    counters: Path | None = None

    def __post_init__(self) -> None:
        payload = self.event_payload
        ref = payload.get("ref")
        if self.event == "push" and isinstance(ref, str) and ref.startswith("refs/"):
            object.__setattr__(self, "ref", ref)
        pull = payload.get("pull_request")
        base = pull.get("base") if isinstance(pull, dict) else None
        if isinstance(base, dict) and isinstance(base.get("ref"), str) and base["ref"]:
            object.__setattr__(self, "base_branch", base["ref"])

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
            "platforms": self.platforms,
            "results": list(self.results),
            "run_id": self.run_id,
            "steps": list(self.steps),
            "keep": None if self.keep is None else str(self.keep),
            "actions_url": self.actions_url,
            "lock_actions": self.lock_actions,
            "update_actions": self.update_actions,
            "identity": self.identity,
            "cache_scope": self.cache_scope,
            "attempt": self.attempt,
            "numbers": self.numbers,
            "counters": None if self.counters is None else str(self.counters),
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
        for name in ("workflows", "jobs", "changed", "results", "steps"):
            if known.get(name) is not None:
                known[name] = tuple(known[name])
        if "matrix" in known:
            known["matrix"] = {key: tuple(values) for key, values in known["matrix"].items()}
        for name in ("log_dir", "keep", "counters"):
            if known.get(name) is not None:
                known[name] = Path(known[name])
        return cls(**known)
