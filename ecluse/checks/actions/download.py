"""``actions/download-artifact`` and ``actions/upload-artifact/merge``: artifacts of this run, brought or joined."""

from __future__ import annotations

import os
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.artifacts import Artifact, Shelf, Taken, version_of
from ecluse.checks.actions.upload import tell, wrong_name
from ecluse.checks.globs import path_pattern
from ecluse.checks.placing import inside, list_files, place
from ecluse.errors import Unsupported
from ecluse.model import Result


def run(call: ActionCall) -> Outcome:
    return _merge(call) if call.name.endswith("/merge") else _download(call)


def _download(call: ActionCall) -> Outcome:
    _refuse_other_runs(call)
    session = call.session
    path = call.input("path", ".")
    home = session.base_env.get("HOME", "/")
    path = home + path[1:] if path == "~" or path.startswith("~/") else path
    target = inside(session.folder, os.path.relpath(session.workspace / path, session.folder), "path")
    shelf = Shelf(session.artifacts)
    here = shelf.all()
    name, ids = call.input("name"), [word.strip() for word in call.input("artifact-ids").split(",") if word.strip()]
    if name and ids:
        return Outcome(Result.FAILURE, reason="the inputs name and artifact-ids cannot be used together")
    if name:
        chosen = [one for one in here if one.name == name]
        missing = "" if chosen else f"artifact '{name}'"
    elif ids:
        chosen = [one for one in here if str(one.id) in ids]
        unknown = [one for one in ids if one not in {str(artifact.id) for artifact in here}]
        missing = f"artifact with the id {', '.join(unknown)}" if unknown else ""
    else:
        chosen, missing = _fitting(here, call.input("pattern")), ""
    if missing:
        known = ", ".join(one.name for one in here) or "none"
        return Outcome(Result.FAILURE, reason=f"there is no {missing} in this run (there are: {known})")
    major = (version_of(call.step.uses) or (9,))[0]
    apart = not name and not call.flag("merge-multiple") and not (len(chosen) == 1 and major >= 5)
    if major == 1 and name and not call.input("path"):
        apart = True
    for one in chosen:
        source = shelf.folder / one.name
        place(source, target / one.name if apart else target, list_files(source, hidden_git=True))
    target.mkdir(parents=True, exist_ok=True)
    call.outputs["download-path"] = str(target)
    call.say(f"brought {len(chosen)} artifacts: {', '.join(one.name for one in chosen)}")
    return Outcome(Result.SUCCESS)


def _refuse_other_runs(call: ActionCall) -> None:
    github = call.session.github
    other_run = call.input("run-id", str(github["run_id"])) != str(github["run_id"])
    repository = call.input("repository", str(github["repository"]))
    if other_run or repository.lower() != str(github["repository"]).lower():
        raise Unsupported(
            "checks.artifact_elsewhere",
            "Artifacts of other runs or repositories cannot be fetched here.",
            "Upload the artifact in a job of this run.",
        )


def _fitting(artifacts: list[Artifact], pattern: str) -> list[Artifact]:
    return [one for one in artifacts if not pattern or path_pattern(pattern).fullmatch(one.name)]


def _merge(call: ActionCall) -> Outcome:
    """Make one artifact of several, each in a folder of its own when that is wanted."""
    shelf = Shelf(call.session.artifacts)
    name = call.input("name", "merged-artifacts")
    if wrong := wrong_name(name):
        return Outcome(Result.FAILURE, reason=wrong)
    chosen = _fitting(shelf.all(), call.input("pattern", "*"))
    if not chosen:
        return Outcome(Result.FAILURE, reason=f"no artifact of this run is called {call.input('pattern', '*')}")
    gathered: Path = call.session.new_file("_merge")
    for one in chosen:
        source = shelf.folder / one.name
        target = gathered / one.name if call.flag("separate-directories") else gathered
        place(source, target, list_files(source, hidden_git=True))
    try:
        made = shelf.add(name, gathered, list_files(gathered, hidden_git=True), replace=call.flag("overwrite"))
    except Taken:
        return Outcome(Result.FAILURE, reason=f"an artifact named '{name}' already exists in this run")
    if call.flag("delete-merged"):
        for one in chosen:
            shelf.remove(one.name)
    tell(call, made)
    return Outcome(Result.SUCCESS)
