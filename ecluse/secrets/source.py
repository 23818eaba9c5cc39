"""Values that a policy names and does not hold: ``env:NAME`` stands for a variable of this process."""

from __future__ import annotations

import os

from ecluse.errors import Invalid


def from_environment(written: str) -> str:
    """What the policy writes, or for ``env:NAME`` that variable. Raises :class:`Invalid` when it is not set."""
    if not written.startswith("env:"):
        return written
    name = written.removeprefix("env:")
    found = os.environ.get(name, "")
    if not found:
        raise Invalid(
            "policy.variable",
            f"the variable {name} that the policy names is not set here",
            f"export {name}=... where ecluse serve or ecluse land is started",
        )
    return found
