"""``ecluse keys``: who is who. Edits ``.ecluse/allowed_signers`` in the work tree; it counts once it is on the trunk."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.model import Role

_ROLES = click.Choice([role.value for role in Role])
_COMMIT = "  next: git add .ecluse/allowed_signers && git commit -m 'keys' (it counts once it is on the trunk)"


@click.group("keys", no_args_is_help=True)
def command() -> None:
    """List, make, add and remove the keys of people and agents. A role says what a key may sign: agent (bundles), human (also
    approvals), admin (also keys and policy).
    """


@command.command("list")
@door()
def list_keys(frame: Frame) -> None:
    """List everybody, with role and key; says who is not on the trunk yet."""
    from ecluse import signing
    from ecluse.intake import keyring
    from ecluse.trunk import open_trunk

    here = keyring.listed(frame.repository)
    landed = {one.key for one in signing.principals(open_trunk(frame.repository).signers)}
    rows = [{"name": p.name, "role": p.role.value, "key": p.key, "on_trunk": p.key in landed} for p in here]
    lines = [
        f"{p.name:<24} {p.role:<6} {p.key[:48]}...{'' if p.key in landed else '  (not on the trunk yet)'}" for p in here
    ]
    frame.emit({"keys": rows}, "\n".join(lines) or "No keys yet. Make one with: ecluse keys make NAME --role human")


@command.command("make")
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the key may sign.")
@click.option("--key", default="", metavar="FILE", help="Where the private key goes (default: your configuration).")
@door()
def make_key(frame: Frame, name: str, role: str, key: str) -> None:
    """Make a key pair for NAME and add its public half to the list."""
    from ecluse.intake import keyring

    made, path = keyring.make(frame.repository, name, Role(role), (frame.folder / key).absolute() if key else None)
    whose = "give it to this agent alone" if made.role is Role.AGENT else "keep it from agents"
    text = f"{made.name} ({made.role}) has a key now; its private half is {path}: {whose}.\n{_COMMIT}"
    frame.emit({"name": made.name, "role": made.role.value, "key": made.key, "private": str(path)}, text)


@command.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the key may sign.")
@click.option("--key", required=True, metavar="FILE.pub", help="The public key, as ssh-keygen wrote it.")
@door()
def add_key(frame: Frame, name: str, role: str, key: str) -> None:
    """Add the public key of NAME to the list."""
    from ecluse.files import read_capped
    from ecluse.intake import keyring

    public = read_capped(frame.folder / key, 64 << 10).decode("utf-8", "replace")
    added = keyring.add(frame.repository, name, Role(role), public)
    frame.emit(
        {"name": added.name, "role": added.role.value, "key": added.key},
        f"{added.name} ({added.role}) is in the list now.\n{_COMMIT}",
    )


@command.command("remove")
@click.argument("name")
@door()
def remove_key(frame: Frame, name: str) -> None:
    """Take NAME off the list: what the key signs counts no more once that is on the trunk."""
    from ecluse.intake import keyring

    gone = keyring.remove(frame.repository, name)
    frame.emit(
        {"name": gone.name, "role": gone.role.value, "key": gone.key},
        f"{gone.name} ({gone.role}) is no longer in the list.\n{_COMMIT}",
    )
