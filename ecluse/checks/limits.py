"""How large workflows may be, as on GitHub; a test of a limit can set smaller ones."""

from __future__ import annotations

from dataclasses import dataclass

from ecluse.yaml12 import Mapping, Node, Scalar


@dataclass(frozen=True, slots=True)
class Limits:
    """``depth`` counts lists and mappings inside one another; ``jobs`` those of a run, called ones included.

    ``calls`` is how many workflows may be called inside one another below the first. ``permissions`` is what a token
    may do where no workflow says it: ``read`` (GitHub's setting for new repositories: contents and packages),
    ``write`` (everything), or nothing when the repository's settings are not known. ``files`` is how many different
    files a run may read, ``characters`` how long each may be, and ``size`` what all they say may come to, in the
    bytes of :func:`size_of`.
    """

    depth: int = 50
    jobs: int = 1_000
    calls: int = 9
    files: int = 51
    characters: int = 1 << 20
    size: int = 10 << 20
    permissions: str = ""


OBJECT_BYTES = 24
TEXT_BYTES = 26
CHARACTER_BYTES = 2
"""What GitHub counts for anything that a file says, for a text besides, and for each character of it."""


def text_size(text: str) -> int:
    """What GitHub counts for a text that is not a part of a document, as the name of a file is."""
    return TEXT_BYTES + CHARACTER_BYTES * len(text)


def size_of(node: Node) -> int:
    """What ``node`` and all in it come to in GitHub's bytes; expressions count as they are written."""
    if isinstance(node, Mapping):
        inner = sum(OBJECT_BYTES + text_size(key.text) + size_of(value) for key, value in node.entries)
        return OBJECT_BYTES + inner
    if isinstance(node, Scalar):
        return OBJECT_BYTES + (text_size(node.value) if isinstance(node.value, str) else 0)
    return OBJECT_BYTES + sum(size_of(item) for item in node.items)


def depth_of(node: Node) -> int:
    """How many lists and mappings stand inside one another in ``node``."""
    if isinstance(node, Scalar):
        return 0
    inner = [value for _, value in node.entries] if isinstance(node, Mapping) else node.items
    return 1 + max((depth_of(item) for item in inner), default=0)
