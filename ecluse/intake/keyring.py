"""The list of who is who, ``.ecluse/allowed_signers``, as it lies in the work tree. It counts once it is committed."""

from __future__ import annotations

import os
from pathlib import Path

from ecluse import signing
from ecluse.errors import Invalid
from ecluse.files import read_capped, write_atomically
from ecluse.git import Repository
from ecluse.model import Role
from ecluse.patterns import expression
from ecluse.signing import Principal
from ecluse.trunk import SIGNERS_PATH

_NAME = expression(r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,99}\Z")
_CAP = 1 << 20
_HEAD = "# Who is who: name, what they may sign, public key. Only the version on the trunk counts.\n"


def signers_file(repository: Repository) -> Path:
    """Where the list lies. Raises :class:`Invalid` for a bare repository."""
    if repository.work_tree is None:
        raise Invalid(
            "keys.bare",
            "This repository has no work tree to edit the list of keys in.",
            "ecluse keys list -C A_CHECKOUT",
        )
    return repository.work_tree / SIGNERS_PATH


def listed(repository: Repository) -> list[Principal]:
    """Everybody in the work tree's list. Raises :class:`Invalid` when a line of it is wrong."""
    path = signers_file(repository)
    return signing.principals(read_capped(path, _CAP)) if path.exists() else []


def add(repository: Repository, name: str, role: Role, public: str) -> Principal:
    """Add a key (``type base64``, or the content of a ``.pub`` file). Raises :class:`Invalid` for a name or key already there."""
    words = public.split()
    if not _NAME.match(name):
        raise Invalid(
            "keys.name",
            f"{name!r} is not a name for a key (letters, digits and @._+-).",
            "ecluse keys add NAME --role ROLE --key FILE.pub",
        )
    if "PRIVATE KEY" in public[:100]:
        raise Invalid(
            "keys.private",
            "That is a private key; it stays where it is and goes into no list.",
            "give the .pub file that ssh-keygen wrote beside it",
        )
    if len(words) < 2 or not signing.is_key(words[0], words[1]):
        raise Invalid(
            "keys.public",
            "That is not a public key in OpenSSH's form (`type base64`).",
            "give the .pub file that ssh-keygen wrote",
        )
    newcomer = Principal(name, role, f"{words[0]} {words[1]}")
    present = listed(repository)
    for one in present:
        if one.name == name or one.key == newcomer.key:
            raise Invalid(
                "keys.exists",
                f"{one.name} ({one.role}) is in the list already with that name or key.",
                "ecluse keys list",
            )
    path = signers_file(repository)
    text = path.read_text("utf-8") if path.exists() else _HEAD
    if text and not text.endswith("\n"):
        text += "\n"
    write_atomically(path, (text + signing.signer_line(newcomer)).encode("utf-8"))
    return newcomer


def remove(repository: Repository, name: str) -> Principal:
    """Take the key of ``name`` off the list; what it signed before stays signed. Raises :class:`Invalid` when unknown."""
    gone = next((one for one in listed(repository) if one.name == name), None)
    if gone is None:
        raise Invalid("keys.unknown", f"Nobody called {name!r} is in the list.", "ecluse keys list")
    path = signers_file(repository)
    lines = read_capped(path, _CAP).splitlines(keepends=True)
    kept = [line for line in lines if line.split()[:1] != [name.encode("utf-8", "backslashreplace")]]
    write_atomically(path, b"".join(kept))
    return gone


def make(repository: Repository, name: str, role: Role, path: Path | None) -> tuple[Principal, Path]:
    """Make a key pair and add its public half. Raises :class:`Invalid` when the file is there already."""
    where = path or default_folder() / name
    if not _NAME.match(name):
        raise Invalid(
            "keys.name",
            f"{name!r} is not a name for a key (letters, digits and @._+-).",
            "ecluse keys make NAME --role ROLE",
        )
    if where.exists() or where.with_name(where.name + ".pub").exists():
        raise Invalid(
            "keys.file_exists",
            f"{where} is there already; no key is ever overwritten.",
            f"ecluse keys add {name} --role {role} --key {where}.pub",
        )
    if any(one.name == name for one in listed(repository)):
        raise Invalid("keys.exists", f"{name} is in the list already.", "ecluse keys list")
    return add(repository, name, role, signing.make_key(where, name)), where


def default_folder() -> Path:
    """Where private keys are made unless asked otherwise: the user's configuration, never a repository."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "ecluse" / "keys"
