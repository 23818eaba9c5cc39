"""The next version: decided from the commits since the last release by git-cliff, or given by a person."""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ecluse import process
from ecluse.errors import Failed, Invalid
from ecluse.git import Commit, Repository, clean_environment
from ecluse.release import commits

FIRST = "0.1.0"
_TAG = re.compile(r"refs/tags/(v?)(\d+)\.(\d+)\.(\d+)\Z")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)\Z")
_CLIFF = f"""\
[git]
conventional_commits = true
filter_unconventional = false
[bump]
features_always_bump_minor = true
breaking_always_bump_major = false
initial_tag = "v{FIRST}"
"""
_WORDS = {"feat": ("feature", "features"), "fix": ("fix", "fixes")}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A version that has been tagged before a commit."""

    version: str
    tag: str
    commit: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The next version and the grounds. ``bump`` is initial, major, minor, patch or given; ``previous`` may be empty."""

    version: str
    previous: str
    bump: str
    why: str
    commits: tuple[Commit, ...]


def last_release(repository: Repository, commit: str) -> Tagged | None:
    """The highest version tagged in the history of ``commit``."""
    listed = repository.text("for-each-ref", f"--merged={commit}", "--format=%(refname)", "refs/tags")
    found = []
    for name in listed.split("\n"):
        numbers = _TAG.match(name)
        if numbers:
            found.append((tuple(int(n) for n in numbers.groups()[1:]), numbers[1] == "v", name))
    if not found:
        return None
    numbers_, _, ref = max(found)
    return Tagged(".".join(str(n) for n in numbers_), ref.removeprefix("refs/tags/"), repository.commit_id(ref))


def decide(repository: Repository, commit: str, given: str = "") -> Decision:
    """The version that releasing ``commit`` would have. ``given`` is a person's own choice and wins.

    Raises :class:`Invalid` when nothing was committed since the last release, or when ``given`` is no version or
    not a higher one; :class:`Failed` when git-cliff is missing or does not answer.
    """
    last = last_release(repository, commit)
    since = repository.commits(f"^{last.commit}", commit) if last else repository.commits(commit)
    if not since and last:
        raise Invalid(
            "release.nothing",
            f"Nothing was committed since {last.tag}: there is nothing to release.",
            "land a change first: ecluse land CHANGE",
        )
    previous = last.version if last else ""
    counted = _counted(since)
    if given:
        version = _given(given, previous)
        why = f"{version} was given by a person ({counted} since {last.tag if last else 'the beginning'})"
        return Decision(version, previous, "given", why, tuple(since))
    version = _ask_cliff(repository, commit, last)
    if last is None:
        return Decision(
            version, "", "initial", f"{version} is the first release: no version was tagged before", tuple(since)
        )
    bump = _bump(previous, version)
    return Decision(version, previous, bump, f"{version} is a {bump} release: {counted} since {last.tag}", tuple(since))


def _given(text: str, previous: str) -> str:
    numbers = _VERSION.match(text)
    if numbers is None:
        raise Invalid(
            "release.version", f"{text!r} is not a version such as 1.4.0.", "ecluse release start --input version=X.Y.Z"
        )
    if previous and _numbers(text) <= _numbers(previous):
        raise Invalid(
            "release.version",
            f"{text} is not higher than {previous}, the last release.",
            "ecluse release start --input version=X.Y.Z",
        )
    return ".".join(numbers.groups())


def _ask_cliff(repository: Repository, commit: str, last: Tagged | None) -> str:
    """What ``git-cliff --bumped-version`` says, in a bare clone that has nothing but the commit and the last tag."""
    tool = process.which("git-cliff", str(Path(sys.executable).parent)) or process.which("git-cliff")
    if tool is None:
        raise process.missing_tool("git-cliff")
    with tempfile.TemporaryDirectory(prefix="ecluse-version-") as folder, repository.temporary_clone() as clone:
        config = Path(folder, "cliff.toml")
        config.write_text(_CLIFF)
        clone.run("update-ref", "--no-deref", "HEAD", commit)
        if last:
            clone.move_ref(f"refs/tags/v{last.version}", last.commit, "", "ecluse: last release")
        env = clean_environment(extra={"HOME": folder, "XDG_CONFIG_HOME": folder, "NO_COLOR": "1"})
        words = [tool, "--config", str(config), "--offline", "--bumped-version"]
        said = process.run(words, cwd=clone.git_dir, env=env, timeout_s=60).stdout.decode("utf-8", "replace").strip()
    numbers = _VERSION.match(said)
    if numbers is None:
        raise Failed(
            "release.cliff",
            f"git-cliff named no version, it said {said!r}.",
            "ecluse release start --input version=X.Y.Z",
        )
    return ".".join(numbers.groups())


def _counted(since: list[Commit]) -> str:
    """The commits in words: ``1 breaking change, 2 features, 3 other commits``."""
    kinds: Counter[str] = Counter()
    for commit in since:
        said = commits.read(commit.message)
        kinds["breaking" if said and said.breaking else said.kind if said and said.kind in _WORDS else "other"] += 1
    words = {"breaking": ("breaking change", "breaking changes"), **_WORDS, "other": ("other commit", "other commits")}
    parts = [f"{kinds[kind]} {one if kinds[kind] == 1 else many}" for kind, (one, many) in words.items() if kinds[kind]]
    return ", ".join(parts) or "no commit"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def _bump(old: str, new: str) -> str:
    before, after = _numbers(old), _numbers(new)
    return "major" if after[0] != before[0] else "minor" if after[1] != before[1] else "patch"
