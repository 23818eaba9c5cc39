"""Actions that steps use: those carried out here, composite ones of the repository, and a clear no to the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecluse.errors import Unsupported
from ecluse.model import Result

if TYPE_CHECKING:
    from ecluse.checks.session import Frame, Session
    from ecluse.checks.workflow import Step

BUILT_IN: dict[str, str] = {
    "actions/checkout": "checkout",
    "actions/setup-python": "setup_python",
    "actions/setup-node": "setup_node",
    "actions/cache": "cache",
    "actions/cache/restore": "cache",
    "actions/cache/save": "cache",
    "actions/upload-artifact": "artifacts",
    "actions/download-artifact": "artifacts",
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
        return self.step.uses.partition("@")[0].lower()

    def input(self, name: str, default: str = "") -> str:
        """The input ``name``, trimmed; ``default`` when it is absent or empty."""
        wanted = name.lower()
        found = next((value for key, value in self.inputs.items() if key.lower() == wanted), "")
        return found.strip() or default

    def flag(self, name: str, default: bool = False) -> bool:
        return self.input(name, "true" if default else "false").lower() == "true"

    def say(self, text: str) -> None:
        """A line in the job's log."""
        self.session.log.line(text)

    def scope(self) -> Any:
        return self.session.scope(self.frame, self.env)


def run_action(call: ActionCall) -> Outcome:
    """Carry out the action of a ``uses`` step.

    Raises :class:`Unsupported` for what is not carried out here, saying what to do instead.
    """
    uses = call.step.uses
    if uses in call.session.request.local_actions:
        from pathlib import Path

        from ecluse.checks.actions.composite import run_folder

        return run_folder(call, Path(call.session.request.local_actions[uses]))
    if uses.startswith(("./", ".\\")):
        from ecluse.checks.actions.composite import run_folder

        return run_folder(call, call.session.workspace / uses)
    if uses.startswith("docker://"):
        raise Unsupported(
            "checks.docker_action",
            f"{uses} is a container image, and no container engine is used here.",
            "Run the tool it contains in a `run` step.",
        )
    module = BUILT_IN.get(call.name)
    if module is None:
        raise Unsupported(
            "checks.action",
            f"The action {uses} is not carried out here: actions of other repositories are not fetched yet.",
            f"Use a `run` step, put the action into this repository (uses: ./path), "
            f"or give its folder with --local-action {uses}=DIR.",
        )
    outcome: Outcome = import_module(f"ecluse.checks.actions.{module}").run(call)
    return outcome
