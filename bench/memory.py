"""The memory of our own process, its children not counted, on a bundle with one incompressible file of 300 MiB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.history_made import git
from bench.measure import environment
from ecluse.kit.pieces import script

SIZE = 300 << 20
BAR_MIB = 200.0

_MEASURED = """
import runpy, sys
to, sys.argv = sys.argv[1], sys.argv[2:]
try:
    if sys.argv[0].endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module("ecluse", run_name="__main__")
finally:
    with open("/proc/self/status") as status, open(to, "w") as out:
        out.write(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def measure_memory(folder: Path, ecluse: str, rounds: int) -> bool:
    """Print what each process held at most; whether every bar is met. Needs Linux, which says it."""
    trunk, box = folder / "trunk", folder / "box"
    trunk.mkdir()
    git(trunk, "init", "-q", "-b", "main", ".")
    _identity(trunk)
    subprocess.run([ecluse, "init", "-q", "--trust", "all"], cwd=trunk, check=True, stdout=subprocess.DEVNULL)
    with (trunk / "ecluse.toml").open("a") as policy:
        policy.write(f"\n[intake]\nmax_file_bytes = {2 * SIZE}\nmax_bundle_bytes = {2 * SIZE}\n")
    git(trunk, "add", "-A")
    git(trunk, "commit", "-q", "-m", "chore: policy")
    git(folder, "clone", "-q", str(trunk), str(box))
    _identity(box)
    (box / "large.bin").write_bytes(os.urandom(SIZE))
    git(box, "add", "-A")
    git(box, "-c", "core.compression=0", "commit", "-q", "-m", "feat: a large file")
    print(
        f"\nour own process with a file of {SIZE >> 20} MiB in the bundle, most MiB ever held\n{'':<58} {'MiB':>9}  bar"
    )
    met = []
    for kind in ("ecluse", "py", "sh"):
        tool = folder / f"cloud-export.{kind}"
        tool.write_bytes(script(tool.name) if kind != "ecluse" else b"")
        words = ["--agent", "bench", "--json", "--to", str(folder / f"out-{kind}")]
        if kind == "sh":
            done = subprocess.run(
                ["sh", str(tool), *words], cwd=box, check=True, stdout=subprocess.PIPE, env=environment()
            )
            said = json.loads(done.stdout)
        else:
            own = [str(tool)] if kind == "py" else ["ecluse", "export"]
            said, held = _measured([*own, *words], box, folder)
            met.append(_report("ecluse export" if kind == "ecluse" else "cloud-export.py", held))
        left = json.loads(Path(said["path"]).read_bytes())["omitted_payloads"]
        met.append(left[0]["kind"] == "patch" and len(said["payloads"]) == 1)
        print(f"{'  the patch is left out and that is recorded':<58} {'yes' if met[-1] else 'NO':>9}  ({kind})")
    _, held = _measured(["ecluse", "import", said["path"], "--yes", "--no-input", "--json"], trunk, folder)
    met.append(_report("ecluse import", held))
    return all(met)


def _identity(folder: Path) -> None:
    git(folder, "config", "user.name", "Bench")
    git(folder, "config", "user.email", "bench@example.invalid")


def _measured(words: list[str], cwd: Path, folder: Path) -> tuple[dict[str, str], float]:
    to = folder / "peak"
    argv = [sys.executable, "-c", _MEASURED, str(to), *words]
    done = subprocess.run(argv, cwd=cwd, check=True, stdout=subprocess.PIPE, env=environment())
    return json.loads(done.stdout), int(to.read_text()) / 1024


def _report(label: str, held: float) -> bool:
    print(f"{label:<58} {held:9.1f}  {'met' if held < BAR_MIB else 'MISSED'} (< {BAR_MIB:.0f})")
    return held < BAR_MIB
