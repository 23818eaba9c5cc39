"""Secrets by name: a variable of the environment, or a file of one's own beside the history. Values are never recorded.

``<state>/secrets/NAME`` (readable by its owner only) wins over the variable ``NAME``, so that a secret that was renewed
here is the one in force. ``NAME.next`` is a new value that is not in force yet.
"""

from __future__ import annotations

import os
import re
import secrets as dice
from pathlib import Path

from ecluse.errors import Invalid, Refused
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.secrets.mask import Masker

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def path_of(repository: Repository, name: str) -> Path:
    """The file that may hold the secret ``name``. Raises :class:`Invalid` for what is no name of a variable."""
    if not _NAME.match(name):
        raise Invalid(
            "secret.name", f"{name!r} is not a secret's name (letters, digits, _).", "edit ecluse.toml on the trunk"
        )
    return repository.state_dir / "secrets" / name


def value(repository: Repository, name: str) -> str:
    """The secret ``name``. Raises :class:`Invalid` when there is none, :class:`Refused` for a file that others may read."""
    path = path_of(repository, name)
    if path.is_file():
        return _read(path)
    found = os.environ.get(name)
    if found:
        return found
    raise Invalid(
        "secret.missing",
        f"There is no secret {name}: neither a file {path} nor a variable of that name.",
        f"(umask 077; mkdir -p {path.parent}; cat > {path}), then go on",
    )


def prepare(repository: Repository, name: str, new: str) -> None:
    """Keep ``new`` as the next value of ``name``, not in force yet."""
    path = path_of(repository, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(_next(path), f"{new}\n".encode(), mode=0o600)


def prepared(repository: Repository, name: str) -> str | None:
    """The next value of ``name``, when one was prepared."""
    path = _next(path_of(repository, name))
    return _read(path) if path.is_file() else None


def enforce(repository: Repository, name: str) -> None:
    """Put the prepared value in force, by rename. Done already: nothing."""
    path = path_of(repository, name)
    if _next(path).exists():
        _next(path).replace(path)


def generate() -> str:
    """A random value: 32 bytes of the system's own randomness, as 43 characters."""
    return dice.token_urlsafe(32)


def masker(*values: str) -> Masker:
    """Hides these values in what a command said."""
    hides = Masker()
    for one in values:
        hides.add(one)
    return hides


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _read(path: Path) -> str:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise Refused("secret.readable", f"{path} may be read by others than its owner.", f"chmod 600 {path}")
    return path.read_text(encoding="utf-8").rstrip("\n")
