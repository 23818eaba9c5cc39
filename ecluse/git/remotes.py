"""Other places of the same repository: what they are called, what they hold, and pushing to them.

Their addresses are shown and recorded without whatever in them may be a secret.
"""

from __future__ import annotations

import os
import re

from ecluse.dataclass import dataclass
from ecluse.errors import Failed, Refused
from ecluse.git.repository import Repository
from ecluse.patterns import expression

TIMEOUT_S = 300.0
_WEB = expression(r"^(https?://)[^/@]*@", re.IGNORECASE)
_PASSWORD = expression(r"^([a-z][a-z0-9+.-]*://[^/@:]*):[^/@]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that was read back: the remote's ``ref`` went from ``old`` (empty: it was not there) to ``new``."""

    remote: str
    address: str
    ref: str
    old: str
    new: str


def public_address(url: str) -> str:
    """``url`` without user and password (of ssh: without the password) and without a query."""
    bare = url.partition("?")[0] if "://" in url else url
    return _PASSWORD.sub(r"\1@", _WEB.sub(r"\1", bare))


def remote_names(repository: Repository) -> list[str]:
    """The remotes of this repository, ``origin`` first."""
    names = repository.text("remote", check=False).split("\n")
    return sorted((name for name in names if name), key=lambda name: (name != "origin", name))


def address_of(repository: Repository, remote: str) -> str:
    """The public address of a remote; empty when it has none."""
    return public_address(repository.config(f"remote.{remote}.url") or "")


def remote_for(repository: Repository, ref: str) -> str:
    """The remote to push ``ref`` to: the branch's own, else the default for pushes, else ``origin``, else the only one."""
    names = remote_names(repository)
    branch = ref.removeprefix("refs/heads/")
    for key in (f"branch.{branch}.pushRemote", "remote.pushDefault", f"branch.{branch}.remote"):
        chosen = repository.config(key)
        if chosen in names:
            return str(chosen)
    return names[0] if names and (names[0] == "origin" or len(names) == 1) else ""


def look(repository: Repository, remote: str, ref: str) -> str:
    """What ``ref`` is at on the remote now; empty when it is not there. Raises :class:`Failed` (``push.unreachable``)."""
    done = repository.run(
        "ls-remote", "--quiet", "--end-of-options", remote, ref, check=False, user_config=True, timeout_s=TIMEOUT_S
    )
    if done.code:
        said = _said(repository, remote, done.stderr)
        raise Failed(
            "push.unreachable",
            f"The remote {remote} ({address_of(repository, remote)}) cannot be read: {said}",
            f"git ls-remote {remote}",
        )
    rows = (line.partition("\t") for line in done.stdout.decode("ascii", "replace").splitlines())
    return next((oid for oid, _, name in rows if name == ref), "")


def push(repository: Repository, remote: str, ref: str, new: str, old: str) -> Pushed:
    """Bring ``ref`` on the remote from ``old`` to ``new`` (empty: delete it) by compare-and-swap, then read it back.

    The hooks in this repository's own ``hooks`` folder run (``pre-push`` is the owner's own gate); those that a work
    tree brings do not. Raises :class:`Refused` (``push.rejected``: the remote, or a hook, said no) and
    :class:`Failed` (``push.unreachable``, ``push.read_back``).
    """
    hooks = repository.common_dir / "hooks"
    done = repository.run(
        *(["-c", f"core.hooksPath={hooks}"] if hooks.is_dir() else []),
        "push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no", f"--force-with-lease={ref}:{old}",
        "--end-of-options", remote, f"{new}:{ref}", check=False, user_config=True, timeout_s=TIMEOUT_S,
    )  # fmt: skip
    address = address_of(repository, remote)
    if done.code:
        said = _said(repository, remote, done.stderr + b"\n" + done.stdout)
        raise Refused(
            "push.rejected",
            f"{remote} ({address}) did not take {ref.removeprefix('refs/heads/')}: {said}",
            f"git fetch {remote}, look at git log {ref.removeprefix('refs/heads/')}..{remote}/{ref.removeprefix('refs/heads/')}, then push again",
        )
    found = look(repository, remote, ref)
    if found != new:
        raise Failed(
            "push.read_back",
            f"{remote} said yes, but {ref} is at {found[:12] or 'nothing'} there and not at {new[:12] or 'nothing'}.",
            f"git ls-remote {remote} {ref}",
        )
    return Pushed(remote, address, ref, old, new)


def _said(repository: Repository, remote: str, output: bytes) -> str:
    """What git complained about, on one line, without the address as it is written in the configuration."""
    text = output.decode("utf-8", "replace")
    url = repository.config(f"remote.{remote}.url") or ""
    if url:
        text = text.replace(url, public_address(url))
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("To ", "Done", "hint:"))]
    return os.fsdecode(" ".join(dict.fromkeys(kept)).encode("utf-8", "replace"))[:600] or "no reason was given"
