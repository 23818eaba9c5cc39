"""What a step says and hands over: printed commands as they come, and its environment files when it has ended."""

from __future__ import annotations

from pathlib import Path

from ecluse.checks import commands
from ecluse.checks.commands import Command
from ecluse.checks.envfiles import BLOCKED, FileCommandProblem, parse_lines, parse_pairs
from ecluse.checks.session import Session
from ecluse.files import read_capped

MAX_FILE_BYTES = 16 << 20
_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
_UNSECURE = "ACTIONS_ALLOW_UNSECURE_COMMANDS"


class StepOutput:
    """Receives the lines of one step. ``failure`` is why the step fails although its process may not have."""

    def __init__(self, session: Session, env: dict[str, str]) -> None:
        self.session = session
        self.outputs: dict[str, str] = {}
        self.state: dict[str, str] = {}
        self.failure = ""
        self.closed = False
        self._stop = ""
        self._unsecure = env.get(_UNSECURE) == "true"
        self.files: dict[str, Path] = {}
        for name in _FILES:
            path = session.new_file("_" + name.lower())
            path.touch()
            self.files[name] = path

    @property
    def variables(self) -> dict[str, str]:
        """The variables that tell a step where its files are."""
        return {name: str(path) for name, path in self.files.items()}

    def line(self, text: str) -> None:
        """One line of the step's output; lines of what it left running after its end are dropped."""
        if self.closed:
            return
        command = commands.parse(text) if "::" in text or "##[" in text else None
        if self._stop:
            if command is not None and command.name == self._stop:
                self._stop = ""
            else:
                self.session.log.line(text)
        elif command is None or command.name not in commands.KNOWN:
            self.session.log.line(text)
        else:
            self.obey(command)

    def obey(self, command: Command) -> None:
        log = self.session.log
        name, data, properties = command.name, command.data, command.properties
        if name in ("error", "warning", "notice"):
            line = properties.get("line", "")
            log.note(name, data, properties.get("file", ""), int(line) if line.isdecimal() else 0)
            for part in data.splitlines() or [""]:
                log.line(f"##[{name}]{part}")
        elif name == "add-mask":
            if not log.masker.add(data) and data.strip():
                log.note("warning", "A value given to add-mask is too short to be masked.")
        elif name == "set-output":
            self.outputs[properties.get("name", "")] = data
        elif name == "save-state":
            self.state[properties.get("name", "")] = data
        elif name in ("set-env", "add-path"):
            self.obey_unsecure(command)
        elif name in ("group", "endgroup"):
            log.line(f"##[{name}]{data}")
        elif name == "stop-commands":
            self._stop = data

    def obey_unsecure(self, command: Command) -> None:
        """Commands that GitHub switched off because any printed text could use them."""
        if not self._unsecure:
            self.failure = (
                f"The `{command.name}` command is disabled: write to "
                f"{'GITHUB_ENV' if command.name == 'set-env' else 'GITHUB_PATH'} instead."
            )
            self.session.log.line(f"##[error]{self.failure}")
        elif command.name == "add-path":
            self.session.path.append(command.data)
        else:
            self.set_variable(command.properties.get("name", ""), command.data)

    def set_variable(self, name: str, value: str) -> None:
        if name.upper() in BLOCKED:
            self.session.log.line(f"##[error]Can't store {name}: it may not be set for later steps.")
        elif name:
            self.session.env[name] = value

    def close(self) -> None:
        """Take what the step wrote into its files; a faulty file fails the step."""
        self.closed = True
        try:
            for name, value in parse_pairs(self.read("GITHUB_ENV")).items():
                self.set_variable(name, value)
            self.outputs |= parse_pairs(self.read("GITHUB_OUTPUT"))
            self.state |= parse_pairs(self.read("GITHUB_STATE"))
            self.session.path += parse_lines(self.read("GITHUB_PATH"))
        except FileCommandProblem as problem:
            self.failure = f"Unable to process file command: {problem.message}"
            self.session.log.line(f"##[error]{self.failure}")
        summary = self.read("GITHUB_STEP_SUMMARY").decode("utf-8", "replace")
        if summary.strip():
            self.session.summary.append(self.session.log.masker.mask(summary))

    def read(self, name: str) -> bytes:
        path = self.files[name]
        # A link that a step put in its place could lead to any file that we may read and the step may not.
        return read_capped(path, MAX_FILE_BYTES) if path.is_file() and not path.is_symlink() else b""
