"""Drives one release in a process of its own, and kills that process at a named point.

``python driver.py FOLDER RELEASE [MOMENT EFFECT]``: MOMENT is ``begun`` (journalled, not done), ``done`` (done, not
recorded), or ``recorded`` (recorded, the step not passed). Without them it drives until the release rests.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ecluse.git import Repository
from ecluse.history import History, journal
from ecluse.release.steps import ACTIONS


def kill_at(moment: str, effect: str) -> None:
    """Have this process die by SIGKILL when ``effect`` is at ``moment``."""
    real = journal.perform

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(real)
    def perform(history: Any, subject: str, step: str, do: Any, **words: Any) -> Any:
        if step != effect:
            return real(history, subject, step, do, **words)

        def act(plan: Any) -> Any:
            if moment == "begun":
                die()
            result = do(plan)
            if moment == "done":
                die()
            return result

        result = real(history, subject, step, act, **words)
        if moment == "recorded":
            die()
        return result

    names = [f"ecluse.release.steps.{module}" for module in ACTIONS.values()] + [
        "ecluse.release.retreat",
        "ecluse.release.deploy.carrier",
    ]
    for name in names:
        module = importlib.import_module(name)
        if hasattr(module, "perform"):
            module.perform = perform


def main() -> None:
    spec = importlib.util.spec_from_file_location("release_conftest", Path(__file__).with_name("conftest.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yard = module.Yard.__new__(module.Yard)
    yard.folder = Path(sys.argv[1])
    yard.repository = Repository.discover(yard.folder)
    yard.history = History.open(yard.repository.state_dir)
    if len(sys.argv) > 3:
        kill_at(sys.argv[3], sys.argv[4])
    print(yard.drive(sys.argv[2]).state)


if __name__ == "__main__":
    main()
