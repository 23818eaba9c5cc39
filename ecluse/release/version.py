"""The next version: decided from the conventional commits since the last release, or given by a person.

The rules are those of git-cliff, which a test compares with (``docs/decisions/0013-own-version-decision.md``): a
breaking change makes a major version (a minor one before 1.0.0), a feature a minor one, anything else a patch.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ecluse.errors import Invalid, Refused
from ecluse.git import Commit, Repository
from ecluse.release import commits

FIRST = "0.1.0"
BUMPS = ("major", "minor", "patch")
CHANNELS = ("alpha", "beta", "rc", "pre", "preview", "next")
"""Words that a person may give instead of a version: what to raise, or the next pre-release of which kind."""
_NUMBERS = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*))?"
_TAG = re.compile(rf"refs/tags/(v?)({_NUMBERS})\Z")
_VERSION = re.compile(rf"v?({_NUMBERS})\Z")
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
    """The highest version tagged in the history of ``commit``. Pre-releases and rollback tags do not count."""
    found = [one for one in tagged(repository, f"--merged={commit}") if "-" not in one.version]
    if not found:
        return None
    highest = max(found, key=lambda one: (order(one.version), one.tag.startswith("v")))
    return Tagged(highest.version, highest.tag, repository.commit_id(f"refs/tags/{highest.tag}"))


def tagged(repository: Repository, *which: str) -> list[Tagged]:
    """Every version that is tagged (with ``--merged=COMMIT``: in that history); ``commit`` is left empty."""
    listed = repository.text("for-each-ref", *which, "--format=%(refname)", "refs/tags")
    names = [_TAG.match(name) for name in listed.split("\n")]
    return [Tagged(said[2], said[0].removeprefix("refs/tags/"), "") for said in names if said]


def decide(repository: Repository, commit: str, given: str = "") -> Decision:
    """The version that releasing ``commit`` would have. ``given`` is a person's own choice and wins.

    ``given`` may be a version, ``major``, ``minor`` or ``patch``, or a word such as ``rc`` for the next pre-release.
    Raises :class:`Invalid` when nothing was committed since the last release, or when ``given`` is no version or not
    a higher one; :class:`Refused` when the version is tagged already, as on another line that a hotfix branched from.
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
    what = f"{_counted(since)} since {last.tag if last else 'the beginning'}"
    wanted = bump_of(since)
    if given:
        version, how = _given(repository, given, previous, wanted)
        made = Decision(version, previous, "given", f"{version} was {how} by a person ({what})", tuple(since))
    elif last is None:
        why = f"{FIRST} is the first release: no version was tagged before"
        made = Decision(FIRST, "", "initial", why, tuple(since))
    else:
        version = raised(previous, wanted)
        bump = _difference(previous, version)
        made = Decision(version, previous, bump, f"{version} is a {bump} release: {what}", tuple(since))
    _refuse_taken(repository, commit, made)
    return made


def bump_of(since: list[Commit]) -> str:
    """What these commits ask for: ``major``, ``minor`` or ``patch``."""
    said = [one for one in (commits.read(commit.message) for commit in commits.standing(since)) if one]
    if any(one.breaking for one in said):
        return "major"
    return "minor" if any(one.kind == "feat" for one in said) else "patch"


def raised(previous: str, bump: str) -> str:
    """The version after ``previous``; before 1.0.0 a breaking change raises the minor number."""
    major, minor, patch = (int(part) for part in previous.split("-")[0].split("."))
    if bump == "major" and major > 0:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if bump in ("major", "minor") else f"{major}.{minor}.{patch + 1}"


def order(version: str) -> tuple[object, ...]:
    """A key that sorts versions as semantic versioning does: a pre-release comes before its version."""
    numbers, _, pre = version.removeprefix("v").partition("-")
    parts = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in pre.split(".")) if pre else ()
    return (*(int(part) for part in numbers.split(".")), not pre, parts)


def _given(repository: Repository, text: str, previous: str, wanted: str) -> tuple[str, str]:
    """The version that a person means, and the word for how they said it."""
    base = raised(previous, wanted) if previous else FIRST
    if text in BUMPS:
        if text == "major" and previous.startswith("0."):
            return "1.0.0", "asked for as a major one"  # a person who says major before 1.0.0 means 1.0.0
        return (raised(previous, text) if previous else FIRST), f"asked for as a {text} one"
    if text in CHANNELS:
        return _next_candidate(repository, base, text), f"asked for as the next {text}"
    numbers = _VERSION.match(text)
    hint = "ecluse release start --input version=X.Y.Z (or major, minor, patch, rc)"
    if numbers is None:
        raise Invalid("release.version", f"{text!r} is not a version such as 1.4.0 or 1.4.0-rc.1.", hint)
    if previous and order(text) <= order(previous):
        raise Invalid("release.version", f"{text} is not higher than {previous}, the last release.", hint)
    return numbers[1], "given"


def _next_candidate(repository: Repository, base: str, channel: str) -> str:
    """``base-channel.N`` with the first N that is not tagged after those that are."""
    start = f"{base}-{channel}."
    used = [one.version.removeprefix(start) for one in tagged(repository) if one.version.startswith(start)]
    return f"{start}{max((int(one) for one in used if one.isdigit()), default=0) + 1}"


def _refuse_taken(repository: Repository, commit: str, made: Decision) -> None:
    """Raise :class:`Refused` when another line has tagged this version already."""
    tag = f"v{made.version}"
    at = repository.resolve(f"refs/tags/{tag}")
    if at is None or at == commit or repository.is_ancestor(at, commit):
        return
    raise Refused(
        "release.version_taken",
        f"{made.why}; but {tag} is on {at[:12]} already, which is not in the history of {commit[:12]}: that is a hotfix of an older line.",
        "a hotfix is a patch: ecluse release start --input version=patch",
    )


def _counted(since: list[Commit]) -> str:
    """The commits in words: ``1 breaking change, 2 features, 3 other commits``."""
    kinds: Counter[str] = Counter()
    for commit in commits.standing(since):
        said = commits.read(commit.message)
        kinds["breaking" if said and said.breaking else said.kind if said and said.kind in _WORDS else "other"] += 1
    words = {"breaking": ("breaking change", "breaking changes"), **_WORDS, "other": ("other commit", "other commits")}
    parts = [f"{kinds[kind]} {one if kinds[kind] == 1 else many}" for kind, (one, many) in words.items() if kinds[kind]]
    return ", ".join(parts) or "no commit"


def _difference(old: str, new: str) -> str:
    before, after = order(old), order(new)
    return "major" if after[0] != before[0] else "minor" if after[1] != before[1] else "patch"
