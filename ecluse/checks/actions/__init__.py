"""Actions that steps use: those carried out here, those that run from their own files, and a clear no to the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.checks.naming import Reference, split_reference, without_base
from ecluse.errors import Invalid, Unsupported
from ecluse.model import Result

if TYPE_CHECKING:
    from ecluse.checks.actions.manifest import Manifest
    from ecluse.checks.session import Frame, Session
    from ecluse.checks.workflow import Step

BUILT_IN: dict[str, str] = {
    "actions/checkout": "checkout",
    "actions/setup-python": "setup_python",
    "actions/setup-node": "setup_node",
    "actions/cache": "cache",
    "actions/cache/restore": "cache",
    "actions/cache/save": "cache",
    "actions/upload-artifact": "upload",
    "actions/upload-artifact/merge": "download",
    "actions/download-artifact": "download",
    "actions/github-script": "github_script",
    "astral-sh/setup-uv": "setup_uv",
    "dorny/paths-filter": "paths_filter",
    "hynek/setup-cached-uv": "setup_uv",
    "pnpm/action-setup": "pnpm",
    "pre-commit/action": "pre_commit",
    "re-actors/alls-green": "alls_green",
    "tj-actions/changed-files": "changed_files",
}
"""Owner/repo of an action -> the module here that carries it out, whatever version is named."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to. ``reason`` says why it failed, or what was not done although it succeeded."""

    result: Result
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActionCall:
    """One use of an action: where, with which inputs, and where its outputs go. ``limit_s`` is in seconds."""

    session: Session
    frame: Frame
    step: Step
    inputs: dict[str, str]
    env: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    limit_s: float | None = None

    @property
    def name(self) -> str:
        """Owner/repo and path of the action, in lower case, without its version."""
        return split_reference(self.step.uses).location.lower()

    @property
    def key(self) -> tuple[int, ...]:
        """Tells this use from all others of the job: the numbers of the steps that lead to it."""
        return (*self.frame.trail, self.step.number)

    def input(self, name: str, default: str = "") -> str:
        """The input ``name``, trimmed; ``default`` when it is absent or empty."""
        return self.given(name).strip() or default

    def given(self, name: str) -> str:
        """The input ``name`` as it was written, empty when it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.inputs.items() if key.lower() == wanted), "")

    def flag(self, name: str, default: bool = False) -> bool:
        return self.input(name, "true" if default else "false").lower() == "true"

    def lines(self, name: str) -> list[str]:
        """The lines of the input ``name`` that say something, trimmed."""
        return [line.strip() for line in self.given(name).splitlines() if line.strip()]

    def say(self, text: str) -> None:
        """A line in the job's log."""
        self.session.log.line(text)

    def scope(self) -> Any:
        return self.session.scope(self.frame, self.env)


def run_action(call: ActionCall) -> Outcome:
    """Carry out the action of a ``uses`` step.

    Raises :class:`Unsupported` for what is not carried out here, saying what to do instead, and other problems when the
    action cannot be found or fetched.
    """
    session, uses = call.session, call.step.uses
    manifest = find_action(session, call.frame, uses)
    if manifest is not None:
        kind = "javascript" if manifest.is_script else manifest.using
        ran: Outcome = import_module(f"ecluse.checks.actions.{kind}").run_main(call, manifest)
        return ran
    module = BUILT_IN.get(call.name, "not_run")
    outcome: Outcome = import_module(f"ecluse.checks.actions.{module}").run(call)
    return outcome


def find_action(session: Session, frame: Frame, uses: str, *, ahead: bool = False) -> Manifest | None:
    """The files of the action ``uses``; ``None`` when it is carried out here instead, or known not to be run here.

    ``ahead`` looks before the job's first step: an action of the workspace is not there yet, which is ``None`` too.
    Raises :class:`ecluse.errors.Problem`.
    """
    from ecluse.checks.actions.manifest import read_manifest
    from ecluse.checks.actions.not_run import reason_for

    if uses.startswith("docker://"):
        raise Unsupported(
            "checks.docker_action",
            f"{uses} is a container image, and no container engine is used here.",
            "Run the tool it contains in a `run` step.",
        )
    if uses.startswith(("./", ".\\")):
        return None if ahead else read_manifest(uses, session.workspace / uses)
    if not uses.startswith("$/"):
        named = split_reference(uses)
        stand_in = _stand_in(session, named)
        if stand_in is not None:
            return read_manifest(uses, stand_in)
        if named.location.lower() in BUILT_IN or reason_for(named.location):
            return None
    return read_manifest(uses, _elsewhere(session, frame, uses))


def _stand_in(session: Session, named: Reference) -> Path | None:
    """The folder that was given for an action with ``--local-action``."""
    given = session.request.local_actions
    if f"{named.location}@{named.ref}" in given:
        return Path(given[f"{named.location}@{named.ref}"])
    whole = given.get(f"{named.name}@{named.ref}")
    return None if whole is None else _below(Path(whole), named.path, named.location)


def _elsewhere(session: Session, frame: Frame, uses: str) -> Path:
    """The folder of an action of another repository, or of the workflow's own at the workflow's commit (``$/``)."""
    into = session.folder / "actions"
    if uses.startswith("$/"):
        repository, ref = frame.source if frame.source[0] else _origin(session)
        path = uses[2:]
        if not repository:
            return _below(_own_files(session, into / "own"), path, uses)
    else:
        named = split_reference(uses)
        repository, path, ref = named.repository, named.path, named.ref
    stand_in = session.request.local_actions.get(f"{without_base(repository)}@{ref}")
    root = Path(stand_in) if stand_in else session.remote.export(repository, ref, into)
    return _below(root, path, uses)


def _origin(session: Session) -> tuple[str, str]:
    """Repository and ref of a workflow that was fetched; empty for one of the tree under test."""
    named = split_reference(session.workflow.path)
    return (named.repository, named.ref) if named.ref else ("", "")


def _own_files(session: Session, target: Path) -> Path:
    """The tree under test, copied: an action that writes beside itself must not change it."""
    from ecluse.checks.placing import list_files, place
    from ecluse.git import list_work_files

    if not target.is_dir():
        target.mkdir(parents=True)
        names = list_work_files(session.tree)
        place(session.tree, target, names if names is not None else list_files(session.tree))
    return target


def _below(root: Path, path: str, uses: str) -> Path:
    folder = root / path
    if not folder.resolve().is_relative_to(root.resolve()):
        raise Invalid("checks.path_outside", f"{uses} leads out of its repository.", "Correct the path.")
    return folder
