"""``actions/cache`` and its restore and save parts, on a store of this machine.

A cache is read from the run's own branch, its base and the default branch, and written to the run's own, or to a scope
that the request sets apart (an untrusted change has one of its own). Paths outside the job's workspace stay on this machine anyway: they
are neither restored nor kept.
"""

from __future__ import annotations

import os
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.cachestore import CacheStore, digest
from ecluse.checks.hashfiles import select_files
from ecluse.checks.session import Cleanup, Session
from ecluse.model import Result

_LONGEST_KEY = 512
_MOST_KEYS = 10


def run(call: ActionCall) -> Outcome:
    """Restore, save, or both: then the saving waits for the end of the job, and for its success."""
    key = call.input("key")
    prefixes = call.lines("restore-keys")
    if len(prefixes) >= _MOST_KEYS:
        return Outcome(Result.FAILURE, reason=f"a cache has at most {_MOST_KEYS} keys, with those to restore from")
    for one in [key, *prefixes]:
        if not one or len(one) > _LONGEST_KEY or "," in one:
            return Outcome(
                Result.FAILURE, reason=f"the cache's key '{one}' is empty, longer than 512 characters, or has a comma"
            )
    paths = _paths(call)
    if not paths:
        call.outputs["cache-hit"] = ""
        return Outcome(Result.SUCCESS, reason="all paths of this cache lie outside the workspace and stay as they are")
    if call.name.endswith("/save"):
        return Outcome(Result.SUCCESS, reason=_save(call, key, paths))
    return _restore(call, key, paths, prefixes)


def _restore(call: ActionCall, key: str, paths: list[str], prefixes: list[str]) -> Outcome:
    store = open_store(call.session)
    hit = store.find(_scopes(call.session), _version(paths), key, prefixes)
    if hit is not None and not call.flag("lookup-only") and not store.restore(hit, call.session.workspace):
        call.say(f"##[warning]the cache '{hit.key}' was damaged and is gone")
        hit = None
    is_exact = hit is not None and hit.key == key
    call.outputs["cache-hit"] = ("true" if is_exact else "false") if hit is not None else ""
    call.outputs["cache-primary-key"] = key
    call.outputs["cache-matched-key"] = hit.key if hit is not None else ""
    if hit is None and call.flag("fail-on-cache-miss"):
        return Outcome(Result.FAILURE, reason=f"there is no cache for '{key}', and fail-on-cache-miss is set")
    if not call.name.endswith("/restore"):
        _save_at_the_end(call, key, paths, is_exact)
    verb = "found" if call.flag("lookup-only") else "restored"
    call.say(f"{verb} the cache '{hit.key}'" if hit is not None else f"there is no cache for '{key}' yet")
    return Outcome(Result.SUCCESS)


def _save_at_the_end(call: ActionCall, key: str, paths: list[str], is_exact: bool) -> None:
    def work(late: ActionCall) -> Outcome:
        if is_exact:
            return Outcome(Result.SUCCESS, reason=f"'{key}' was restored as it is kept, and is not saved again")
        return Outcome(Result.SUCCESS, reason=_save(late, key, paths))

    condition = "always()" if call.flag("save-always") else "success()"
    call.session.clean_up(Cleanup(call.frame, call.step, condition, work))


def _save(call: ActionCall, key: str, paths: list[str]) -> str:
    workspace = call.session.workspace
    files = list(select_files(workspace, paths, links=True))
    if not files:
        return f"nothing was saved under '{key}': no file is at {', '.join(paths)}"
    if open_store(call.session).save(_scopes(call.session)[0], _version(paths), key, workspace, files):
        return f"saved {len(files)} files under '{key}'"
    return f"'{key}' is kept already and stays as it is"


def open_store(session: Session) -> CacheStore:
    """The caches of the repository under test: told from others by its name and its first commits, or its place."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    request = session.request
    identity = request.identity or identity_of(session.tree)
    return CacheStore(Path(base) / "ecluse" / "cache", f"{request.repository.lower()}\0{identity}")


def identity_of(tree: Path) -> str:
    """What tells a repository from others of its name: its first commits; outside a repository the folder itself."""
    from ecluse.errors import Problem
    from ecluse.git import Repository

    try:
        repository = Repository.discover(tree)
        roots = repository.text("rev-list", "--max-parents=0", "HEAD", check=False).split()
    except Problem:
        roots = []
    return " ".join(sorted(roots)) or str(tree.resolve())


def _version(paths: list[str]) -> str:
    return digest(*paths)


def _scopes(session: Session) -> list[str]:
    """Whose caches are read, the first of which is also written."""
    github = session.github
    repository = github["event"].get("repository") if isinstance(github["event"], dict) else None
    default = repository.get("default_branch") if isinstance(repository, dict) else ""
    names = [str(github["ref"]), *(f"refs/heads/{name}" for name in (github["base_ref"], default) if name)]
    own = [f"apart: {session.request.cache_scope}"] if session.request.cache_scope else []
    return list(dict.fromkeys([*own, *names]))


def _paths(call: ActionCall) -> list[str]:
    """The patterns inside the workspace, relative to it."""
    root = call.session.workspace
    found = []
    for line in call.lines("path"):
        mark, text = ("!", line[1:].strip()) if line.startswith("!") else ("", line)
        if not text:
            continue
        full = Path(os.path.normpath(root / text))
        if text.startswith("~") or not full.is_relative_to(root):
            call.say(f"##[notice]cache: {text} lies outside the workspace and stays as it is on this machine")
        else:
            found.append(mark + os.path.relpath(full, root))
    return found if any(not line.startswith("!") for line in found) else []
