"""Where lock files, lists of requirements and projects have packages loaded from: places they did not name before.

Those that can be parsed are, because one address can be written in many ways; others are read line by line.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ecluse.patterns import expression

_LOCK = expression(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock|Cargo\.lock"
    r"|Gemfile\.lock|(?:[^/]*requirements[^/]*|constraints[^/]*|requirements/[^/]+)\.(?:txt|in)|pyproject\.toml|uv\.toml|package\.json)$",
    re.IGNORECASE,
)
_PLACE = r"(?:[a-z]{2,9}\+)?(?:https?|git|ssh)://(?:[^/@\s\"']*@)?([A-Za-z0-9.-]+)"
_ANY = expression(_PLACE, re.IGNORECASE)
_LINES = expression(
    r"(?:\"resolved\"\s*:|^\s*\"?resolved|\btarball[\"']?\s*:|^\s*remote:|\bsource\s*=|\bregistry\s*=|\burl\s*=|\bgit\s*=)\s{0,9}[\"']?" + _PLACE,
    re.M | re.IGNORECASE,
)  # fmt: skip
_WANTED = expression(r"^[^#\n]*?" + _PLACE, re.M | re.IGNORECASE)
_NPM_KEYS = ("resolved", "version", "from")
"""What npm loads from stands there; other addresses are for readers (funding, home pages)."""

_WANTING = {
    "package.json": (
        ("dependencies",), ("devDependencies",), ("optionalDependencies",), ("overrides",), ("resolutions",), ("pnpm",),
    ),
    "pyproject.toml": (
        ("build-system", "requires"), ("project", "dependencies"), ("project", "optional-dependencies"),
        ("dependency-groups",), ("tool", "uv"), ("tool", "pdm", "source"), ("tool", "poetry", "source"),
        ("tool", "poetry", "dependencies"), ("tool", "poetry", "group"), ("tool", "poetry", "dev-dependencies"),
    ),
}  # fmt: skip
"""Where these say what is loaded; other addresses in them are for readers."""

_USUAL = frozenset((
    ("npmjs", "org"), ("yarnpkg", "com"), ("pypi", "org"), ("github", "com"),
    ("gitlab", "com"), ("bitbucket", "org"), ("rubygems", "org"), ("crates", "io"),
))  # fmt: skip
"""The last two parts of the names of public registries and forges, which nobody else can stand below."""


def names_places(path: str) -> bool:
    """Whether a package manager learns from a file of this name what it loads, and from where."""
    return _LOCK.search(path) is not None


def new_places(name: str, now: bytes, before: bytes) -> list[str]:
    """The hosts, sorted, that the lock file ``name`` loads from now and did not before, public registries and forges apart.

    uv.lock names the index of each package and, apart from it, where its files lie. Where they first appear, the
    files of one index belong to one place, which nothing here can know by itself: whatever lies elsewhere is new.
    """
    here, there = (data.decode("utf-8", "replace") for data in (now, before))
    if "\\" not in here and not _foreign(_hosts(_ANY, here)):
        return []  # nothing that a parser could find
    name = name.lower()
    new, old = _parsed(name, here), _parsed(name, there)
    known = _loaded_from(name, there, old)
    if name == "uv.lock":
        told = {index for index, _ in _files_of_uv(old)}
        known |= _homes(Counter({both: number for both, number in _files_of_uv(new).items() if both[0] not in told}))
    return sorted(_foreign(_loaded_from(name, here, new) - known))


def _loaded_from(name: str, text: str, parsed: Any) -> set[str]:
    """Every host that the file has something loaded from."""
    if name.endswith((".txt", ".in")):
        return _hosts(_WANTED, text)
    if name in _WANTING:
        parts = [_below(parsed, keys) for keys in _WANTING[name]]
        return {host for _, value in _strings(parts) for host in _hosts(_ANY, value)}
    if parsed is None:
        return _hosts(_LINES, text)
    keys = _NPM_KEYS if name in ("package-lock.json", "npm-shrinkwrap.json") else ()
    matches = (_ANY.match(value.strip()) for key, value in _strings(parsed) if not keys or key in keys)
    return {match[1].lower() for match in matches if match}


def _parsed(name: str, text: str) -> Any:
    """The file as the tool itself reads it; ``None`` where that is another format, or nothing that can be read."""
    try:
        if name.endswith(".json") or name == "pipfile.lock":
            return json.loads(text)
        if name in ("uv.lock", "poetry.lock", "pdm.lock", "cargo.lock", "pyproject.toml", "uv.toml"):
            return tomllib.loads(text)
    except (ValueError, RecursionError):
        pass
    return None


def _below(parsed: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        parsed = parsed.get(key) if isinstance(parsed, dict) else None
    return parsed


def _strings(parsed: Any) -> Iterator[tuple[str, str]]:
    """Every text of a parsed file, with the key that it stands at."""
    left = [("", parsed)]
    while left:
        key, value = left.pop()
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            left += value.items()
        elif isinstance(value, list):
            left += [(key, one) for one in value]


def _files_of_uv(parsed: Any) -> Counter[tuple[str, str]]:
    """(host of the index, host of a file) -> how many such files uv.lock names."""
    found: Counter[tuple[str, str]] = Counter()
    packages = parsed.get("package", []) if isinstance(parsed, dict) else []
    for package in packages if isinstance(packages, list) else ():
        if not isinstance(package, dict) or not isinstance(package.get("source"), dict):
            continue
        index = _ANY.match(str(package["source"].get("registry", "")))
        if index is None:
            continue
        for key, value in _strings([package.get("sdist"), package.get("wheels")]):
            file = _ANY.match(value) if key == "url" else None
            if file:
                found[index[1].lower(), file[1].lower()] += 1
    return found


def _homes(files: Counter[tuple[str, str]]) -> set[str]:
    """Where the files of each index are at home: with the index itself, else the one place where most of them lie."""
    homes = set()
    for index in {index for index, _ in files}:
        apart = Counter({file: number for (of, file), number in files.items() if of == index and file != index})
        most = apart.most_common(2)
        if most and (len(most) == 1 or most[0][1] > most[1][1]):
            homes.add(most[0][0])
    return homes


def _hosts(shape: re.Pattern[str], text: str) -> set[str]:
    return {one.lower() for one in shape.findall(text)}


def _foreign(hosts: set[str]) -> set[str]:
    return {one for one in hosts if tuple(one.split(".")[-2:]) not in _USUAL}
