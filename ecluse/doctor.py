"""Is everything Écluse needs here and well? Looks, changes nothing, and says what to do about what is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ecluse import config, process, trunk
from ecluse.clock import now
from ecluse.errors import Problem
from ecluse.files import is_locked
from ecluse.git import GIT_MINIMUM, Repository, git_version

PYTHON_MINIMUM = (3, 11)
SPACE_FAIL = 100 << 20
"""Free space below which work is expected to fail, in bytes."""
SPACE_WARN = 1 << 30
STALE_LOCK_S = 60
"""Age from which a git lock file is taken for a dead git's, in seconds."""

DOCKERFILES = 20
"""How many Dockerfiles of a repository are looked at."""

OPTIONAL_TOOLS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ssh-keygen", (), "signed bundles and approvals"),
    ("node", ("--version",), "workflows that use actions/setup-node, and the build of package.json"),
    ("uv", ("--version",), "workflows that ask for another Python than this one"),
)
"""Program, how it is asked for its version, what it is for."""

OPTIONAL_PACKAGES: tuple[tuple[str, str], ...] = (
    ("pytest", "ecluse validate --level standard"),
    ("ruff", "ecluse validate --level complete"),
    ("mypy", "ecluse validate --level complete"),
)
"""Python package, what it is for. Missed only where the project is set up for it."""

UNUSED_TOOLS: tuple[tuple[str, str], ...] = (
    ("bwrap", "a stranger's change waits for a person; this version has no sandbox"),
    ("docker", "this version does not run containers or services of workflows"),
)
"""Program that people expect to matter, and why it does not yet."""


class CheckState(StrEnum):
    """``WARN`` is worth knowing and stops nothing; ``FAIL`` stops Écluse from doing its work here."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to type about it (empty when there is nothing to do)."""

    name: str
    state: CheckState
    found: str
    hint: str = ""


def examine(start: Path) -> list[Check]:
    """Look at this machine and, when ``start`` lies in one, at its repository.

    Raises :class:`ecluse.errors.Invalid` when ``start`` is no folder; everything else is a :class:`Check`.
    """
    checks = [*_tools(), *_space(start)]
    if any(check.name == "git" and check.state is CheckState.FAIL for check in checks):
        return checks
    try:
        repository = Repository.discover(start)
    except Problem as problem:
        if problem.code == "file.missing":
            raise
        state = CheckState.WARN if problem.code == "repo.none" else CheckState.FAIL
        return [*checks, Check("repository", state, problem.message, problem.hint)]
    looks: tuple[Callable[[Repository], Iterator[Check]], ...] = (
        _repository,
        _identity,
        _remotes,
        _packages,
        _dockerfiles,
        _trunk,
        _history,
        _line,
        _locks,
    )
    for look in looks:
        checks.extend(look(repository))
    return checks


def fails(checks: list[Check]) -> bool:
    """Whether any of ``checks`` stops Écluse from working."""
    return any(check.state is CheckState.FAIL for check in checks)


# -- the machine -----------------------------------------------------------------------------------------------


def _tools() -> Iterator[Check]:
    wanted = ".".join(map(str, PYTHON_MINIMUM))
    old = sys.version_info < PYTHON_MINIMUM
    yield Check(
        "python",
        CheckState.FAIL if old else CheckState.OK,
        f"{platform.python_version()} at {sys.executable}",
        f"install Python {wanted} or newer" if old else "",
    )
    yield _git()
    for name, asks, purpose in OPTIONAL_TOOLS:
        yield _tool(name, asks, purpose)
    for name, why in UNUSED_TOOLS:
        yield Check(name, CheckState.OK, f"{process.which(name) or 'not here'}, not used: {why}")


def _git() -> Check:
    wanted = ".".join(map(str, GIT_MINIMUM))
    try:
        version = git_version()
    except Problem as problem:
        return _of_problem("git", problem)
    found = ".".join(map(str, version))
    if version < GIT_MINIMUM:
        return Check("git", CheckState.FAIL, f"{found} is too old", f"install git {wanted} or newer")
    return Check("git", CheckState.OK, found)


def _tool(name: str, asks: tuple[str, ...], purpose: str) -> Check:
    place = process.which(name)
    if place is None:
        return Check(name, CheckState.WARN, f"not here; optional, for {purpose}", f"install {name}")
    if not asks:
        return Check(name, CheckState.OK, place)
    try:
        said = process.run([place, *asks], timeout_s=10).stdout.decode("utf-8", "replace").strip()
    except Problem as problem:
        return Check(name, CheckState.WARN, f"{place} does not start: {problem.message}", f"{place} {' '.join(asks)}")
    return Check(name, CheckState.OK, said.split("\n")[0] or place)


def _space(start: Path) -> Iterator[Check]:
    seen = set()
    for folder in (start, Path(tempfile.gettempdir())):
        if not folder.exists() or folder.stat().st_dev in seen:
            continue
        seen.add(folder.stat().st_dev)
        free = shutil.disk_usage(folder).free
        state = CheckState.FAIL if free < SPACE_FAIL else CheckState.WARN if free < SPACE_WARN else CheckState.OK
        hint = "" if state is CheckState.OK else f"free some space: df -h {folder}"
        yield Check("disk", state, f"{free / (1 << 30):.1f} GiB free for {folder.resolve()}", hint)


# -- the repository --------------------------------------------------------------------------------------------


def _repository(repository: Repository) -> Iterator[Check]:
    place = repository.work_tree or repository.common_dir
    kind = "" if repository.work_tree else " (bare)"
    yield Check("repository", CheckState.OK, f"{place}{kind}")
    if repository.resolve("HEAD") is None and not repository.refs("refs/heads"):
        yield Check("commits", CheckState.WARN, "none yet", "git add -A && git commit -m 'first commit'")


def _identity(repository: Repository) -> Iterator[Check]:
    who = repository.identity()
    if who is None:
        hint = "git config user.name NAME && git config user.email MAIL"
        yield Check("identity", CheckState.WARN, "git knows no name and mail address for you", hint)
    else:
        yield Check("identity", CheckState.OK, f"{who.name} <{who.email}>")


def _remotes(repository: Repository) -> Iterator[Check]:
    names = repository.text("remote").split()
    yield Check("remotes", CheckState.OK, ", ".join(names) or "none (none is needed)")


def _packages(repository: Repository) -> Iterator[Check]:
    from ecluse.intake.project import bringing, find_modules, read_project

    if repository.work_tree is None:
        return
    found = find_modules(repository.work_tree, tuple(name for name, _ in OPTIONAL_PACKAGES), dict(os.environ))
    project = read_project(repository.work_tree)
    for name, purpose in OPTIONAL_PACKAGES:
        if name in found:
            yield Check(name, CheckState.OK, f"in {found[name]}")
        elif name in project.configs:
            missed = f"not here, and {project.configs[name]} sets it up; for {purpose}"
            yield Check(name, CheckState.WARN, missed, bringing(repository.work_tree, project.python_manager, name))
        else:
            yield Check(name, CheckState.OK, f"not here; optional, for {purpose}")


def _dockerfiles(repository: Repository) -> Iterator[Check]:
    """The Dockerfiles of the checkout that git knows: the gravest thing that is said of each."""
    from ecluse import dockerfiles
    from ecluse.files import read_capped

    if repository.work_tree is None:
        return
    listed = repository.text("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate").split(
        "\0"
    )
    for path in [one for one in listed if dockerfiles.is_dockerfile(one)][:DOCKERFILES]:
        place = repository.work_tree / path
        if place.is_symlink() or not place.is_file():
            continue
        found = dockerfiles.lint(read_capped(place, 1 << 20).decode("utf-8", "replace"))
        grave = [one for one in found if one.level is not dockerfiles.Level.INFO]
        if grave:
            first = min(grave, key=lambda one: one.level is not dockerfiles.Level.ERROR)
            more = f" (and {len(grave) - 1} more)" if len(grave) > 1 else ""
            yield Check("dockerfile", CheckState.WARN, f"{path}:{first}{more}", f"edit {path}, line {first.line}")
        else:
            yield Check("dockerfile", CheckState.OK, f"{path} is without fault")


def _trunk(repository: Repository) -> Iterator[Check]:
    try:
        standing = trunk.open_trunk(repository)
    except Problem as problem:
        state = CheckState.WARN if problem.code == "repo.empty" else CheckState.FAIL
        yield Check("trunk", state, problem.message, problem.hint)
        return
    recorded = repository.config("ecluse.trunk") is not None
    known = "recorded by init" if recorded else "guessed"
    yield Check(
        "trunk",
        CheckState.OK if recorded else CheckState.WARN,
        f"{standing.branch} at {standing.tip[:12]} ({known})",
        "" if recorded else "ecluse init",
    )
    yield from _policy(repository, standing)


def _policy(repository: Repository, standing: trunk.Trunk) -> Iterator[Check]:
    landed = standing.read(trunk.CONFIG_PATH)
    try:
        policy = standing.config
        where = "ecluse.toml of the trunk" if landed is not None else "defaults: the trunk has no ecluse.toml"
        solo = ", solo" if policy.solo else ""
        yield Check("policy", CheckState.OK, f"{where}: trust = {policy.trust}{solo}")
        yield from _environments(repository, policy)
    except Problem as problem:
        yield _of_problem("policy", problem)
    if repository.work_tree is None or not (repository.work_tree / trunk.CONFIG_PATH).is_file():
        return
    try:
        here = (repository.work_tree / trunk.CONFIG_PATH).read_bytes()
        if here == landed:
            return
        config.parse(here)
    except OSError as error:
        yield Check("policy", CheckState.WARN, f"the checkout's ecluse.toml: {error.strerror}", "ls -l ecluse.toml")
    except Problem as problem:
        yield Check("policy", CheckState.WARN, f"the checkout's copy: {problem.message}", problem.hint)
    else:
        yield Check(
            "policy",
            CheckState.WARN,
            "the checkout's ecluse.toml differs from the trunk's; it has no effect until it is there",
            "git add ecluse.toml && git commit -m 'chore: policy'",
        )


def _environments(repository: Repository, policy: config.Config) -> Iterator[Check]:
    """Each environment of the policy: whether a release could go there, as its plan would say."""
    if not policy.environments:
        return
    from ecluse.release.target import target_of

    for name in sorted(policy.environments):
        try:
            target = target_of(repository, policy, name)
        except Problem as problem:
            yield Check("environment", CheckState.WARN, f"{name}: {problem.message}", problem.hint)
        else:
            where = ", ".join(target.hosts) or str(target.root)
            yield Check("environment", CheckState.OK, f"{name}: {target.method} at {where}")


# -- the history and the line ----------------------------------------------------------------------------------


def _history(repository: Repository) -> Iterator[Check]:
    from ecluse.history.integrity import inspect

    path = repository.state_dir / "history.db"
    if not path.exists():
        yield Check("history", CheckState.WARN, "none yet", "ecluse init")
        return
    seen = inspect(path)
    if seen.faults:
        hint = f"restore a copy from {path.parent / 'backups'}, or move {path} away and type: ecluse init"
        yield Check("history", CheckState.FAIL, f"{path} is damaged: {'; '.join(seen.faults)}", hint)
    elif seen.schema > seen.newest:
        found = f"written by a newer Écluse (schema {seen.schema}, this one knows {seen.newest})"
        yield Check("history", CheckState.FAIL, found, "pip install --upgrade ecluse")
    elif seen.schema < seen.newest:
        found = f"schema {seen.schema} is brought to {seen.newest} by the next command (a copy is kept before)"
        yield Check("history", CheckState.WARN, found, "ecluse status")
    else:
        yield Check("history", CheckState.OK, f"whole: {seen.events:,} events, {seen.size_bytes / (1 << 20):.1f} MiB")
        yield from _jobs(repository)


def _jobs(repository: Repository) -> Iterator[Check]:
    """Runs that the history calls running and whose process is gone: whoever drives the line starts them again."""
    from ecluse import runs
    from ecluse.history import History
    from ecluse.model import Run, RunState

    try:
        with History.open(repository.state_dir) as history:
            running = history.find(Run, state=RunState.RUNNING)
    except Problem as problem:
        yield _of_problem("jobs", problem)
        return
    lost = [
        run.id for run in running if process.job_status(runs.job_folder(repository, run)).state is process.JobState.LOST
    ]
    for name in lost:
        found = f"{name} is marked running and its process is gone; it starts again when the line moves"
        yield Check("jobs", CheckState.WARN, found, "ecluse serve")
    if not lost:
        yield Check("jobs", CheckState.OK, f"{len(running)} running")


def _line(repository: Repository) -> Iterator[Check]:
    path = repository.state_dir / "line.lock"
    if path.exists():
        busy = is_locked(path)
        yield Check("line", CheckState.OK, "another process is advancing it now" if busy else "free")


def _locks(repository: Repository) -> Iterator[Check]:
    """Lock files that a git which was killed left behind; git refuses to work until they are gone."""
    bases = dict.fromkeys((repository.git_dir, repository.common_dir))
    found = [path for base in bases for path in base.glob("*.lock")]
    found += repository.common_dir.glob("refs/**/*.lock")
    found += repository.common_dir.glob("worktrees/*/*.lock")
    for path in dict.fromkeys(found):
        try:
            age = now().timestamp() - path.stat().st_mtime
        except OSError:
            continue  # its git has finished meanwhile
        if age > STALE_LOCK_S:
            hint = f"make sure that no git is running here (ps), then type: rm '{path}'"
            yield Check(
                "locks", CheckState.FAIL, f"{path} is {age / 60:.0f} min old: a git died and left it behind", hint
            )


def _of_problem(name: str, problem: Problem) -> Check:
    return Check(name, CheckState.FAIL, problem.message, problem.hint)
