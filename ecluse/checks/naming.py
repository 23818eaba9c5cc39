"""The names of actions and workflows of other repositories, as they stand behind ``uses``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BASE = re.compile(r"(https?://[^/@\s]+)/")


@dataclass(frozen=True, slots=True)
class Reference:
    """``owner/repo/path@ref``. ``base`` is the address in front of it, which Forgejo allows; empty for the usual one."""

    base: str
    name: str
    path: str
    ref: str

    @property
    def location(self) -> str:
        """Owner, repository and path, wherever they are fetched from."""
        return f"{self.name}/{self.path}" if self.path else self.name

    @property
    def repository(self) -> str:
        """The repository, with the address in front of it when there is one."""
        return f"{self.base}/{self.name}" if self.base else self.name


def split_reference(uses: str) -> Reference:
    """The parts of ``uses``; what is missing is empty."""
    found = _BASE.match(uses)
    base = found[1] if found else ""
    location, _, ref = uses[len(base) + 1 if base else 0 :].partition("@")
    parts = location.split("/")
    return Reference(base, "/".join(parts[:2]), "/".join(parts[2:]), ref)


def without_base(repository: str) -> str:
    """Owner and name of a repository, without an address in front."""
    return _BASE.sub("", repository, count=1)
