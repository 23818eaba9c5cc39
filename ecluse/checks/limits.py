"""How large workflows may be, as on GitHub; a test of a limit can set smaller ones."""

from __future__ import annotations

from dataclasses import dataclass

from ecluse.yaml12 import Mapping, Node, Scalar


@dataclass(frozen=True, slots=True)
class Limits:
    """``depth`` counts lists and mappings inside one another; ``jobs`` those of a run, called ones included.

    ``calls`` is how many workflows may be called inside one another below the first. ``permissions`` is what a token
    may do where no workflow says it: ``read`` (GitHub's setting for new repositories: contents and packages),
    ``write`` (everything), or nothing when the repository's settings are not known.
    """

    depth: int = 50
    jobs: int = 1_000
    calls: int = 9
    permissions: str = ""


def depth_of(node: Node) -> int:
    """How many lists and mappings stand inside one another in ``node``."""
    if isinstance(node, Scalar):
        return 0
    inner = [value for _, value in node.entries] if isinstance(node, Mapping) else node.items
    return 1 + max((depth_of(item) for item in inner), default=0)
