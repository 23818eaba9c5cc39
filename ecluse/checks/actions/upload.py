"""``actions/upload-artifact``, versions 1 to 7: keeps files for later jobs of the run, and with the run's logs."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.artifacts import FORBIDDEN, Artifact, Shelf, Taken, version_of
from ecluse.checks.globs import path_pattern
from ecluse.checks.placing import list_files
from ecluse.model import Result

_WILD = re.compile(r"[*?\[]")


def run(call: ActionCall) -> Outcome:
    """Keep the files that ``path`` selects. Up to version 3 an artifact of the same name is added to."""
    version = version_of(call.step.uses)
    root, files = select(call, with_hidden(call, version))
    name = call.input("name", "artifact")
    if not call.flag("archive", True):
        if len(files) != 1:
            return Outcome(Result.FAILURE, reason=f"archive: false needs exactly one file, and {len(files)} were found")
        root, name = files[0].parent, files[0].name
    if wrong := wrong_name(name):
        return Outcome(Result.FAILURE, reason=wrong)
    if not files:
        return _nothing(call)
    names = [file.relative_to(root).as_posix() for file in files]
    for one in names:
        if FORBIDDEN.search(one.replace("/", "")):
            text = f"the path {one!r} cannot be part of an artifact: it has a character like : or *"
            return Outcome(Result.FAILURE, reason=text)
    try:
        made = Shelf(call.session.artifacts).add(
            name, root, names, join=0 < (version or (9,))[0] < 4, replace=call.flag("overwrite")
        )
    except Taken:
        return Outcome(Result.FAILURE, reason=f"an artifact named '{name}' already exists in this run")
    tell(call, made)
    return Outcome(Result.SUCCESS)


def tell(call: ActionCall, made: Artifact) -> None:
    """The outputs that describe an artifact, a line in the log, and one in the report."""
    call.session.log.artifact(made.name, made.count, made.size)
    call.outputs["artifact-id"] = str(made.id)
    call.outputs["artifact-digest"] = made.digest
    call.outputs["artifact-url"] = ""
    days = call.input("retention-days")
    kept = f"; it is kept as long as the logs of this run, not {days} days" if days not in ("", "0") else ""
    call.say(f"kept {made.count} files ({made.size:,} bytes) as artifact '{made.name}'{kept}")


def wrong_name(name: str) -> str:
    """Why ``name`` cannot be an artifact's; empty when it can."""
    if FORBIDDEN.search(name) or name in (".", ".."):
        return f"'{name}' cannot be an artifact's name: it has a character like / or :"
    return ""


def _nothing(call: ActionCall) -> Outcome:
    said = f"no files were found at {', '.join(call.lines('path'))}"
    wish = call.input("if-no-files-found", "warn")
    if wish not in ("warn", "error", "ignore"):
        return Outcome(Result.FAILURE, reason=f"if-no-files-found is '{wish}', and must be warn, error or ignore")
    if wish == "error":
        return Outcome(Result.FAILURE, reason=said)
    if wish == "warn":
        call.session.log.note("warning", f"upload-artifact: {said}")
    return Outcome(Result.SUCCESS, reason=said)


def with_hidden(call: ActionCall, version: tuple[int, ...]) -> bool:
    """Whether hidden files are taken: when asked for, and by the exact versions from before they were left out."""
    is_old = bool(version) and (version[0] < 3 or (3, 0) <= version < (3, 2) or (4, 0) <= version < (4, 4))
    return call.flag("include-hidden-files") or (is_old and (len(version) > 1 or version[0] < 3))


def select(call: ActionCall, hidden: bool) -> tuple[Path, list[Path]]:
    """The folder that names inside the artifact start from, and the files.

    It is the one folder or pattern given, else what all of them have in common. Only files that really lie in the
    job's own folders are taken: a link may lead anywhere.
    """
    session = call.session
    own = session.folder.resolve()
    home = session.base_env.get("HOME", "/")
    rules, bases = [], []
    for line in call.lines("path"):
        if line.startswith("#"):
            continue
        wanted = not line.startswith("!")
        text = line if wanted else line[1:].strip()
        text = home + text[1:] if text == "~" or text.startswith("~/") else text
        text = os.path.normpath(session.workspace / text)
        rules.append((wanted, path_pattern(text)))
        if wanted:
            bases.append(_base(Path(text)))
    found: dict[Path, None] = {}
    for base in bases:
        if not hidden and base.name.startswith("."):
            continue
        for name in [""] if base.is_file() else list_files(base, hidden_git=hidden) if base.is_dir() else []:
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
