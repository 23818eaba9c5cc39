"""``actions/cache`` and its restore and save parts, on a store of this machine.

A cache is read from the run's own branch, its base and the default branch, and written to the run's own. Paths outside
the job's workspace stay on this machine anyway: they are neither restored nor kept.
"""

from __future__ import annotations

import os
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.cachestore import CacheStore, digest
from ecluse.checks.hashfiles import select_files
from ecluse.model import Result

_LONGEST_KEY = 512


def run(call: ActionCall) -> Outcome:
    """Restore, save, or both: then the saving waits for the end of the job, and for its success."""
    key = call.input("key")
    if not key or len(key) > _LONGEST_KEY or "," in key:
        return Outcome(Result.FAILURE, reason="the cache's key is empty, longer than 512 characters, or has a comma")
    paths = _paths(call)
    if not paths:
        call.outputs["cache-hit"] = ""
        return Outcome(Result.SUCCESS, reason="all paths of this cache lie outside the workspace and stay as they are")
    if call.name.endswith("/save"):
        return Outcome(Result.SUCCESS, reason=_save(call, key, paths))
    return _restore(call, key, paths)


def _restore(call: ActionCall, key: str, paths: list[str]) -> Outcome:
    store = _store(call)
    prefixes = [line.strip() for line in call.input("restore-keys").splitlines() if line.strip()]
    hit = store.find(_scopes(call), _version(paths), key, prefixes)
    if hit is not None and not call.flag("lookup-only") and not store.restore(hit, call.session.workspace):
        call.say(f"##[warning]the cache '{hit.key}' was damaged and is gone")
        hit = None
    is_exact = hit is not None and hit.key == key
    call.outputs["cache-hit"] = ("true" if is_exact else "false") if hit is not None else ""
    if call.name.endswith("/restore"):
        call.outputs["cache-primary-key"] = key
        call.outputs["cache-matched-key"] = hit.key if hit is not None else ""
    elif not is_exact:
        call.session.at_end.append(lambda: call.say(f"cache: {_save(call, key, paths)}"))
    if hit is None and call.flag("fail-on-cache-miss"):
        return Outcome(Result.FAILURE, reason=f"there is no cache for '{key}', and fail-on-cache-miss is set")
    call.say(f"restored the cache '{hit.key}'" if hit is not None else f"there is no cache for '{key}' yet")
    return Outcome(Result.SUCCESS)


def _save(call: ActionCall, key: str, paths: list[str]) -> str:
    workspace = call.session.workspace
    files = list(select_files(workspace, paths, links=True))
    if not files:
        return f"nothing was saved under '{key}': no file is at {', '.join(paths)}"
    if _store(call).save(_scopes(call)[0], _version(paths), key, workspace, files):
        return f"saved {len(files)} files under '{key}'"
    return f"'{key}' is kept already and stays as it is"


def _store(call: ActionCall) -> CacheStore:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return CacheStore(Path(base) / "ecluse" / "cache", call.session.request.repository)


def _version(paths: list[str]) -> str:
    return digest(*paths)


def _scopes(call: ActionCall) -> list[str]:
    github = call.session.github
    repository = github["event"].get("repository") if isinstance(github["event"], dict) else None
    default = repository.get("default_branch") if isinstance(repository, dict) else ""
    names = [str(github["ref"]), *(f"refs/heads/{name}" for name in (github["base_ref"], default) if name)]
    return list(dict.fromkeys(names))


def _paths(call: ActionCall) -> list[str]:
    """The patterns inside the workspace, relative to it."""
    root = call.session.workspace
    found = []
    for line in (line.strip() for line in call.input("path").splitlines()):
        mark, text = ("!", line[1:].strip()) if line.startswith("!") else ("", line)
        if not text:
            continue
        full = Path(os.path.normpath(root / text))
        if text.startswith("~") or not full.is_relative_to(root):
            call.say(f"##[notice]cache: {text} lies outside the workspace and stays as it is on this machine")
        else:
            found.append(mark + os.path.relpath(full, root))
    return found if any(not line.startswith("!") for line in found) else []
