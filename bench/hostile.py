"""Every hostile change of the reference set as a stranger would hand it in: verdict, time and memory, under a canary."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.history_made import git
from bench.measure import environment
from bench.peak import Peak, run_watched

BAR_S, BAR_MIB = 5.0, 512.0
_SHOWN = 5


def measure_hostile(folder: Path, ecluse: str, rounds: int) -> bool:
    """Judge each case on its own, one after the other; whether every verdict is right and every bar is met.

    The data lie in the folder that ``ECLUSE_SHARED`` names, else in ``../shared``; where they are absent it says so.
    """
    shared = Path(os.environ.get("ECLUSE_SHARED") or Path(__file__).resolve().parents[2] / "shared") / "evil_changes"
    if not (shared / "manifest.json").exists():
        print(f"\nhostile changes: not measured, there is no {shared} (set ECLUSE_SHARED)")
        return True
    cases = [one for one in json.loads((shared / "manifest.json").read_bytes())["cases"] if one["surface"] == "intake"]
    places = _make(folder, shared)
    before = _listing(places)
    peaks, wrong = {}, []
    for case in cases:
        peak, verdict, reason = _judge(folder, shared / "cases" / str(case["id"]))
        peaks[str(case["id"])] = peak
        if verdict != case["verdict"] and case["reason"] != "replay.conflict":  # one only where the first has been seen
            wrong.append(f"{case['id']}: {verdict} ({reason}) instead of {case['verdict']}")
    touched = sorted({path for path, *_ in set(_listing(places)) ^ set(before)})
    left = sorted(path.name for path in (folder / "scratch").iterdir())
    return _report(peaks, wrong, touched + left)


def _make(folder: Path, shared: Path) -> list[Path]:
    """A clone to import into, a home and a folder for temporary files; the places where nothing may change."""
    (folder / "scratch").mkdir()
    (folder / "home").mkdir()
    git(folder, "clone", "-q", str(shared / "base.git"), str(folder / "clone"))
    return [folder / "clone", folder / "home", shared]


def _judge(folder: Path, case: Path) -> tuple[Peak, str, str]:
    env = {name: value for name, value in environment().items() if not name.startswith(("GIT_", "XDG_"))}
    env |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "scratch"), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-m", "ecluse", "import", "--dry-run", "--json", str(case)]
    peak = run_watched(words, folder / "clone", env)
    try:
        said: dict[str, Any] = json.loads(peak.output)
    except ValueError:
        return peak, f"no answer (exit {peak.code})", ""
    error = said.get("error", {})
    return peak, str(said.get("verdict") or "error"), str(said.get("reason") or error.get("code", ""))


def _listing(places: list[Path]) -> list[tuple[str, int, int]]:
    rows = ((path, path.lstat()) for place in places for path in place.rglob("*"))
    return [(str(path), facts.st_mtime_ns, facts.st_size) for path, facts in rows]


def _report(peaks: dict[str, Peak], wrong: list[str], touched: list[str]) -> bool:
    print(
        f"\nhostile changes: {len(peaks)} cases, each with everything that it starts\n{'':<58} {'s':>9} {'cpu s':>9} {'MiB':>9}"
    )
    slowest = sorted(peaks, key=lambda name: -peaks[name].seconds)[:_SHOWN]
    largest = sorted(peaks, key=lambda name: -peaks[name].together)[:_SHOWN]
    for name in dict.fromkeys((*slowest, *largest)):
        one = peaks[name]
        print(f"  {name[:55]:<56} {one.seconds:9.2f} {one.processor:9.2f} {one.together:9.1f}")
    most_s, most_mib = peaks[slowest[0]].seconds, peaks[largest[0]].together
    busiest = max(peak.processor for peak in peaks.values())
    rows = {
        f"the slowest: {most_s:.2f} s (bar {BAR_S:g}; most processor time: {busiest:.2f} s)": most_s <= BAR_S,
        f"the largest: {most_mib:.1f} MiB (bar {BAR_MIB:g})": most_mib <= BAR_MIB,
        f"verdicts as they must be: {len(peaks) - len(wrong)} of {len(peaks)}": not wrong,
        f"files touched outside the temporary folder, or left in it: {len(touched)}": not touched,
    }
    for text, met in rows.items():
        print(f"{text:<78} {'met' if met else 'MISSED'}")
    for line in (*wrong, *touched[:20]):
        print(f"  {line}")
    return all(rows.values())
