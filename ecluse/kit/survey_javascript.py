"""JavaScript projects: package managers, workspaces, scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ecluse.kit import runners
from ecluse.kit.found import Project, Tests, json_of, slug, table, text_of

_LOCKS = (
    ("pnpm", "pnpm-lock.yaml"),
    ("yarn", "yarn.lock"),
    ("npm", "package-lock.json"),
    ("npm", "npm-shrinkwrap.json"),
)
_YARN = "npx --yes yarn@1.22.22"
_MANAGERS = ("npm", "pnpm", "yarn")
_PNPM = {"5": "7", "6": "8", "9": "10"}
"""The version of pnpm that writes a version of its lock file."""
_TYPE_SCRIPTS = ("typecheck", "type-check", "check-types", "types:check", "tsc", "check:types")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Packages that one lock file in ``root`` binds together; ``globs`` are relative to it."""

    root: Path
    globs: tuple[str, ...]

    def holds(self, place: Path) -> bool:
        """Whether the package in ``place`` belongs to it."""
        if place == self.root or not place.is_relative_to(self.root):
            return False
        path = place.relative_to(self.root).as_posix()
        depth = path.count("/")
        return any(
            "**" in glob or glob.count("/") == depth for glob in self.globs if fnmatchcase(path, glob)
        ) and not any(fnmatchcase(path, glob[1:]) for glob in self.globs if glob.startswith("!"))


def workspace_of(place: Path) -> Workspace | None:
    """The workspace whose root ``place`` is."""
    listed = json_of(place / "package.json").get("workspaces")
    if isinstance(listed, dict):
        listed = listed.get("packages")
    if not isinstance(listed, list):
        # the list of pnpm-workspace.yaml, read without a parser: items of the key `packages`, quoted or not
        block = re.search(r"^packages:\s*\n((?:[ \t]*(?:-.*|#.*)?\n?)+)", text_of(place / "pnpm-workspace.yaml"), re.M)
        listed = re.findall(r"^\s*-\s*[\"']?([^\"'#\s]+)", block.group(1), re.M) if block else []
    globs = tuple(str(one).removeprefix("./").rstrip("/") for one in listed)
    return Workspace(place, globs) if globs else None


def project(
    root: Path, place: Path, where: str, name: str, dockerfile: str, workspaces: list[Workspace]
) -> Project | None:
    """The project in ``place``; none when its package.json cannot be read."""
    document = json_of(place / "package.json")
    if not document:
        return None
    scripts = table(document, "scripts")
    home = next((space.root for space in workspaces if space.holds(place)), place)
    manager, lock = _manager(home)
    has_tests = "test" in scripts and "no test specified" not in str(scripts["test"])
    shared = () if home == place else tuple(_relative(root, home / one) for one in ("package.json", lock) if one)
    return Project(
        name=slug(str(document.get("name") or name).rpartition("/")[2] if where == "." else name),
        path=where,
        language="javascript",
        manager=manager,
        install=(_install(home, manager, lock),),
        runner=f"{_yarn(home) if manager == 'yarn' else manager} run ",
        tests=(Tests("unit", ()),) if has_tests else (),
        node=_node(document),
        pnpm=_pnpm(home, lock) if manager == "pnpm" else "",
        runner_of_tests=runners.of(document),
        manifest=_relative(root, home / "package.json"),
        configured=frozenset(_configured(place, document)),
        scripts=frozenset(scripts),
        dockerfile=dockerfile,
        lock=lock if home == place else "",
        shared=shared,
    )


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _manager(home: Path) -> tuple[str, str]:
    """The package manager and its lock file: ``packageManager`` speaks before a lock file that was left behind."""
    present = [(manager, lock) for manager, lock in _LOCKS if (home / lock).is_file()]
    named = str(json_of(home / "package.json").get("packageManager", "")).partition("@")[0]
    if named in _MANAGERS:
        return named, next((lock for manager, lock in present if manager == named), "")
    if not present and (home / "pnpm-workspace.yaml").is_file():
        return "pnpm", ""
    return present[0] if present else ("npm", "")


def _install(home: Path, manager: str, lock: str) -> str:
    if manager == "pnpm":
        return "pnpm install --frozen-lockfile" if lock else "pnpm install --no-frozen-lockfile"
    if manager == "yarn":
        frozen = ("--frozen-lockfile" if _yarn(home) == _YARN else "--immutable") if lock else ""
        return f"{_yarn(home)} install {frozen}".rstrip()
    return "npm ci" if lock else "npm install --no-audit --no-fund"


def _yarn(home: Path) -> str:
    """Yarn as npm brings it, so that none has to be installed; yarn 1 refuses projects of a later one."""
    named = re.match(r"yarn@([2-9]\d*[\d.]*)", str(json_of(home / "package.json").get("packageManager", "")))
    if named:
        return f"npx --yes --package @yarnpkg/cli-dist@{named.group(1)} yarn"
    return "npx --yes --package @yarnpkg/cli-dist@4 yarn" if (home / ".yarnrc.yml").is_file() else _YARN


def _node(document: dict[str, object]) -> str:
    """The version of Node: 22, or the newer one that the package asks for."""
    wanted = str(table(document, "engines").get("node", ""))
    least = [int(one) for one in re.findall(r"(?:>=|\^|~|^)\s*v?(\d+)", wanted)]
    return str(max(22, min(least, default=22)))


def _pnpm(home: Path, lock: str) -> str:
    if str(json_of(home / "package.json").get("packageManager", "")).startswith("pnpm@"):
        return ""
    written = re.search(r"^lockfileVersion:\s*['\"]?(\d+)", text_of(home / lock) if lock else "", re.M)
    return _PNPM.get(written.group(1), "10") if written else "10"


def _configured(place: Path, document: dict[str, object]) -> list[str]:
    files = [("biome", "biome.json"), ("biome", "biome.jsonc"), ("types", "tsconfig.json")]
    found = [name for name, file in files if (place / file).is_file()]
    brought = {**table(document, "dependencies"), **table(document, "devDependencies")}
    found += ["has-typescript"] if "typescript" in brought else []
    found += ["references"] if '"references"' in text_of(place / "tsconfig.json") else []
    script = next((name for name in _TYPE_SCRIPTS if name in table(document, "scripts")), "")
    return [*found, f"script-{script}"] if script else found
