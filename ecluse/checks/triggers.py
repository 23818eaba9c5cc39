"""Which workflow files an event starts: their triggers and the filters on branches, tags and paths."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from ecluse.checks.globs import filter_pattern, matches
from ecluse.checks.workflow import MAX_FILE_BYTES, read_triggers
from ecluse.errors import Invalid
from ecluse.files import read_capped

FOLDER = ".github/workflows"
_DEFAULT_TYPES = ("opened", "synchronize", "reopened")


def list_workflows(tree: Path, folder: str = FOLDER) -> tuple[str, ...]:
    """The workflow files of a folder of ``tree``, as paths relative to ``tree``, in name order."""
    root = tree / folder
    if not root.is_dir():
        return ()
    names = sorted(entry.name for entry in root.iterdir() if entry.suffix in (".yml", ".yaml") and entry.is_file())
    prefix = "" if folder in ("", ".") else folder.rstrip("/") + "/"
    return tuple(prefix + name for name in names)


def select(
    tree: Path,
    *,
    event: str,
    branch: str,
    changed: Sequence[str] | None,
    action: str = "",
) -> tuple[str, ...]:
    """The workflow files of ``tree`` that ``event`` starts.

    ``branch`` is the pushed branch, the base branch of a pull request, or ``refs/tags/NAME``; ``changed`` are the
    changed paths (``None`` when not known: path filters then match); ``action`` is the activity (``opened``), when
    known. Raises :class:`Invalid` for a file whose triggers cannot be read.
    """
    found = []
    for path in list_workflows(tree):
        triggers = read_triggers(read_capped(tree / path, MAX_FILE_BYTES), path)
        if event in triggers and starts(event, triggers[event], branch, changed, action):
            found.append(path)
    return tuple(found)


def starts(event: str, filters: dict[str, Any], branch: str, changed: Sequence[str] | None, action: str = "") -> bool:
    """Whether an event with these ``filters`` is one that starts the workflow."""
    is_pull = event in ("pull_request", "pull_request_target")
    types = _list(filters.get("types")) or (list(_DEFAULT_TYPES) if is_pull else [])
    if action and types and action not in types:
        return False
    is_tag = branch.startswith("refs/tags/")
    name = branch.removeprefix("refs/tags/").removeprefix("refs/heads/")
    about_branches = "branches" in filters or "branches-ignore" in filters
    about_tags = "tags" in filters or "tags-ignore" in filters
    if is_tag:
        if about_branches and not about_tags:
            return False
        return _passes(filters, "tags", [name])
    if about_tags and not about_branches:
        return False
    return _passes(filters, "branches", [name]) and _passes_paths(filters, changed)


def _passes(filters: dict[str, Any], kind: str, names: Sequence[str]) -> bool:
    wanted, ignored = _list(filters.get(kind)), _list(filters.get(f"{kind}-ignore"))
    return not skipped_by(wanted, names) and not skipped_by_ignore(ignored, names)


def _passes_paths(filters: dict[str, Any], changed: Sequence[str] | None) -> bool:
    if changed is None or not ("paths" in filters or "paths-ignore" in filters):
        return True
    return _passes(filters, "paths", changed)


def skipped_by(patterns: Sequence[str], names: Sequence[str]) -> bool:
    """Whether ``branches``, ``tags`` or ``paths`` with these patterns keep the workflow from starting."""
    return bool(patterns) and not any(matches(list(patterns), name) for name in names)


def skipped_by_ignore(patterns: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the ``-ignore`` form keeps the workflow from starting: every name is ignored by some pattern."""
    return bool(patterns) and all(any(_ignores(pattern, name) for pattern in patterns) for name in names)


def _ignores(pattern: str, name: str) -> bool:
    negated = pattern.startswith("!")
    return bool(filter_pattern(pattern[1:] if negated else pattern).fullmatch(name)) != negated


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def resolve_paths(tree: Path, names: Sequence[str], event: str) -> tuple[str, ...]:
    """The files that explicitly named workflows stand for; of a folder, those that ``event`` triggers.

    Raises :class:`Invalid` for a name that is not there, or outside the tree.
    """
    root = tree.resolve()
    found: list[str] = []
    for name in names:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise Invalid("workflow.missing", f"The workflow {path} lies outside of {tree}.", "cd to where it belongs")
        if not path.exists():
            raise _missing(tree, name)
        relative = path.relative_to(root).as_posix()
        if path.is_dir():
            files = list_workflows(root, relative)
            found += [file for file in files if event in read_triggers(read_capped(root / file, MAX_FILE_BYTES), file)]
        else:
            found.append(relative)
    return tuple(dict.fromkeys(found))


def _missing(tree: Path, name: str) -> Invalid:
    """What is said of a workflow that is not there: the one that was meant, when it can be told."""
    known = list_workflows(tree)
    near = get_close_matches(name, known, n=1, cutoff=0.8)
    names = {PurePosixPath(path).name: path for path in known}
    near = near or [names[one] for one in get_close_matches(PurePosixPath(name).name, names, n=1, cutoff=0.8)]
    return Invalid(
        "workflow.missing",
        f"There is no workflow {name} in {tree}" + (f" (did you mean '{near[0]}'?)." if near else "."),
        f"list the workflows with: ls {FOLDER}" if known else f"write one to {FOLDER}/ci.yml",
    )
