"""What git's configuration says of one repository, asked in one question."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ecluse.git.nouns import Identity, names_somebody
from ecluse.process import Completed

LIST = ("config", "--list", "--show-origin", "--null")

Row = tuple[str, str, str]
"""Where it stands (``file:PATH``, ``command line:``), key, value."""


Seen = tuple[tuple[int, int, int], "Settings | None"]
"""What the repository's own file looked like (time, bytes, number), and what git said then."""


class Settings:
    """The rows of ``git config`` as :data:`LIST` asks for them, in the order in which the last one counts.

    ``own`` is the repository's own file. What that file includes is not its own: a commit could change it.
    """

    def __init__(self, rows: Sequence[Row], own: str) -> None:
        self._rows = rows
        self._own = own

    @classmethod
    def parse(cls, listed: bytes, own: Path) -> Settings:
        """Read what git printed: the origin, then the key, a line end and the value."""
        fields = iter(os.fsdecode(listed).split("\0"))
        rows = []
        for origin, item in zip(fields, fields, strict=False):
            key, newline, value = item.partition("\n")
            if newline:  # a key without a value says no more than that somebody wrote it
                rows.append((origin, key, value))
        return cls(rows, f"file:{own}")

    @property
    def knows_own(self) -> bool:
        """Whether git names the repository's own file as we do; where it does not, that file has to be asked for."""
        return any(origin == self._own for origin, _, _ in self._rows)

    def own(self, key: str) -> str | None:
        """The value of ``key`` in the repository's own file, or ``None``."""
        wanted = canonical(key)
        found = [value for origin, name, value in self._rows if origin == self._own and name == wanted]
        return found[-1] if found else None

    def owned(self, prefix: str, suffix: str) -> dict[str, str]:
        """Key and value of the repository's own file, for keys that begin and end so."""
        return {
            name: value for origin, name, value in self._rows
            if origin == self._own and name.startswith(prefix) and name.endswith(suffix)
        }  # fmt: skip

    def effective(self, key: str) -> str | None:
        """The value of ``key`` that counts here, from whichever file, or ``None``."""
        wanted = canonical(key)
        found = [value for _, name, value in self._rows if name == wanted]
        return found[-1] if found else None

    def identity(self) -> Identity | None:
        """The user's name and mail address, or ``None`` when one of them is missing, or is none that git takes."""
        name, email = _readable(self.effective("user.name") or ""), _readable(self.effective("user.email") or "")
        return Identity(name, email) if names_somebody(name) and email else None


def look(run: Callable[..., Completed], own: Path, seen: Seen | None) -> Seen | None:
    """What git's configuration says now; ``run`` runs git in the repository whose own file is ``own``.

    ``seen`` is what was found before, and stands for as long as that file is the same. ``None`` when there is no file.
    """
    try:
        facts = own.stat()
    except OSError:
        return None
    mark = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
    if seen is not None and seen[0] == mark:
        return seen
    asked = run(*LIST, check=False, user_config=True)
    return mark, Settings.parse(asked.stdout, own) if asked.code == 0 else None


def _readable(text: str) -> str:
    """A value as a name or an address that may be shown and written anywhere."""
    return os.fsencode(text).decode("utf-8", "replace").strip()


def canonical(key: str) -> str:
    """A key as git lists it: section and name in small letters, what stands between them as it was written."""
    section, _, rest = key.partition(".")
    middle, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{middle}{dot}{name.lower()}"
