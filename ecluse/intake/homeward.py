"""Back to the sandbox: a bundle that gives an agent the trunk it lacks, and taking it without a forge.

What the agent has is known from its last change that came in: the commit it was based on. Taking a bundle only adds a
remote-tracking ref; the agent merges or rebases by itself. Landed work comes back as part of the trunk, below the base
of the next export, and is therefore never handed over again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ecluse.errors import Invalid, Refused
from ecluse.files import storage_problem
from ecluse.git import Repository
from ecluse.history import History
from ecluse.intake.bundlefile import choose_ref, read_header, walk_pack
from ecluse.intake.manifest import clean
from ecluse.model import Change, Event
from ecluse.trunk import open_trunk

REMOTE = "refs/remotes/ecluse"
_MAX_OBJECT = 1 << 30
_MAX_TOTAL = 8 << 30


@dataclass(frozen=True, slots=True)
class Homeward:
    """A bundle for an agent; ``path`` is ``None`` when the agent lacks nothing. ``base`` is what it has already."""

    agent: str
    path: Path | None
    branch: str
    base: str
    tip: str
    commits: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A trunk that was taken: it lies under ``ref``; ``commits`` of it are not in HEAD yet."""

    ref: str
    tip: str
    commits: int


def make_homeward(
    repository: Repository, history: History, agent: str, to: Path, *, have: str | None = None, actor: str = ""
) -> Homeward:
    """Write a bundle of the trunk beyond what ``agent`` has (or beyond ``have``, a revision) to the file ``to``.

    Raises :class:`Invalid` (``sync.agent``: nothing ever came from this agent; ``sync.to``: ``to`` is a folder).
    """
    trunk = open_trunk(repository)
    known = repository.commit_id(have) if have else _last_base(repository, history, agent)
    base = repository.merge_base(known, trunk.tip) if known else None
    if base == trunk.tip:
        return Homeward(agent, None, trunk.branch, base, trunk.tip, 0)
    if to.is_dir():
        raise Invalid(
            "sync.to", f"{to} is a folder; the bundle is one file.", f"ecluse sync --to {to / 'trunk.bundle'}"
        )
    part = to.with_name(f".{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        repository.run(
            "bundle", "create", "-q", "--version=2", str(part.absolute()), *([f"^{base}"] if base else []), trunk.ref
        )
        part.replace(to)
    except OSError as error:
        raise storage_problem(error, to) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    count = _count(repository, trunk.tip, base or "")
    text = f"{count} commit{'s' if count != 1 else ''} of {trunk.branch} bundled for {clean(agent) or 'an agent'}: {to.name}"
    data = {"agent": clean(agent), "base": base or "", "tip": trunk.tip, "names": [to.name]}
    history.note(Event("sync.made", "repository", text, actor, data))
    return Homeward(agent, to, trunk.branch, base or "", trunk.tip, count)


def take_homeward(repository: Repository, path: Path) -> Taken:
    """Take a bundle of the trunk: check it whole, add its objects, point ``refs/remotes/ecluse/BRANCH`` at it.

    No branch moves and no file is touched. Raises :class:`Refused` for a damaged bundle, :class:`Invalid` when this
    clone lacks what the bundle builds on (``sync.base``).
    """
    if not path.is_file():
        raise Invalid("file.missing", f"There is no file {path}.", "check the name with: ls")
    header = read_header(path)
    tip, name = choose_ref(header, "", frozenset())
    if not name.startswith("refs/heads/"):
        raise Refused("ref.namespace", "The bundle brings no branch.", "ask for one made with: ecluse sync")
    missing = [oid for oid in header.prerequisites if repository.resolve(oid) is None]
    if missing:
        raise Invalid(
            "sync.base",
            f"This clone does not have {missing[0][:12]}, on which the bundle builds.",
            f"have one made for what is here, on the other side: ecluse sync --have {repository.resolve('HEAD') or 'REV'}",
        )
    walk_pack(path, header.pack_at, max_object=_MAX_OBJECT, max_total=_MAX_TOTAL)
    with path.open("rb", buffering=0) as handle:
        handle.seek(header.pack_at)
        repository.run("index-pack", "--stdin", "--strict", "--fix-thin", stdin=handle)
    ref = f"{REMOTE}/{name.removeprefix('refs/heads/')}"
    repository.move_ref(ref, tip, repository.refs(ref).get(ref, ""), "ecluse: sync")
    repository.set_config("ecluse.base", tip)  # an export counts from what HEAD has in common with it
    return Taken(ref, tip, _count(repository, tip, repository.resolve("HEAD") or ""))


def _last_base(repository: Repository, history: History, agent: str) -> str | None:
    """The base of the newest change of ``agent`` that exists here; ``None`` when it is not in this repository."""
    found = history.find(Change, agent=agent, newest_first=True, limit=100)
    if not found:
        known = sorted({change.agent for change in history.find(Change, newest_first=True) if change.agent})
        names = f" (known: {', '.join(known[:10])})" if known else ""
        raise Invalid(
            "sync.agent",
            f"Nothing ever came in from an agent called {agent!r}{names}, so it is not known what it has.",
            "say what it has: ecluse sync --have REV",
        )
    return next((change.base for change in found if change.base and repository.resolve(change.base)), None)


def _count(repository: Repository, tip: str, base: str) -> int:
    return int(repository.text("rev-list", "--count", tip, *([f"^{base}"] if base else [])))
