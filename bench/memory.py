"""The memory of our own process, its children not counted, on a bundle with one incompressible file of 300 MiB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.history_made import git
from bench.measure import environment
from bench.peak import Peak, run_watched
from ecluse.kit.pieces import script

SIZE = 300 << 20
BAR_MIB = 200.0
ECLUSE = (sys.executable, "-m", "ecluse")


def measure_memory(folder: Path, ecluse: str, rounds: int) -> bool:
    """Print what each process held at most; whether every bar is met. Needs Linux, which says it."""
    trunk, box = folder / "trunk", folder / "box"
    _make(trunk, box, ecluse)
    print(
        f"\nour own process with a file of {SIZE >> 20} MiB in the bundle, most MiB ever held\n{'':<58} {'MiB':>9}  bar"
    )
    met = []
    for kind in ("ecluse", "py", "sh"):
        out = folder / f"out-{kind}"
        met += _export(kind, box, folder, out)
        name = {"ecluse": "ecluse export", "py": "cloud-export.py", "sh": "cloud-export.sh"}[kind]
        met.append(_import(f"ecluse import, the bundle of {name}", trunk, out, None))
        shutil.rmtree(out)
    met += _through_pipes(trunk, box, folder)
    return all(met)


def _make(trunk: Path, box: Path, ecluse: str) -> None:
    trunk.mkdir()
    git(trunk, "init", "-q", "-b", "main", ".")
    _identity(trunk)
    subprocess.run([ecluse, "init", "-q", "--trust", "all"], cwd=trunk, check=True, stdout=subprocess.DEVNULL)
    with (trunk / "ecluse.toml").open("a") as policy:
        policy.write(f"\n[intake]\nmax_file_bytes = {2 * SIZE}\nmax_bundle_bytes = {2 * SIZE}\n")
    git(trunk, "add", "-A")
    git(trunk, "commit", "-q", "-m", "chore: policy")
    git(trunk.parent, "clone", "-q", str(trunk), str(box))
    _identity(box)
    (box / "large.bin").write_bytes(os.urandom(SIZE))
    git(box, "add", "-A")
    git(box, "-c", "core.compression=0", "commit", "-q", "-m", "feat: a large file")


def _identity(folder: Path) -> None:
    git(folder, "config", "user.name", "Bench")
    git(folder, "config", "user.email", "bench@example.invalid")


def _export(kind: str, box: Path, folder: Path, out: Path) -> list[bool]:
    """Export with one of the three; the patch must be left out, and that be recorded."""
    tool = folder / f"cloud-export.{kind}"
    tool.write_bytes(script(tool.name) if kind != "ecluse" else b"")
    program = {"ecluse": [*ECLUSE, "export"], "py": [sys.executable, str(tool)], "sh": ["sh", str(tool)]}[kind]
    done = run_watched([*program, "--agent", "bench", "--json", "--to", str(out)], box, environment())
    label = "ecluse export" if kind == "ecluse" else tool.name
    said = json.loads(done.output)
    left = json.loads(Path(said["path"]).read_bytes())["omitted_payloads"]
    recorded = left[0]["kind"] == "patch" and len(said["payloads"]) == 1
    met = _report(label, done)
    print(f"{'  the patch is left out and that is recorded':<58} {'yes' if recorded else 'NO':>9}")
    return [met, recorded]


def _import(label: str, trunk: Path, source: Path, piped: Path | None) -> bool:
    """Import into a copy of the trunk, so that each import is the first one; it must be let in."""
    here = trunk.with_name("here")
    git(trunk.parent, "clone", "-q", str(trunk), str(here))
    _identity(here)
    subprocess.run([*ECLUSE, "init", "-q"], cwd=here, check=True, stdout=subprocess.DEVNULL)
    words = [*ECLUSE, "import", "-" if piped else str(source), "--no-input", "--json"]
    with (piped or Path(os.devnull)).open("rb") as stdin:
        done = run_watched(words, here, environment(), stdin=stdin)
    said = json.loads(done.output)
    taken = said.get("verdict") in ("accept", "warn")
    shutil.rmtree(here)
    if not taken:
        print(f"{label}: {said}")
    return _report(label, done) and taken


def _through_pipes(trunk: Path, box: Path, folder: Path) -> list[bool]:
    """The same without a file in between: a tar on standard output, and from standard input."""
    tar = folder / "piped.tar"
    done = run_watched([*ECLUSE, "export", "--agent", "bench", "--to", "-"], box, environment(), stdout=tar)
    met = [_report("ecluse export --to -", done) and tar.stat().st_size > SIZE]
    return [*met, _import("ecluse import -", trunk, tar, tar)]


def _report(label: str, peak: Peak) -> bool:
    print(f"{label:<58} {peak.own:9.1f}  {'met' if peak.own < BAR_MIB else 'MISSED'} (< {BAR_MIB:.0f})")
    return peak.own < BAR_MIB
