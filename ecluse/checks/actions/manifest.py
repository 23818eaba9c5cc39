"""What an action's own file says: how it runs, which inputs and outputs it declares, what goes before and after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecluse.checks.evaluate import interpolate
from ecluse.checks.grammar import RULES
from ecluse.checks.problems import Fault, Faults, WorkflowProblem
from ecluse.checks.schema import Checker
from ecluse.checks.values import to_text
from ecluse.checks.workflow import MAX_FILE_BYTES, Step, read_steps
from ecluse.errors import Invalid, Unsupported
from ecluse.files import read_capped
from ecluse.yaml12 import Mapping, YamlProblem, parse, plain

NODES = ("node12", "node16", "node20", "node24")
"""Values of ``using`` that mean a script for Node."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One ``action.yml``. ``uses`` is how it was named, ``folder`` where it lies; scripts are relative to it.

    ``pre_if`` and ``post_if`` are expressions as written; where they are absent the script always runs.
    """

    uses: str
    folder: Path
    using: str
    inputs: dict[str, dict[str, Any]]
    outputs: dict[str, dict[str, Any]]
    steps: tuple[Step, ...] = ()
    main: str = ""
    pre: str = ""
    pre_if: str = "always()"
    post: str = ""
    post_if: str = "always()"

    @property
    def is_script(self) -> bool:
        """Whether it runs on Node."""
        return self.using in NODES


def read_manifest(uses: str, folder: Path) -> Manifest:
    """The action that lies in ``folder``, known to the workflow as ``uses``.

    Raises :class:`Invalid` when there is none or it is wrong, :class:`Unsupported` when it is of a kind that does not
    run here.
    """
    path = next((folder / name for name in ("action.yml", "action.yaml") if (folder / name).is_file()), None)
    if path is None:
        if (folder / "Dockerfile").is_file():
            raise _needs_container(uses)
        raise Invalid(
            "checks.action_missing",
            f"There is no action.yml in {uses}.",
            "Check the path, and that actions/checkout runs before it.",
        )
    name = f"{uses}/{path.name}"
    try:
        document = parse(read_capped(path, MAX_FILE_BYTES))
    except YamlProblem as problem:
        raise WorkflowProblem([Fault(name, problem.line, problem.column, problem.text)]) from problem
    if not isinstance(document, Mapping):
        raise Invalid("checks.action_wrong", f"{name} is not a mapping.", "Correct the file.")
    return _manifest(uses, folder, name, document)


def _manifest(uses: str, folder: Path, name: str, document: Mapping) -> Manifest:
    raw: dict[str, Any] = plain(document)
    runs = raw.get("runs")
    runs = runs if isinstance(runs, dict) else {}
    using = to_text(runs.get("using")).lower()
    made = Manifest(uses, folder, using, _table(raw.get("inputs")), _table(raw.get("outputs")))
    if using == "composite":
        faults = Faults(name)
        Checker(RULES, faults).check(document, "action")
        if faults.found:
            raise WorkflowProblem(faults.found)
        node = document.get("runs")
        return replace(made, steps=read_steps(node.get("steps") if isinstance(node, Mapping) else None))
    if using == "docker":
        raise _needs_container(uses)
    if using not in NODES:
        raise Unsupported(
            "checks.action_kind",
            f"The action {uses} runs with '{using or 'nothing'}', which is not known here.",
            f"Known are composite, {', '.join(NODES)}.",
        )
    main = to_text(runs.get("main"))
    if not main:
        raise Invalid("checks.action_wrong", f"{name} names no script to run (runs.main).", "Add it to the file.")
    return replace(
        made,
        main=main,
        pre=to_text(runs.get("pre")),
        pre_if=to_text(runs.get("pre-if")) or made.pre_if,
        post=to_text(runs.get("post")),
        post_if=to_text(runs.get("post-if")) or made.post_if,
    )


def _needs_container(uses: str) -> Unsupported:
    return Unsupported(
        "checks.docker_action",
        f"{uses} runs in a container, and no container engine is used here.",
        "Run the tool it contains in a `run` step.",
    )


def _table(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        return {}
    return {name: rule if isinstance(rule, dict) else {} for name, rule in value.items()}


def complete(manifest: Manifest, given: dict[str, str], scope: Any, say: Any) -> dict[str, Any]:
    """The inputs an action gets: those given, completed by its defaults, each with a warning where one is due.

    A required input that is missing is said and stays empty, as on GitHub; so is one that is not declared.
    """
    rest = {name.lower(): (name, value) for name, value in given.items()}
    found: dict[str, Any] = {}
    for name, rule in manifest.inputs.items():
        if name.lower() in rest:
            found[name] = rest.pop(name.lower())[1]
            if rule.get("deprecationMessage"):
                text = to_text(rule["deprecationMessage"])
                say(f"##[warning]Input '{name}' has been deprecated with message: {text}")
        else:
            found[name] = interpolate(to_text(rule.get("default")), scope)
            if rule.get("required") is True and "default" not in rule:
                say(f"##[warning]Input required and not supplied: {name}")
    for shown, value in rest.values():
        known = ", ".join(manifest.inputs)
        say(f"##[warning]Unexpected input '{shown}', valid inputs are: {known}")
        found[shown] = value
    return found
