"""``permissions:`` as data, and whether a called workflow asks for more than its caller may give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecluse.checks.workflow import Workflow

Rights = dict[str, str]
"""Scope -> ``read`` or ``write``; what is absent is ``none``."""

SCOPES = (
    "actions", "checks", "contents", "deployments", "discussions", "issues", "packages", "pages", "pull-requests",
    "repository-projects", "statuses", "security-events", "id-token",
)  # fmt: skip
_RANK = {"none": 0, "read": 1, "write": 2}


def rights_of(permissions: Any) -> Rights | None:
    """What a ``permissions:`` gives; ``None`` when it is not written and the repository's settings decide."""
    if permissions is None:
        return None
    if isinstance(permissions, str):
        level = permissions.removesuffix("-all")
        return dict.fromkeys(SCOPES, level)
    return {name: str(level) for name, level in permissions.items()}


def default_rights(policy: str) -> Rights | None:
    """What a token may do where no workflow says it, under the policy ``read`` or ``write``; else not known."""
    if policy == "read":
        return {"contents": "read", "packages": "read"}
    return dict.fromkeys(SCOPES, "write") if policy == "write" else None


def excess(uses: str, called: Workflow, allowed: Rights) -> list[str]:
    """A sentence for the called workflow, and for each of its jobs, that asks for more than ``allowed``."""
    found = []
    asked = [(f"The workflow '{uses}'", called.permissions)]
    asked += [(f"The nested job '{job.name or job.id}'", job.permissions) for job in called.jobs]
    for who, permissions in asked:
        wanted = rights_of(permissions)
        above = [
            name
            for name in (*SCOPES, *sorted(set(wanted or {}) - set(SCOPES)))
            if _RANK[(wanted or {}).get(name, "none")] > _RANK[allowed.get(name, "none")]
        ]
        if not above or wanted is None:
            continue
        asks = ", ".join(f"{name}: {wanted[name]}" for name in above)
        gets = ", ".join(f"{name}: {allowed.get(name, 'none')}" for name in above)
        found.append(f"Error calling workflow '{uses}'. {who} is requesting '{asks}', but is only allowed '{gets}'.")
    return found
