"""Back to the sandbox: a bundle that gives an agent the trunk it lacks, and taking it without a forge.

What the agent has is known from its last change that came in: the commit it was based on. Taking a bundle only adds a
remote-tracking ref; the agent merges or rebases by itself. Beside the trunk the bundle says what became of the agent's
own changes (``outcomes``), so that landed work is never handed over again, also where it landed under other ids.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Problem, Refused
from ecluse.files import storage_problem
from ecluse.git import Repository
from ecluse.history import History
from ecluse.intake import outcomes
from ecluse.intake.belonging import home_elsewhere, roots_of
from ecluse.intake.bundlefile import read_header, walk_pack
from ecluse.intake.bundlerefs import choose_ref
from ecluse.intake.inbox import kept_parcel
from ecluse.intake.manifest import Manifest, clean
from ecluse.intake.outcomes import Outcome
from ecluse.intake.sources import read_claims
from ecluse.model import Change, ChangeState, Event, Landing, LandingState
from ecluse.trunk import open_trunk

REMOTE = "refs/remotes/ecluse"
_MAX_OBJECT = 1 << 30
_MAX_TOTAL = 8 << 30


@dataclass(frozen=True, slots=True)
class Homeward:
    """A bundle for an agent; ``path`` is ``None`` when the agent lacks nothing. ``base`` is what it has already.

    Not ``fresh``: the file was there before and says all this.
    """

    agent: str
    path: Path | None
    branch: str
    base: str
    tip: str
    commits: int
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Taken:
    """A trunk that was taken: it lies under ``ref``; ``commits`` of it are not in HEAD yet.

    ``outcomes`` says what became of the changes that were handed over from here, newest first.
    """

    ref: str
    tip: str
    commits: int
    outcomes: tuple[Outcome, ...] = ()


def make_homeward(
    repository: Repository,
    history: History,
    agent: str,
    to: Path,
    *,
    have: str | None = None,
    branch: str = "",
    actor: str = "",
) -> Homeward:
    """Write a bundle of what ``agent`` lacks to the file ``to``: of ``branch``, else of the branch that its last change
    is for, else of the trunk; beyond what it has, or beyond ``have``, a revision.

    Raises :class:`Invalid` (``sync.agent``: nothing ever came from this agent; ``sync.to``: ``to`` is a folder;
    ``sync.branch``: there is no such branch).
    """
    trunk = open_trunk(repository)
    ref, end = _branch_for(repository, history, agent, branch, (trunk.ref, trunk.tip))
    name = ref.removeprefix("refs/heads/")
    known = repository.commit_id(have) if have else _last_base(repository, history, agent)
    base = repository.merge_base(known, end) if known else None
    told = _outcomes(repository, history, agent) if agent else ()
    if base == end:
        if all(one.state in (ChangeState.RECEIVED, ChangeState.READY) for one in told):
            return Homeward(agent, None, name, base, end, 0)
        base = repository.resolve(f"{end}^")  # only news of its changes: the tip goes along once more
    if to.is_dir():
        raise Invalid(
            "sync.to", f"{to} is a folder; the bundle is one file.", f"ecluse sync --to {to / 'trunk.bundle'}"
        )
    notes = outcomes.write(repository, told, end) if told else ""
    refs = {ref: end, **({outcomes.REF: notes} if notes else {})}
    fresh = not _is_there(to, refs, base or "")
    count = _count(repository, end, base or "")
    if fresh:
        _write(repository, to, refs, base or "")
        text = (
            f"{count} commit{'s' if count != 1 else ''} of {name} bundled for {clean(agent) or 'an agent'}: {to.name}"
        )
        data = {"agent": clean(agent), "base": base or "", "tip": end, "names": [to.name], "to": str(to)}
        history.note(Event("sync.made", "repository", text, actor, data))
    return Homeward(agent, to, name, base or "", end, count, fresh)


def _branch_for(
    repository: Repository, history: History, agent: str, asked: str, trunk: tuple[str, str]
) -> tuple[str, str]:
    """The branch to carry, as ref and tip: as asked, else where the agent's last change goes, else the trunk."""
    newest = history.find(Change, agent=agent, newest_first=True, limit=1) if agent and not asked else []
    ref = f"refs/heads/{asked.removeprefix('refs/heads/')}" if asked else newest[0].target if newest else trunk[0]
    tip = trunk[1] if ref == trunk[0] else repository.refs(ref).get(ref, "")
    if not tip and asked:
        raise Invalid("sync.branch", f"There is no branch {asked!r} here.", "git branch --list")
    return (ref, tip) if tip else trunk


def _write(repository: Repository, to: Path, refs: dict[str, str], base: str) -> None:
    """Make the bundle aside and rename it."""
    part = to.with_name(f".{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        repository.run(
            "bundle", "create", "-q", "--version=2", str(part.absolute()), *([f"^{base}"] if base else []), *refs
        )
        part.replace(to)
    except OSError as error:
        raise storage_problem(error, to) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def take_homeward(repository: Repository, path: Path) -> Taken:
    """Take a bundle of the trunk: check it whole, add its objects, point ``refs/remotes/ecluse/BRANCH`` at it.

    No branch moves and no file is touched. Raises :class:`Refused` for a damaged bundle, :class:`Invalid` when this
    clone lacks what the bundle builds on (``sync.base``), ``repository.other`` where another repository here has it.
    """
    if not path.is_file():
        raise Invalid("file.missing", f"There is no file {path}.", "check the name with: ls")
    header = read_header(path)
    told = next((oid for oid, name in header.refs if name == outcomes.REF), "")
    branches = tuple(one for one in header.refs if one[1] != outcomes.REF)
    tip, name = choose_ref(replace(header, refs=branches), "", frozenset()) if branches else ("", "")
    if not name.startswith("refs/heads/"):
        raise Refused("ref.namespace", "The bundle brings no branch.", "ask for one made with: ecluse sync")
    missing = tuple(oid for oid in header.prerequisites if repository.resolve(oid) is None)
    if missing:
        raise _cannot_build(repository, missing)
    walk_pack(path, header.pack_at, max_object=_MAX_OBJECT, max_total=_MAX_TOTAL)
    with path.open("rb", buffering=0) as handle:
        handle.seek(header.pack_at)
        repository.run("index-pack", "--stdin", "--strict", "--fix-thin", stdin=handle)
    head = repository.resolve("HEAD")
    if head and roots_of(repository, head) and repository.merge_base(tip, head) is None:
        raise _other(tip, home_elsewhere(repository, (tip,)))
    ref = f"{REMOTE}/{name.removeprefix('refs/heads/')}"
    repository.move_ref(ref, tip, repository.refs(ref).get(ref, ""), "ecluse: sync")
    repository.set_config("ecluse.base", tip)  # an export counts from what HEAD has in common with it
    known = outcomes.remember(repository, outcomes.read(repository, told) if told else ())
    return Taken(ref, tip, _count(repository, tip, repository.resolve("HEAD") or ""), known)


def _cannot_build(repository: Repository, missing: tuple[str, ...]) -> Problem:
    """Why a bundle that builds on commits which are not here cannot be taken."""
    home = home_elsewhere(repository, missing)
    if home is not None:
        return _other(missing[0], home)
    return Invalid(
        "sync.base",
        f"This clone does not have {missing[0][:12]}, on which the bundle builds (unless it is another repository's).",
        f"have one made for what is here, on the other side: ecluse sync --have {repository.resolve('HEAD') or 'REV'}",
    )


def _other(commit: str, home: Path | None) -> Refused:
    where = f"the checkout {home}" if home else "a repository that is not known on this machine"
    return Refused(
        "repository.other",
        f"The bundle is the trunk of another repository: {commit[:12]} has nothing in common with what is here. "
        f"It belongs to {where}.",
        f"take it in a clone of {home}" if home else "cd to a clone of that repository and take it there",
    )


def tip_of(path: Path) -> str:
    """The trunk's tip that the bundle at ``path`` brings; empty for a file that is no such bundle."""
    try:
        return next((oid for oid, name in read_header(path).refs if name.startswith("refs/heads/")), "")
    except (OSError, Refused):
        return ""


def brings_news(repository: Repository, path: Path) -> bool:
    """Whether the bundle at ``path`` brings a tip, or says something of a change, that is not known in this clone.

    What cannot be read as such a bundle counts as news: taking it says what is wrong.
    """
    try:
        refs = read_header(path).refs
    except (OSError, Refused):
        return True
    tips = {oid for oid, name in refs if name.startswith("refs/heads/")}
    told = next((oid for oid, name in refs if name == outcomes.REF), "")
    if not tips or not tips <= set(repository.refs(REMOTE).values()):
        return True
    if told and repository.resolve(told) is None:
        return True
    return bool(told) and not set(outcomes.read(repository, told)) <= set(outcomes.known(repository))


def _is_there(path: Path, refs: dict[str, str], base: str) -> bool:
    """Whether the file at ``path`` brings exactly these refs beyond ``base`` already."""
    try:
        header = read_header(path)
    except (OSError, Refused):
        return False
    return {name: oid for oid, name in header.refs} == refs and set(header.prerequisites) <= {base}


def _outcomes(repository: Repository, history: History, agent: str) -> tuple[Outcome, ...]:
    """What became of the newest changes of ``agent``, newest first."""
    found = []
    for change in history.find(Change, agent=agent, newest_first=True, limit=outcomes.CAP):
        landed = [
            one.candidate
            for one in history.find(Landing, change=change.key, newest_first=True, limit=10)
            if one.state is LandingState.LANDED
        ]
        landed_as = landed[0] if landed and change.state is ChangeState.LANDED else ""
        head = _handed_over(repository, change)
        found.append(
            Outcome(change.id, change.revision, head, change.state.value, landed_as, clean(change.reason)[:300])
        )
    return tuple(found)


def _handed_over(repository: Repository, change: Change) -> str:
    """The head as the sandbox knows it: its own where ids were kept, else the one that its manifest names."""
    if change.method == "bundle":
        return change.head
    with contextlib.suppress(Problem, OSError):
        parcel = kept_parcel(repository.state_dir, change.digest)
        said = read_claims(parcel.folder / parcel.manifest) if parcel.manifest else None
        if isinstance(said, Manifest):
            return said.head
    return ""


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
