"""``make kit-real``: the delivery kit on repositories made of published packages, as a table with the reason of each red.

``python -m bench.kit_real [KIND or NAME]...`` takes some only. ``ECLUSE_KIT_KEPT`` is the folder that keeps what was
fetched, ``ECLUSE_KIT_WORK`` one that keeps the repositories, reports and logs. The exit status is 1 when `init` is not
settled after the first time, or a red is not a known fault of the repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.real_sources import RECIPES, Recipe, Unreachable, build, commit, git

CI, DEPLOY = ".github/workflows/ci.yml", ".github/workflows/test_and_deploy.yml"
_INIT = ("init", "--kit", "ci,hooks,docker,staging,release,agents", "--yes", "--json")


@dataclass
class Result:
    """What came of one repository."""

    recipe: Recipe
    settled: str = ""
    """What the second ``init`` changed; empty when nothing, as it should be."""
    runs: dict[str, str] = field(default_factory=dict)
    reds: list[tuple[str, str]] = field(default_factory=list)
    """Job and step, and the line that says why."""
    seconds: float = 0.0

    @property
    def met(self) -> bool:
        return not self.settled and all(any(fault in why for fault in self.recipe.faults) for _, why in self.reds)

    def row(self) -> str:
        """The line of the table."""
        runs = [self.runs.get(path, "yours, kept") for path in (CI, DEPLOY)]
        why = "; ".join(f"`{where}`: {why}" for where, why in self.reds) or ""
        twice = "no diff" if not self.settled else f"**{self.settled}**"
        return f"| {self.recipe.kind} | {self.recipe} | {twice} | {' | '.join(runs)} | {why} |"


def ecluse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed command in ``folder``."""
    argv = [sys.executable, "-P", "-m", "ecluse", *words]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST_"))}
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, env=env)


def prepare(result: Result, folder: Path, kept: Path) -> Path:
    """The repository with the kit in it, committed; ``init`` was called twice. Raises :class:`Unreachable`."""
    place = build(result.recipe, folder, kept)
    before = {path: git(place, "show", f"HEAD:{path}") for path in own_workflows(place)}
    first = ecluse(place, *_INIT)
    if first.returncode:
        result.settled = first.stderr.strip() or first.stdout
        return place
    commit(place, "chore: set up ecluse")
    ecluse(place, *_INIT)
    result.settled = " ".join(git(place, "status", "--porcelain").split())
    for path, text in before.items():
        if (place / path).read_text() != text:
            result.settled += f" {path} was overwritten"
    return place


def own_workflows(place: Path, commit: str = "HEAD") -> list[str]:
    """The workflows that the repository itself has in ``commit``."""
    return [
        path
        for path in git(place, "ls-tree", "-r", "--name-only", commit).splitlines()
        if path.startswith(".github/workflows/")
    ]


def run(result: Result, place: Path, workflow: str, *words: str) -> dict[str, Any]:
    """The report of a generated workflow; its reds go into ``result``."""
    report = place.parent / f"{Path(workflow).stem}.json"
    logs = place.parent / f"{Path(workflow).stem}.logs"
    done = ecluse(place, "run", "--json", "--report", str(report), "--logs", str(logs), workflow, *words)
    if done.returncode not in (0, 5):
        result.runs[workflow] = "wrong"
        result.reds.append((workflow, (done.stderr or done.stdout).strip().splitlines()[-1]))
        return {}
    found: dict[str, Any] = json.loads(report.read_text())
    result.runs[workflow] = "green" if found["result"] == "success" else "red"
    if workflow == DEPLOY:  # it calls the other
        called = {job["outcome"] for job in found["jobs"] if job["key"].startswith("ci.")}
        result.runs[CI] = "green" if called == {"success"} else "red"
    result.reds += reds(found)
    return found


def reds(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The steps that made a run red; those that decide nothing are left out."""
    found = []
    for job in report["jobs"]:
        failed = [step for step in job["steps"] if step["conclusion"] == "failure"]
        found += [(f"{job['key']}: {step['name']}", _reason(step["tail"])) for step in failed]
        if job["outcome"] == "failure" and not failed:
            found.append((job["key"], job["reason"]))
    return found


def _reason(tail: list[str]) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in tail if line.strip() and not line.startswith("##[error]Process completed")]
    telling = [line for line in lines if any(word in line for word in ("rror", "Exit", "FAILED", "not ok"))]
    return (telling or lines or ["no output"])[-1][:160].replace("|", "\\|")


def ours(place: Path) -> list[str]:
    """Those of the two workflows that the kit wrote."""
    from ecluse.kit.wanted import untouched

    return [one for one in (CI, DEPLOY) if (place / one).is_file() and untouched((place / one).read_text())]


def main(names: list[str]) -> int:
    """Print the table of what is named (all without); 0 when every bar is met."""
    chosen = [one for one in RECIPES if not names or {one.kind, one.sources[0].name} & {*names}]
    print("| kind | made of | `init` twice | ci.yml | test_and_deploy.yml | why red |\n|---|---|---|---|---|---|")
    met = []
    with tempfile.TemporaryDirectory(prefix="ecluse-kit-") as scratch:
        kept = Path(os.environ.get("ECLUSE_KIT_KEPT") or Path(scratch, "kept"))
        work = Path(os.environ.get("ECLUSE_KIT_WORK") or Path(scratch, "work"))
        for recipe in chosen:
            result, started = Result(recipe), time.monotonic()
            try:
                place = prepare(result, work / f"{recipe.kind}-{RECIPES.index(recipe)}" / recipe.sources[0].name, kept)
            except Unreachable as why:
                print(f"| {recipe.kind} | {recipe} | not tried: {why} | | | |", flush=True)
                continue
            for workflow in ours(place)[-1:]:
                run(result, place, workflow)
            result.seconds = time.monotonic() - started
            met.append(result.met)
            print(result.row(), flush=True)
            print(f"{recipe}: {result.seconds:.0f} s", file=sys.stderr, flush=True)
    return 0 if met and all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
