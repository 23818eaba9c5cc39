"""What a verb may raise for something a person can act on, and the exit status each kind has.

Every problem says what happened and why (``message``) and the next command to type (``hint``), and carries a stable
dotted ``code`` for machines. Anything else that escapes a verb is a bug and is logged whole by the door.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Exit statuses of every command (``ecluse help exit-codes`` prints this table)."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    WAITS = 3
    REFUSED = 4
    RED = 5
    INTERRUPTED = 130


EXIT_MEANINGS: dict[ExitStatus, str] = {
    ExitStatus.DONE: "done, verified and recorded",
    ExitStatus.FAILED: "failed: the machine, the network or a tool did not do its part",
    ExitStatus.INVALID: "the command or its input is wrong (usage, unknown id, faulty workflow or playbook)",
    ExitStatus.WAITS: "waits for a person (gate, quarantine, conflict, unaccepted omissions, blocked checkout)",
    ExitStatus.REFUSED: "refused (policy, signature, authority, damaged or hostile bundle)",
    ExitStatus.RED: "checks are red",
    ExitStatus.INTERRUPTED: "interrupted",
}


class Problem(Exception):
    """A result that is not success, with everything a person or a program needs to go on.

    ``code`` is dotted and stable (``bundle.truncated``), ``message`` is one or more sentences, ``hint`` is the next
    command to type (may be empty only when nothing can be typed), ``details`` is JSON-able material for ``--json``.
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.FAILED

    def __init__(self, code: str, message: str, hint: str = "", details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details: dict[str, object] = details or {}

    def as_dict(self) -> dict[str, object]:
        """The ``--json`` form: ``{code, message, hint}`` plus ``details`` when there are any."""
        document: dict[str, object] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.details:
            document["details"] = self.details
        return document


class Failed(Problem):
    """The world did not do its part: disk full, process died, network gone. Exit status 1."""


class Invalid(Problem):
    """The command or its input is wrong: usage, unknown id, faulty workflow or playbook. Exit status 2."""

    exit_status = ExitStatus.INVALID


class Unsupported(Invalid):
    """A form that Écluse knows of and does not carry out. It says so instead of guessing. Exit status 2."""


class Waits(Problem):
    """A person has to decide or act before this can go on. Exit status 3."""

    exit_status = ExitStatus.WAITS


class Refused(Problem):
    """Policy, signature, authority or integrity forbids it. Exit status 4."""

    exit_status = ExitStatus.REFUSED


class Red(Problem):
    """The checks ran and did not pass. Exit status 5."""

    exit_status = ExitStatus.RED
