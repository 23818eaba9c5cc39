"""JavaScript actions: their scripts run on the Node of this machine, whichever version they name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ecluse import process
from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.manifest import Manifest, complete
from ecluse.checks.naming import split_reference
from ecluse.checks.output import StepOutput
from ecluse.checks.session import Cleanup
from ecluse.errors import Failed
from ecluse.model import Result

if TYPE_CHECKING:
    from ecluse.checks.session import Frame, Session
    from ecluse.checks.workflow import Step


def run_main(call: ActionCall, manifest: Manifest) -> Outcome:
    """Run the action's main script; what cleans up after it is noted first, so that it runs when this one fails."""
    note_post(call.session, call.frame, call.step, manifest)
    if manifest.pre and manifest.uses.startswith("."):
        call.say(f"##[warning]`pre` execution is not supported for local action from '{manifest.uses}'")
    return run_script(call, manifest, manifest.main, "main")


def note_post(session: Session, frame: Frame, step: Step, manifest: Manifest) -> None:
    """Have the action's post script run after the job's last step, once however often this is called."""
    if not manifest.post:
        return

    def work(call: ActionCall) -> Outcome:
        return run_script(call, manifest, manifest.post, "post")

    session.clean_up(Cleanup(frame, step, manifest.post_if, work))


def run_script(call: ActionCall, manifest: Manifest, script: str, stage: str) -> Outcome:
    """Run one script of the action (``stage``: pre, main or post) with the environment GitHub gives it."""
    session = call.session
    path = manifest.folder / script
    if not path.is_file() and not path.with_name(path.name + ".js").is_file():
        return Outcome(Result.FAILURE, reason=f"File not found: '{script}' ({stage} of {manifest.uses})")
    env = session.environment(call.frame, call.env)
    node = find_node(session, env, manifest.using)
    inputs = complete(manifest, call.inputs, session.scope(call.frame), call.say if stage == "main" else _silent)
    env |= {f"INPUT_{name.replace(' ', '_').upper()}": str(value) for name, value in inputs.items()}
    state = session.states.setdefault(call.key, {})
    env |= {f"STATE_{name}": value for name, value in state.items()}
    env |= source_variables(manifest.uses, call.step.id)
    said = StepOutput(session, env)
    try:
        code = session.start(
            [node, str(path)],
            said.line,
            frame=call.frame,
            cwd=session.workspace,
            env=env | said.variables,
            timeout_s=call.limit_s,
        )
    finally:
        said.close()
        call.outputs.update(said.outputs)
        state.update(said.state)
    if code != 0:
        what = "" if stage == "main" else f"{stage} script: "
        return Outcome(Result.FAILURE, code, f"{what}Process completed with exit code {code}.")
    return Outcome(Result.FAILURE, code, said.failure) if said.failure else Outcome(Result.SUCCESS, code)


def _silent(_: str) -> None:
    """Says nothing: what is wrong with inputs is said once, by the main script."""


def source_variables(uses: str, step_id: str) -> dict[str, str]:
    """The variables that tell an action its own name."""
    named = split_reference(uses)
    is_local = uses.startswith((".", "$"))
    found = {"GITHUB_ACTION": step_id or ("__self" if is_local else f"__{named.name.replace('/', '_')}")}
    if not is_local:
        found |= {"GITHUB_ACTION_REPOSITORY": named.name, "GITHUB_ACTION_REF": named.ref}
    return found


def find_node(session: Session, env: dict[str, str], wanted: str) -> str:
    """Node as the machine has it, else as the job's own steps brought it; a difference is noted once for a job.

    Raises :class:`Failed` when there is none.
    """
    node = process.which("node", session.base_env.get("PATH")) or process.which("node", env.get("PATH"))
    if node is None:
        raise Failed(
            "checks.node_missing",
            "This action is written in JavaScript, and Node is not on this machine (PATH was searched).",
            "install Node 20 or newer with your system's package manager",
        )
    here = node_version(node)
    if wanted and here.partition(".")[0] != wanted.replace("node", "v") and not session.noted_node:
        session.noted_node.append(here)
        session.log.line(f"##[notice]actions ask for {wanted} and run on this machine's Node {here}")
    return node


@lru_cache(maxsize=8)
def node_version(node: str) -> str:
    """The version that the program ``node`` prints, for example ``v20.20.2``; empty when it does not run."""
    try:
        done = process.run([node, "--version"], timeout_s=20, check=False)
    except Failed:
        return ""
    return done.stdout.decode("utf-8", "replace").strip()
