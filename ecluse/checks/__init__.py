"""Lock 2: does it work? A GitHub Actions engine that needs neither Docker nor GitHub.

``run(tree, request)`` runs the workflows of any folder and returns a report; ``plan`` says what would run; ``select``
which workflow files an event starts. Nothing here reads or keeps state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecluse.checks.planning import Plan, plan
    from ecluse.checks.report import update_ci_status
    from ecluse.checks.request import RunRequest
    from ecluse.checks.runner import run
    from ecluse.checks.triggers import select

__all__ = ["Plan", "RunRequest", "plan", "run", "select", "update_ci_status"]

_HOMES = {
    "Plan": "ecluse.checks.planning",
    "RunRequest": "ecluse.checks.request",
    "plan": "ecluse.checks.planning",
    "run": "ecluse.checks.runner",
    "select": "ecluse.checks.triggers",
    "update_ci_status": "ecluse.checks.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ecluse.checks' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
