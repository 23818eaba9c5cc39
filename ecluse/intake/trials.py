"""Trying a kept change before it goes on: the build and the tests of its own tree, recorded with it."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Sequence
from typing import Any

from ecluse.clock import instant
from ecluse.errors import Invalid, Waits
from ecluse.git import Repository
from ecluse.git.nouns import EMPTY_TREE
from ecluse.history import History
from ecluse.intake.admission import write_receipt
from ecluse.model import Change, ChangeState, Event


def worth_trying(repository: Repository, change: Change) -> tuple[str, ...]:
    """Which of ``build`` and ``pytest`` find something to do in the change's tree."""
    names = repository.text("ls-tree", "-r", "--name-only", "--full-tree", "-z", change.head).split("\0")
    found = ["build"] if "package.json" in names else []
    tests = (posixpath.basename(name) for name in names if name.endswith(".py"))
    if any(name.startswith("test_") or name.endswith("_test.py") for name in tests):
        found.append("pytest")
    return tuple(found)


def try_out(
    repository: Repository, history: History, key: str, names: Sequence[str], *, actor: str
) -> tuple[Change, list[dict[str, Any]]]:
    """Run the named tools (``build``, ``pytest``, ``ruff``, ``mypy``) on the change's tree, in a clean clone of it.

    The results are kept with the change, bound to its tree. Raises :class:`Waits` (``validate.trust``) when nobody
    vouches for the change, :class:`Invalid` when it is not ready.
    """
    change = history.get(Change, key)
    if change is None or change.state is not ChangeState.READY:
        raise Invalid("change.over", f"{key} is not ready.", f"ecluse show {key}")
    if not change.trusted_by:
        raise Waits(
            "validate.trust",
            f"{key} comes from nobody whose key is known here: its code is not run.",
            f"ecluse review {key} --accept --why TEXT",
        )
    from ecluse.intake.toolchecks import run_tools

    with repository.temporary_clone() as room:
        changes = room.changed_paths(change.base or EMPTY_TREE, change.head)
        found = run_tools(room, change.head, changes, "complete", repository.work_tree, names)
    kept = [one for one in change.validations if one.get("name") not in names]
    told = ", ".join(f"{one['name']} {one['result']}" for one in found)
    with history.transaction():
        standing = history.get(Change, key)
        if standing is not None and standing.head == change.head:
            change = dataclasses.replace(standing, validations=(*kept, *found), updated_at=instant())
            write_receipt(repository.state_dir, change)
            data = {"validations": found, "tree": change.tree}
            history.record(change, Event("change.validated", change.subject, f"{key}: {told}", actor, data))
    return change, found
