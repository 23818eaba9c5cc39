"""``actions/upload-artifact`` and ``download-artifact``: files handed on within one run."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.globs import path_pattern
from ecluse.checks.placing import inside, list_files, place
from ecluse.errors import Unsupported
from ecluse.model import Result

_FORBIDDEN = re.compile(r'[":<>|*?\r\n\\/]')
_WILD = re.compile(r"[*?\[]")


def run(call: ActionCall) -> Outcome:
    return _upload(call) if "upload" in call.name else _download(call)


def _upload(call: ActionCall) -> Outcome:
    name = call.input("name", "artifact")
    if _FORBIDDEN.search(name) or name in (".", ".."):
        return Outcome(Result.FAILURE, reason=f"'{name}' cannot be an artifact's name: it has a character like / or :")
    root, files = _select(call)
    if not files:
        said = f"no files were found at {', '.join(call.input('path').split())}"
        wish = call.input("if-no-files-found", "warn")
        if wish == "error":
            return Outcome(Result.FAILURE, reason=said)
        if wish == "warn":
            call.session.log.note("warning", f"upload-artifact: {said}")
        return Outcome(Result.SUCCESS, reason=said)
    target = call.session.artifacts / name
    if target.exists() and not _joins(call):
        if not call.flag("overwrite"):
            return Outcome(Result.FAILURE, reason=f"an artifact named '{name}' already exists in this run")
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        goal = target / file.relative_to(root)
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, goal)
    held = [target / one for one in list_files(target)]
    call.session.log.artifact(name, len(held), sum(one.stat().st_size for one in held))
    call.outputs["artifact-id"] = str(len(list(call.session.artifacts.iterdir())))
    call.outputs["artifact-url"] = ""
    call.say(f"kept {len(files)} files as artifact '{name}'")
    return Outcome(Result.SUCCESS)


def _joins(call: ActionCall) -> bool:
    """Versions up to 3 add to an artifact of the same name."""
    return bool(re.match(r"v[123](\.|$)", call.step.uses.partition("@")[2]))


def _select(call: ActionCall) -> tuple[Path, list[Path]]:
    """The folder that names inside the artifact start from, and the files.

    Only files that really lie in the job's own folders are taken: a link may lead anywhere.
    """
    session = call.session
    own = session.folder.resolve()
    rules, bases = [], []
    for line in (line.strip() for line in call.input("path").splitlines()):
        if not line:
            continue
        wanted = not line.startswith("!")
        text = os.path.normpath(session.workspace / (line if wanted else line[1:].strip()))
        rules.append((wanted, path_pattern(text)))
        if wanted:
            bases.append(_base(Path(text)))
    hidden = call.flag("include-hidden-files") or _joins(call)
    found: dict[Path, None] = {}
    for base in bases:
        for name in [""] if base.is_file() else list_files(base) if base.is_dir() else []:
            path = base / name
            if not hidden and any(part.startswith(".") for part in Path(name).parts):
                continue
            selected = False
            for wanted, rule in rules:
                if rule.fullmatch(str(path).lstrip("/")):
                    selected = wanted
            if selected and path.is_file() and path.resolve().is_relative_to(own):
                found[path] = None
    roots = [base.parent if base.is_file() else base for base in bases]
    root = Path(os.path.commonpath(roots)) if roots else session.workspace
    return root, list(found)


def _base(pattern: Path) -> Path:
    """The part of a pattern before its first wildcard."""
    parts = pattern.parts
    wild = next((place for place, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return Path(*parts[:wild])


def _download(call: ActionCall) -> Outcome:
    if call.input("run-id") or call.input("repository"):
        raise Unsupported(
            "checks.artifact_elsewhere",
            "Artifacts of other runs or repositories cannot be fetched here.",
            "Upload the artifact in a job of this run.",
        )
    session = call.session
    path = call.input("path", ".")
    target = inside(session.folder, os.path.relpath(session.workspace / path, session.folder), "path")
    names = sorted(entry.name for entry in session.artifacts.iterdir()) if session.artifacts.is_dir() else []
    name = call.input("name")
    if name and name not in names:
        here = ", ".join(names) or "none"
        return Outcome(Result.FAILURE, reason=f"there is no artifact '{name}' in this run (there are: {here})")
    pattern = call.input("pattern")
    chosen = [name] if name else [one for one in names if not pattern or path_pattern(pattern).fullmatch(one)]
    apart = not name and not call.flag("merge-multiple")
    for one in chosen:
        source = session.artifacts / one
        place(source, target / one if apart else target, list_files(source))
    target.mkdir(parents=True, exist_ok=True)
    call.outputs["download-path"] = str(target)
    call.say(f"brought {len(chosen)} artifacts: {', '.join(chosen)}")
    return Outcome(Result.SUCCESS)
