"""Which machine a job asks for, and what is done when this one is another.

One Unix stands in for another, and the report says so: most jobs of a matrix over systems test the same commands. Windows
has other shells and paths, so such a job fails, saying so, unless it is told to be skipped.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ecluse.checks.values import to_text
from ecluse.errors import Invalid

CHOICES = ("here", "skip", "fail")
"""What may be said of a label: run its jobs on this machine, skip them, or fail them."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a job goes: ``choice`` is one of :data:`CHOICES`, ``reason`` says why when that is worth saying."""

    choice: str = "here"
    reason: str = ""


def place_labels(runs_on: Any, platforms: Mapping[str, str]) -> Placement:
    """What becomes of a job with this computed ``runs-on``; ``platforms`` maps label patterns to :data:`CHOICES`."""
    labels = [to_text(label) for label in labels_of(runs_on)]
    for pattern, choice in platforms.items():
        found = next((label for label in labels if fnmatchcase(label.lower(), pattern.lower())), None)
        if found is not None:
            return _chosen(found, pattern, choice)
    here = system_here()
    for label in labels:
        wanted = system_of(label.lower())
        if not wanted or wanted == here:
            continue
        if "Windows" in (wanted, here):
            return Placement(
                "fail",
                f"asks for a {wanted} machine ({label}), and this one runs {here}; "
                f"to leave such jobs out: --platform {label}=skip",
            )
        return Placement("here", f"asks for {wanted} ({label}) and runs on this {here} machine in its place")
    return Placement()


def labels_of(runs_on: Any) -> list[Any]:
    """The labels in a ``runs-on``: one, a list, or those of a group."""
    labels = runs_on.get("labels") if isinstance(runs_on, dict) else runs_on
    return labels if isinstance(labels, list) else [labels] if labels is not None else []


def _chosen(label: str, pattern: str, choice: str) -> Placement:
    if choice == "here":
        wanted, here = system_of(label.lower()), system_here()
        other = wanted and wanted != here
        return Placement(
            "here", f"asks for {wanted} ({label}) and runs on this {here} machine, as told" if other else ""
        )
    said = "are left out" if choice == "skip" else "are not to run"
    return Placement(choice, f"asks for {label}, and jobs for {pattern} {said} here")


def check_platforms(platforms: Mapping[str, str]) -> None:
    """Raises :class:`Invalid` when a label is mapped to anything but :data:`CHOICES`."""
    for label, choice in platforms.items():
        if choice not in CHOICES:
            raise Invalid(
                "checks.platform",
                f"The platform {label} is set to '{choice}', and must be one of {', '.join(CHOICES)}.",
                f"for example: ecluse run --platform {label}=skip",
            )


def system_of(label: str) -> str:
    """The system a label in lower case names, as ``RUNNER_OS`` writes it; empty when it names none."""
    if label.startswith(("windows", "win-")):
        return "Windows"
    if label.startswith(("macos", "mac-", "osx")):
        return "macOS"
    return "Linux" if label.startswith(("ubuntu", "linux", "debian")) else ""


def system_here() -> str:
    return {"win32": "Windows", "darwin": "macOS"}.get(sys.platform, "Linux")
