"""A host: this machine or one that OpenSSH reaches. Commands are given to its ``sh``, data goes by standard input.

Nothing is asked on the way (``BatchMode``): a host whose key is not known, or that wants a password, is an error with
the command to type. Values never stand among the words of a command, where other users of the host could read them.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from ecluse import process
from ecluse.errors import Failed
from ecluse.process import Completed
from ecluse.release.target import Target

HERE = "."
"""The name of this machine among an environment's hosts."""

CONNECT_S = 10
"""Seconds that a host has to answer."""

_UNREACHED = 255
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL", "SSH_AUTH_SOCK")
_OF_ENGINES = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
)
"""Where this machine's container engine is reached; a far host has its own."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host by the name that ssh knows, or ``.`` for this machine. ``ssh_config`` is a file for ``ssh -F``."""

    name: str
    ssh_config: str = ""

    def argv(self, script: str, words: Sequence[str] = (), variables: Mapping[str, str] | None = None) -> list[str]:
        """The command of this machine that has ``script`` run on the host, with ``words`` as ``$1``, ``$2``, ..."""
        pairs = [f"{name}={value}" for name, value in (variables or {}).items()]
        far = ["env", *pairs, "sh", "-c", script, "ecluse", *words]
        if self.name == HERE:
            return far
        config = ["-F", self.ssh_config] if self.ssh_config else []
        options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}", "-o", "ServerAliveInterval=15"]
        return ["ssh", *config, *options, "-T", "--", self.name, shlex.join(far)]

    def run(
        self,
        script: str,
        words: Sequence[str] = (),
        *,
        variables: Mapping[str, str] | None = None,
        stdin: bytes | IO[bytes] = b"",
        timeout_s: float = 600.0,
        check: bool = True,
    ) -> Completed:
        """Run ``script`` on the host to its end.

        Raises :class:`Failed`: ``host.unreachable`` when ssh could not get there, ``host.command`` for a status other
        than 0 (with ``check``), ``process.timeout``.
        """
        kept = (*_INHERITED, *_OF_ENGINES) if self.name == HERE else _INHERITED
        env = {name: os.environ[name] for name in kept if name in os.environ}
        words_ = self.argv(script, words, variables)
        done = process.run(words_, env=env, stdin=stdin, timeout_s=timeout_s, check=False)
        said = done.stderr.decode("utf-8", "replace").strip()[-600:]
        if self.name != HERE and done.code == _UNREACHED:
            raise Failed("host.unreachable", f"ssh could not reach {self.name}: {said}", f"{self.command} true")
        if check and done.code != 0:
            heard = said or done.stdout.decode("utf-8", "replace").strip()[-600:]
            raise Failed(
                "host.command",
                f"On {self.label} a command ended with status {done.code}: {heard or 'it said nothing'}",
                self.command if self.name != HERE else "look at the command in ecluse.toml",
            )
        return done

    def text(self, script: str, words: Sequence[str] = (), *, variables: Mapping[str, str] | None = None) -> str:
        """What ``script`` prints, without the white space around it."""
        return self.run(script, words, variables=variables).stdout.decode("utf-8", "replace").strip()

    @property
    def command(self) -> str:
        """What a person types to get there the same way."""
        return shlex.join(["ssh", *(["-F", self.ssh_config] if self.ssh_config else []), self.name])

    @property
    def label(self) -> str:
        """The host as people call it."""
        return "this machine" if self.name == HERE else self.name


def hosts_of(target: Target) -> list[Host]:
    """Every host of an environment; one without hosts is on this machine."""
    return [Host(name, target.ssh_config) for name in target.hosts or (HERE,)]
