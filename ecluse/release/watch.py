"""The watch: a detached job that looks at the service until its window is over. ``python -m ecluse.release.watch FOLDER``.

``FOLDER/watch.json`` says what to look at; ``FOLDER/result.json`` appears, by rename, when the watch is over.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ecluse
from ecluse import clock, process
from ecluse.files import write_atomically
from ecluse.release import looks
from ecluse.release.probes import Seen, look_at_answer, look_at_health
from ecluse.release.target import Target

_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "SYSTEMROOT",
    "USER",
    "LOGNAME",
    "SSH_AUTH_SOCK",
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a watch saw. ``rounds`` counts looks, ``bad`` those that were not well, ``said`` is the last answer.

    ``median_ms`` is the middle of the health path's answers, ``error_rate`` errors per 100 log lines, ``numbers`` what
    the metrics came to.
    """

    well: bool
    rounds: int
    bad: int
    said: str
    median_ms: float = 0.0
    error_rate: float = 0.0
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """How long a watch lasts and what it is compared with: the moment of going live (Unix seconds), a median in ms."""

    window_s: float
    every_s: float
    failures: int
    live_at: float = 0.0
    median_before: float = 0.0


def begin(folder: Path, target: Target, version: str, frame: Frame) -> None:
    """Start a watch in ``folder``; one that was started there before is left alone."""
    request = {
        "health": target.address(target.health),
        "version": version,
        "smoke": [[s.method, target.address(s.path), s.expect, s.contains, s.max_ms] for s in target.smoke],
        "hosts": list(target.hosts),
        "ssh_config": target.ssh_config,
        "logs": target.commands.get("logs", ""),
        "extras": target.watch,
        "variables": {**target.variables, "ECLUSE_ENVIRONMENT": target.name, "ECLUSE_VERSION": version},
        **asdict(frame),
    }
    if not (folder / "watch.json").exists():
        write_atomically(folder / "watch.json", json.dumps(request).encode(), mode=0o600)
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    words = [sys.executable, "-m", "ecluse.release.watch", str(folder)]
    process.run_job(folder, words, cwd=Path(ecluse.__file__).resolve().parent.parent, env=env)


def result_of(folder: Path) -> Result | None:
    """What the watch of ``folder`` came to, or ``None`` while it has not ended."""
    try:
        return Result(**json.loads((folder / "result.json").read_bytes()))
    except (OSError, ValueError):
        return None


def watch(request: dict[str, Any]) -> Result:
    """Look every ``every_s`` seconds for ``window_s`` seconds; end early after ``failures`` bad looks in a row."""
    extras, facts = looks.extras_of(request), looks.Facts()
    ends = time.monotonic() + float(request["window_s"])
    began = clock.now().timestamp()
    looks.look_before(extras, facts, float(request.get("live_at") or began), float(request["window_s"]))
    rounds = bad = row = 0
    while True:
        seen, fatal = _look(request, extras, facts, began)
        rounds += 1
        bad, row = (bad + 1, row + 1) if not seen.well else (bad, 0)
        over = row >= int(request["failures"]) or fatal
        if over or (time.monotonic() >= ends and not row):  # a bad last look is looked at again, not let through
            kept = (round(facts.median_ms, 2), round(facts.error_rate, 3), facts.numbers)
            return Result(not over, rounds, bad, seen.said, *kept)
        time.sleep(float(request["every_s"]))


def _look(request: dict[str, Any], extras: looks.Extras, facts: looks.Facts, began: float) -> tuple[Seen, bool]:
    """One round over health, smoke and the extras: the first that is not well, and whether it ends the watch at once."""
    seen = look_at_health(str(request["health"]), str(request["version"]))
    if not seen.well:
        return seen, False
    facts.times.append(seen.elapsed_ms)
    for method, address, expect, contains, *rest in request["smoke"]:
        answer = look_at_answer(method, address, expect, contains, rest[0] if rest else None)
        if not answer.well:
            return answer, False
    if extras.is_nothing:
        return seen, False
    wrong, fatal = looks.look(extras, facts, began, clock.now().timestamp())
    return (wrong[0] if wrong else seen), fatal


def main(folder_name: str) -> None:
    """Body of the job."""
    folder = Path(folder_name)
    result = watch(json.loads((folder / "watch.json").read_bytes()))
    write_atomically(folder / "result.json", json.dumps(asdict(result)).encode())


if __name__ == "__main__":
    main(sys.argv[1])
