"""Who a change is by: what is claimed, what a key proves, and who is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecluse.git import Commit
from ecluse.intake.manifest import Manifest, clean
from ecluse.model import Agent
from ecluse.signing import fingerprint, principals

_KEPT = 50


def unknown(commits: Sequence[Commit], signers: bytes) -> tuple[str, ...]:
    """``Name <address>`` of every author and committer whom no listed key stands for; the first fifty."""
    known = {one.name.casefold() for one in principals(signers)}
    everybody = dict.fromkeys(who for commit in commits for who in (commit.author, commit.committer))
    found = {
        f"{clean(who.name)} <{clean(who.email)}>": None
        for who in everybody
        if not {who.name.strip().casefold(), who.email.strip().casefold()} & known
    }
    return tuple(found)[:_KEPT]


def describe(agent: Agent, people: Sequence[str], claims: Manifest | None, signers: bytes) -> dict[str, Any]:
    """What a change's record says of who made it; only what is known. ``agent.key`` is the principal who signed."""
    facts: dict[str, Any] = {
        "tool": clean(agent.tool),
        "model": clean(agent.model),
        "session": clean(agent.session),
        "signed_by": agent.key,
        "key": next((fingerprint(one) for one in principals(signers) if one.name == agent.key), ""),
        "people": list(people),
        "uncommitted": claims.uncommitted if claims else "",
        "branch": claims.branch if claims else "",
    }
    return {name: value for name, value in facts.items() if value}
