"""The watch: a detached job that looks at the service until its window is over. ``python -m ecluse.release.watch FOLDER``.

``FOLDER/watch.json`` says what to look at; ``FOLDER/result.json`` appears, by rename, when the watch is over.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import ecluse
from ecluse import process
from ecluse.files import write_atomically
from ecluse.release.probes import Seen, look_at_answer, look_at_health
from ecluse.release.target import Target

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Result:
    """What a watch saw. ``rounds`` counts looks, ``bad`` those that were not well, ``said`` is the last answer."""

    well: bool
    rounds: int
    bad: int
    said: str


def begin(folder: Path, target: Target, version: str, *, window_s: float, every_s: float, failures: int) -> None:
    """Start a watch in ``folder``; one that was started there before is left alone."""
    request = {
        "health": target.address(target.health),
        "version": version,
        "smoke": [[s.method, target.address(s.path), s.expect, s.contains] for s in target.smoke],
        "window_s": window_s,
        "every_s": every_s,
        "failures": failures,
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


def watch(request: dict[str, object]) -> Result:
    """Look every ``every_s`` seconds for ``window_s`` seconds; end early after ``failures`` bad looks in a row."""
    window, every = float(str(request["window_s"])), float(str(request["every_s"]))
    limit = int(str(request["failures"]))
    ends = time.monotonic() + window
    rounds = bad = row = 0
    while True:
        seen = _look(request)
        rounds += 1
        bad, row = (bad + 1, row + 1) if not seen.well else (bad, 0)
        if row >= limit:
            return Result(False, rounds, bad, seen.said)
        if time.monotonic() >= ends and not row:  # a bad last look is looked at again, not let through
            return Result(True, rounds, bad, seen.said)
        time.sleep(every)


def _look(request: dict[str, object]) -> Seen:
    seen = look_at_health(str(request["health"]), str(request["version"]))
    smoke = request["smoke"]
    for method, address, expect, contains in smoke if isinstance(smoke, list) else []:
        if not seen.well:
            break
        seen = look_at_answer(method, address, expect, contains)
    return seen


def main(folder_name: str) -> None:
    """Body of the job."""
    folder = Path(folder_name)
    result = watch(json.loads((folder / "watch.json").read_bytes()))
    write_atomically(folder / "result.json", json.dumps(asdict(result)).encode())


if __name__ == "__main__":
    main(sys.argv[1])
