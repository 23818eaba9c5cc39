"""``actions/cache`` and its restore and save parts, on a store of this machine; also the caches of setup actions.

A cache is read from the run's own branch, its base and the default branch, and written to the run's own, or to a scope
that the request sets apart (an untrusted change has one of its own). What lies outside the job's folder stays when the
job ends, so a run that is set apart neither restores nor keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.cachepaths import CachePaths
from ecluse.checks.cachestore import CacheStore, Hit, digest
from ecluse.checks.session import Cleanup, Session
from ecluse.errors import Problem
from ecluse.model import Result

_LONGEST_KEY = 512
_MOST_KEYS = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """A cache as a step asks for it: its key, the beginnings of others to make do with, and the lines of its paths."""

    key: str
    prefixes: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def fault(self) -> str:
        """What is wrong with it, in GitHub's order; empty when nothing is."""
        if not self.lines:
            return "Input required and not supplied: path"
        if len(self.prefixes) >= _MOST_KEYS:
            return f"a cache has at most {_MOST_KEYS} keys, with those to restore from"
        wrong = [one for one in (self.key, *self.prefixes) if not one or len(one) > _LONGEST_KEY or "," in one]
        return f"the cache's key '{wrong[0]}' is empty, longer than 512 characters, or has a comma" if wrong else ""


def run(call: ActionCall) -> Outcome:
    """Restore, save, or both: then the saving waits for the end of the job, and for its success."""
    wish = Wish(call.input("key"), tuple(call.lines("restore-keys")), tuple(call.lines("path")))
    if wish.fault:
        return Outcome(Result.FAILURE, reason=wish.fault)
    if call.name.endswith("/save"):
        return Outcome(Result.SUCCESS, reason=save(call, wish))
    hit = restore(call, wish, lookup_only=call.flag("lookup-only"))
    is_exact = hit is not None and hit.key == wish.key
    call.outputs["cache-hit"] = ("true" if is_exact else "false") if hit is not None else ""
    call.outputs["cache-primary-key"] = wish.key
    call.outputs["cache-matched-key"] = hit.key if hit is not None else ""
    if hit is None and call.flag("fail-on-cache-miss"):
        return Outcome(Result.FAILURE, reason=f"there is no cache for '{wish.key}', and fail-on-cache-miss is set")
    if not call.name.endswith("/restore"):
        save_at_the_end(call, wish, is_exact, "always()" if call.flag("save-always") else "success()")
    return Outcome(Result.SUCCESS)


def restore(call: ActionCall, wish: Wish, *, lookup_only: bool = False) -> Hit | None:
    """Find the cache and bring its files back; what goes wrong with it is told and counts as not found."""
    store, paths = open_store(call.session), _paths(call, wish)
    if paths.leads_outside and call.session.request.cache_scope:
        call.say("##[notice]cache: this run is set apart, and what lies outside its own folder is not restored")
        return None
    hit = store.find(_scopes(call.session), digest(paths.version), wish.key, wish.prefixes)
    if hit is None:
        call.say(f"there is no cache for '{wish.key}' yet")
        return None
    if lookup_only:
        call.say(f"found the cache '{hit.key}'")
        return hit
    try:
        if store.restore(hit, paths.place, call.session.folder):
            call.say(f"restored the cache '{hit.key}'")
            return hit
        call.say(f"##[warning]the cache '{hit.key}' was damaged and is gone")
    except OSError as error:
        call.say(f"##[warning]the cache '{hit.key}' could not be restored: {error}")
    return None


def save_at_the_end(
    call: ActionCall,
    wish: Wish,
    is_exact: bool,
    condition: str = "success()",
    before: Callable[[ActionCall], None] | None = None,
) -> None:
    """Save the cache after the job's last step, unless it was found under its own key; ``before`` tidies it up first."""

    def work(late: ActionCall) -> Outcome:
        if is_exact:
            return Outcome(Result.SUCCESS, reason=f"'{wish.key}' was restored as it is kept, and is not saved again")
        if before is not None:
            before(late)
        return Outcome(Result.SUCCESS, reason=save(late, wish))

    call.session.clean_up(Cleanup(call.frame, call.step, condition, work))


def save(call: ActionCall, wish: Wish) -> str:
    """Keep the files and return what came of it; a cache that cannot be saved fails no job, as on GitHub."""
    session, paths = call.session, _paths(call, wish)
    if paths.leads_outside and session.request.cache_scope:
        return "nothing was saved: this run is set apart, and the cache reaches outside its own folder"
    try:
        files = paths.files()
        if not files:
            return f"nothing was saved under '{wish.key}': no file is at {', '.join(wish.lines)}"
        version = digest(paths.version)
        if open_store(session).save(_scopes(session)[0], version, wish.key, session.folder, files):
            return f"saved {len(files)} files under '{wish.key}'"
    except OSError as error:
        call.say(f"##[warning]the cache '{wish.key}' could not be saved: {error}")
        return f"nothing was saved under '{wish.key}': {error}"
    except Problem as problem:
        call.say(f"##[warning]the cache '{wish.key}' was not saved: {problem.message}")
        return f"nothing was saved under '{wish.key}': {problem.message}"
    return f"'{wish.key}' is kept already and stays as it is"


def _paths(call: ActionCall, wish: Wish) -> CachePaths:
    session = call.session
    home = session.environment(call.frame, call.env).get("HOME") or str(Path.home())
    return CachePaths(
        wish.lines,
        workspace=session.workspace,
        home=Path(os.path.normpath(home)),
        job=session.folder,
        without=_base(),
    )


def _base() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")) / "ecluse"


def open_store(session: Session) -> CacheStore:
    """The caches of the repository under test: told from others by its name and its first commits, or its place."""
    request = session.request
    identity = request.identity or identity_of(session.tree)
    return CacheStore(_base() / "cache", f"{request.repository.lower()}\0{identity}")


def identity_of(tree: Path) -> str:
    """What tells a repository from others of its name: its first commits; outside a repository the folder itself."""
    from ecluse.git import Repository

    try:
        repository = Repository.discover(tree)
        roots = repository.text("rev-list", "--max-parents=0", "HEAD", check=False).split()
    except Problem:
        roots = []
    return " ".join(sorted(roots)) or str(tree.resolve())


def _scopes(session: Session) -> Sequence[str]:
    """Whose caches are read, the first of which is also written."""
    github = session.github
    repository = github["event"].get("repository") if isinstance(github["event"], dict) else None
    default = repository.get("default_branch") if isinstance(repository, dict) else ""
    names = [str(github["ref"]), *(f"refs/heads/{name}" for name in (github["base_ref"], default) if name)]
    own = [f"apart: {session.request.cache_scope}"] if session.request.cache_scope else []
    return list(dict.fromkeys([*own, *names]))
