"""``github.run_number``: how often a workflow has run here. A run that is repeated keeps its numbers.

Kept below the user's cache, with the last runs; may be deleted at any time, and then they begin again at 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecluse.checks.rerun import put_cached
from ecluse.errors import Problem
from ecluse.files import FileLock, read_capped

_CAP = 4 << 20
_REMEMBERED = 100
"""How many runs can be repeated under their own numbers."""


def take(file: Path, run_id: str, workflows: Sequence[str]) -> dict[str, int]:
    """The numbers of run ``run_id`` for ``workflows``: the next ones, or those it has already.

    A file that cannot be read begins again; one that cannot be written spoils no run.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(file.with_suffix(".lock")).held():
            known = _read(file)
            own = known["runs"].setdefault(run_id, {})
            for path in workflows:
                if path not in own:
                    own[path] = known["last"][path] = known["last"].get(path, 0) + 1
            known["runs"] = dict(list(known["runs"].items())[-_REMEMBERED:])
            put_cached(file, json.dumps(known).encode())
            return {path: int(own[path]) for path in workflows}
    except (OSError, Problem):
        return {}


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(read_capped(file, _CAP))
        last, runs = document["last"], document["runs"]
        if all(isinstance(value, int) for value in last.values()) and all(
            isinstance(one, dict) for one in runs.values()
        ):
            return {"last": last, "runs": runs}
    except (Problem, OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"last": {}, "runs": {}}
