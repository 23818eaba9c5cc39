"""Tags: made annotated, signed when there is a key, pushed and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecluse.errors import Failed, Invalid, Refused
from ecluse.git import Repository

PUSH_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Key:
    """A key that git signs with: its ``gpg.format`` (``ssh``, ``openpgp``, ``x509``) and its name or file."""

    format: str
    name: str


def signing_key(repository: Repository, file: str = "") -> Key | None:
    """The key that tags are signed with: the file that is named, else git's own ``user.signingkey``, else none."""
    if file:
        path = Path(file).expanduser()
        if not path.is_file():
            raise Invalid("tag.key", f"There is no key {path}.", "ecluse keys make NAME --role human")
        return Key("ssh", str(path))
    name = _config(repository, "user.signingkey")
    return Key(_config(repository, "gpg.format") or "openpgp", name) if name else None


def make(repository: Repository, name: str, commit: str, message: str, env: Mapping[str, str], key: Key | None) -> None:
    """Make the annotated tag, signed with ``key``. Raises :class:`Failed` when the key cannot sign."""
    settings = ("-c", f"gpg.format={key.format}", "-c", f"user.signingkey={key.name}") if key else ()
    words = (*settings, "tag", "-s" if key else "-a", "-F", "-", "--end-of-options", name, commit)
    done = repository.run(
        *words, stdin=message.encode("utf-8"), extra_env=env, user_config=key is not None, check=False, timeout_s=120
    )
    unsigned = key is not None and done.code == 0 and not is_signed(repository, name)
    if unsigned:  # git 2.39 makes a plain tag, and says 0, when ssh-keygen could not sign
        repository.run("update-ref", "-d", f"refs/tags/{name}")
    if done.code != 0 or unsigned:
        said = done.stderr.decode("utf-8", "replace").strip()[-400:]
        raise Failed("tag.not_made", f"git could not make the tag {name}: {said}", f"git tag -a {name} {commit[:12]}")


def is_signed(repository: Repository, name: str) -> bool:
    """Whether the tag carries a signature."""
    held = repository.run("cat-file", "tag", f"refs/tags/{name}", check=False).stdout
    return b"\n-----BEGIN " in held


def push(repository: Repository, remote: str, name: str) -> None:
    """Push the tag and nothing else, with the user's own credentials; an existing one is never moved."""
    ref = f"refs/tags/{name}"
    words = ("push", "--quiet", "--end-of-options", remote, f"{ref}:{ref}")
    done = repository.run(*words, user_config=True, check=False, timeout_s=PUSH_TIMEOUT_S)
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-400:]
        raise Failed(
            "tag.not_pushed", f"The tag {name} could not be pushed to {remote}: {said}", f"git push {remote} {name}"
        )


def is_pushed(repository: Repository, remote: str, name: str) -> bool:
    """Whether the remote has this very tag. Raises :class:`Refused` when it has another one of the name."""
    ref = f"refs/tags/{name}"
    words = ("ls-remote", "--end-of-options", remote, ref)
    listed = repository.run(*words, user_config=True, timeout_s=PUSH_TIMEOUT_S).stdout.decode("utf-8", "replace")
    there = next((line.split("\t")[0] for line in listed.splitlines() if line.endswith(f"\t{ref}")), "")
    if there and there != repository.refs(ref).get(ref):
        raise Refused(
            "tag.other_at_remote",
            f"{remote} has another tag {name}; it was left alone.",
            f"git ls-remote {remote} {name}",
        )
    return bool(there)


def _config(repository: Repository, key: str) -> str:
    done = repository.run("config", "--get", key, user_config=True, check=False)
    return done.stdout.decode("utf-8", "replace").strip() if done.code == 0 else ""
