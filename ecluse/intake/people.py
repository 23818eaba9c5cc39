"""Who a change is by: what is claimed, what a key proves, and who is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ecluse.git import Commit
from ecluse.intake.manifest import clean
from ecluse.signing import fingerprint, principals

if TYPE_CHECKING:
    from ecluse.intake.judgement import Judgement

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


def describe(judgement: Judgement, signers: bytes) -> dict[str, Any]:
    """What a change's record says of who made it; only what is known. The agent's key is the principal who signed."""
    agent, claims = judgement.agent, judgement.claims
    facts: dict[str, Any] = {
        "tool": clean(agent.tool),
        "model": clean(agent.model),
        "session": clean(agent.session),
        "signed_by": agent.key,
        "key": next((fingerprint(one) for one in principals(signers) if one.name == agent.key), ""),
        "people": list(judgement.people),
        "uncommitted": judgement.uncommitted,
        "branch": claims.branch if claims else "",
    }
    return {name: value for name, value in facts.items() if value}
