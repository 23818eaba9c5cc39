"""``ecluse init``: bring a repository to the state in which every verb works. Doing it again changes nothing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ecluse import doctor
from ecluse.doctor import CheckState
from ecluse.errors import Failed, Invalid
from ecluse.files import storage_problem, write_atomically
from ecluse.git import Repository
from ecluse.history import History, sync_copy, sync_old
from ecluse.intake.belonging import remember
from ecluse.kit import pieces
from ecluse.kit.report import Action, ActionKind, InitReport
from ecluse.model import Event
from ecluse.trunk import branch_of

SUBJECT = "repository"
NAMED = 5
"""How many of the things that were written the event's sentence names; its data names all of them."""
ALIASES = {"alias.sync-export": "!ecluse export", "alias.sync-status": "!ecluse status"}
_NEEDED = ("python", "git")


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What was asked for; ``None`` is not asked: what stands, or the default, stays."""

    trunk: str | None = None
    trust: Literal["signed", "all"] | None = None
    solo: bool | None = None
    dry_run: bool = False
    kits: tuple[str, ...] = ()


def init(repository: Repository, options: InitOptions) -> InitReport:
    """Prepare ``repository``; with ``options.dry_run``, say what would be done and do nothing.

    Writes into the work tree but commits nothing there; hand-written files are added to or left alone. Raises
    :class:`Failed` when git or Python is too old or the repository cannot be written, :class:`Invalid` when the trunk
    is unknown or the policy in place says something else than what was asked for.
    """
    checks = _checks(repository)
    branch = _choose_trunk(repository, options.trunk)
    _agree_with_policy(repository, options)
    planned: list[pieces.Piece] = []
    found: tuple[str, ...] = ()
    if repository.work_tree is not None:
        planned = pieces.look_at(repository.work_tree, trust=options.trust, solo=options.solo)
        if options.kits:
            planned, found = _with_kits(repository.work_tree, planned, options.kits, branch)
    settings = _settings(repository, branch)
    actions = [_history_action(repository), *(action for action, _ in settings), *(piece.action for piece in planned)]
    actions += [*_notes(repository), *_ignored(repository, planned)]
    if not options.dry_run:
        _carry_out(repository, branch, settings, planned, actions)
    return InitReport(
        trunk=branch,
        dry_run=options.dry_run,
        checks=checks,
        actions=tuple(actions),
        next=_next(repository, planned, options),
        found=found,
        after=()
        if options.dry_run or not options.kits
        else tuple(doctor.examine(repository.work_tree or repository.common_dir)),
    )


def _with_kits(
    work_tree: Path, planned: list[pieces.Piece], names: tuple[str, ...], trunk: str
) -> tuple[list[pieces.Piece], tuple[str, ...]]:
    """What ``init`` always writes, then the files of the kits named; and what was found in the repository."""
    from ecluse.kit import environments, kits, survey

    seen = survey.look(work_tree)
    if {"staging", "release"} & set(names):
        future = kits.foreseen(seen, names)
        planned = [
            environments.added(work_tree, future, trunk, one) if one.path == "ecluse.toml" else one for one in planned
        ]
    return planned + kits.plan(work_tree, seen, names), seen.found


def _checks(repository: Repository) -> tuple[doctor.Check, ...]:
    """What the doctor sees, without what this very command is about to repair. Raises when it cannot work here."""
    seen = doctor.examine(repository.work_tree or repository.common_dir)
    for check in seen:
        if check.name in _NEEDED and check.state is CheckState.FAIL:
            raise Failed("init.tool", f"{check.name}: {check.found}.", check.hint)
    return tuple(check for check in seen if check.hint != "ecluse init")


def _choose_trunk(repository: Repository, wanted: str | None) -> str:
    if wanted is None:
        return branch_of(repository)
    if not repository.valid_ref(f"refs/heads/{wanted}") or wanted.startswith("-"):
        raise Invalid("trunk.name", f"{wanted!r} is not a name that git allows for a branch.", "git branch --list")
    heads = repository.refs("refs/heads")
    if heads and f"refs/heads/{wanted}" not in heads:
        known = ", ".join(sorted(name.removeprefix("refs/heads/") for name in heads)[:10])
        raise Invalid(
            "trunk.missing",
            f"There is no branch {wanted!r} here (there is: {known}).",
            f"git branch {shlex.quote(wanted)}, then type the same command again",
        )
    return wanted


def _agree_with_policy(repository: Repository, options: InitOptions) -> None:
    """A policy that is there already is never rewritten: asking for another one is an error, not a silent no."""
    work_tree = repository.work_tree
    asked = {"trust": options.trust, "solo": options.solo}
    if all(value is None for value in asked.values()):
        return
    if work_tree is None:
        raise Invalid(
            "init.bare",
            "A bare repository has no checkout to write ecluse.toml into.",
            "write ecluse.toml in a clone, commit it to the trunk, and push",
        )
    place = pieces.policy_place(work_tree)
    if place is None:
        return
    from ecluse import config

    data = (work_tree / place).read_bytes()
    standing = config.parse(data) if place == "ecluse.toml" else config.parse_pyproject(data)
    for name, value in asked.items():
        found = getattr(standing, name)
        if value is not None and found != value:
            said = [f'"{v}"' if isinstance(v, str) else str(v).lower() for v in (found, value)]
            raise Invalid(
                "init.policy_exists",
                f"{place} is there already and has {name} = {said[0]}; init does not rewrite it.",
                f"write {name} = {said[1]} into {place} yourself, then commit it",
            )


def _settings(repository: Repository, branch: str) -> list[tuple[Action, tuple[str, str] | None]]:
    """The entries of the repository's own git configuration: what is to be said of each, and what is to be set."""
    wanted = {"ecluse.trunk": branch}
    if repository.work_tree is not None:
        wanted |= ALIASES
    found: list[tuple[Action, tuple[str, str] | None]] = []
    for key, value in wanted.items():
        standing = repository.config(key)
        what = f"git config {key} = {value}"
        if standing == value:
            found.append((Action(ActionKind.KEPT, what), None))
        elif standing is not None and key.startswith("alias."):
            found.append((Action(ActionKind.SKIPPED, what, f"it is yours already: {standing}"), None))
        else:
            why = f"it was {standing}" if standing is not None else ""
            found.append((Action(ActionKind.SET, what, why), (key, value)))
    return found


def _history_action(repository: Repository) -> Action:
    path = repository.state_dir / "history.db"
    return Action(ActionKind.KEPT if path.exists() else ActionKind.CREATED, str(path))


def _notes(repository: Repository) -> list[Action]:
    """What is seen and not done."""
    if repository.work_tree is None:
        return [Action(ActionKind.SKIPPED, "files and aliases", "a bare repository has no checkout")]
    place = f".sync/{sync_copy.NAME}"
    path = repository.work_tree / place
    if path.is_symlink() or path.parent.is_symlink():
        return [Action(ActionKind.SKIPPED, place, "it is reached by a symbolic link")]
    return [_copy_action(place, sync_old.look(path))]


def _ignored(repository: Repository, planned: list[pieces.Piece]) -> list[Action]:
    """What git would leave out of every clone, because a rule of the repository's own ignores it."""
    paths = [piece.path for piece in planned if piece.path not in pieces.FOLDERS]
    if not paths:
        return []
    asked = "".join(f"{path}\0" for path in paths).encode()
    said = repository.run("check-ignore", "-z", "--stdin", stdin=asked, check=False).stdout
    found = [path for path in said.decode("utf-8", "replace").split("\0") if path]
    if not found:
        return []
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    why = "a rule of yours ignores them, so that clones will lack them; to carry them along: git add -f PATH"
    return [Action(ActionKind.SKIPPED, f"git add {shlex.join(found[:NAMED])}{more}", why)]


def _copy_action(place: str, found: sync_old.Found) -> Action:
    """What becomes of the copy of the history, and of what lies in its place."""
    standing = sync_old.Standing
    if found.standing is standing.OLD or found.rows:
        why = f"{found.rows:,} record{'s' if found.rows != 1 else ''} of another tool taken into the history"
        return Action(ActionKind.APPENDED, place, why)
    if found.standing is standing.DAMAGED:
        why = f"what lay there is no readable database: put aside as {sync_copy.NAME}-damaged-TIME beside it"
        return Action(ActionKind.CREATED, place, why)
    if found.standing is standing.FOREIGN:
        tables = ", ".join("".join(c if c.isprintable() else " " for c in name) for name in found.tables[:5])
        why = f"another tool's database without records of hand-overs, it keeps its tables: {tables}"
        return Action(ActionKind.APPENDED, place, why)
    return Action(ActionKind.KEPT if found.standing is standing.OURS else ActionKind.CREATED, place)


def _carry_out(
    repository: Repository,
    branch: str,
    settings: list[tuple[Action, tuple[str, str] | None]],
    planned: list[pieces.Piece],
    actions: list[Action],
) -> None:
    with History.open(repository.state_dir, create=True) as history:
        for _, entry in settings:
            if entry is not None:
                repository.set_config(*entry)
        for piece in planned:
            _write(repository, piece)
        who = repository.identity()
        place = repository.work_tree / ".sync" / sync_copy.NAME if repository.work_tree else None
        if place and any(one.kind.changes and one.what == f".sync/{place.name}" for one in actions):
            _take_over(history, place, who.name if who else "")
        done = [f"{action.what} ({action.kind})" for action in actions if action.kind.changes]
        if done:
            more = f" and {len(done) - NAMED} more" if len(done) > NAMED else ""
            text = f"repository prepared, trunk {branch}: {', '.join(done[:NAMED])}{more}"
            data = {"trunk": branch, "done": done}
            history.note(Event("repository.prepared", SUBJECT, text, who.name if who else "", data))
        sync_copy.refresh_beside(history, repository.work_tree)
    remember(repository)


def _take_over(history: History, place: Path, actor: str) -> None:
    """Take in what other tools wrote at ``place``; put aside what cannot be read."""
    found = sync_old.look(place)
    if found.standing is sync_old.Standing.DAMAGED:
        sync_copy.put_aside(place)
    elif found.table:
        sync_old.import_old_rows(history, place, actor=actor)


def _write(repository: Repository, piece: pieces.Piece) -> None:
    assert repository.work_tree is not None  # noqa: S101 - pieces are planned for a work tree only
    target = repository.work_tree / piece.path
    if piece.data is not None:
        write_atomically(target, piece.data, piece.mode)
    elif piece.action.kind is ActionKind.CREATED:
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_problem(error, target) from error


def _next(repository: Repository, planned: list[pieces.Piece], options: InitOptions) -> tuple[str, ...]:
    """The commands to go on with; committing what was written comes first, as long as it is not committed."""
    if options.dry_run:
        return (f"ecluse init --kit {','.join(options.kits)}" if options.kits else "ecluse init",)
    commands = []
    if repository.resolve("HEAD") is None and repository.work_tree is not None:
        commands.append("git add -A && git commit -m 'first commit'")
    elif loose := _uncommitted(repository, [piece.path for piece in planned if piece.path not in pieces.FOLDERS]):
        commands.append(f"git add {shlex.join(loose)} && git commit -m 'chore: set up ecluse'")
    commands.append("ecluse doctor")
    if repository.work_tree is not None:
        commands += ["ecluse run", "ecluse export --agent NAME"]
    return (*commands, "ecluse import BUNDLE --land")


def _uncommitted(repository: Repository, paths: list[str]) -> list[str]:
    if not paths:
        return []
    listed = repository.text(
        "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *paths
    ).split("\0")
    return [line[3:] for line in listed if line]
