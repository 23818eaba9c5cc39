"""What a step says and hands over: printed commands as they come, and its environment files when it has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecluse.checks import commands, matchers
from ecluse.checks.commands import Command
from ecluse.checks.envfiles import BLOCKED, FileCommandProblem, parse_lines, parse_pairs
from ecluse.checks.session import Session
from ecluse.errors import Problem
from ecluse.files import read_capped

MAX_FILE_BYTES = 16 << 20
MAX_SUMMARY_BYTES = 1024 << 10
"""What one step may write into its summary, as on GitHub."""

_FILES = {
    "GITHUB_ENV": "env",
    "GITHUB_OUTPUT": "output",
    "GITHUB_PATH": "path",
    "GITHUB_STATE": "state",
    "GITHUB_STEP_SUMMARY": "step_summary",
}
"""The variables that name a step's files -> the members of the ``github`` context that do so too."""

_UNSECURE = "ACTIONS_ALLOW_UNSECURE_COMMANDS"
_UNSECURE_STOP = "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS"


_NEVER_ECHOED = frozenset({"add-mask", "debug", "error", "notice", "warning"})
"""Commands that ``::echo::on`` does not show: one would tell the secret, the others show themselves."""


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
        self._any_stop = env.get(_UNSECURE_STOP) == "true"
        self._echo = session.is_debug
        self.files: dict[str, Path] = {}
        for name in _FILES:
            path = session.new_file("_" + name.lower())
            path.touch()
            self.files[name] = path

    @property
    def variables(self) -> dict[str, str]:
        """The variables that tell a step where its files are."""
        return {name: str(path) for name, path in self.files.items()}

    def github(self, github: dict[str, Any]) -> dict[str, Any]:
        """The ``github`` context with the places of the step's files in it."""
        return {**github, **{member: str(self.files[name]) for name, member in _FILES.items()}}

    def line(self, text: str) -> None:
        """One line of the step's output; lines of what it left running after its end are dropped."""
        if self.closed:
            return
        command = commands.parse(text) if "::" in text or "##[" in text else None
        if self._stop:
            if command is not None and command.name.lower() == self._stop.lower():
                self._stop = ""
            self.show(text)
        elif command is None or command.name not in commands.KNOWN:
            self.show(text)
        else:
            if self._echo and command.name not in _NEVER_ECHOED:
                self.session.log.line(text)
            self.obey(command)

    def show(self, text: str) -> None:
        """An ordinary line: into the log, and past the job's problem matchers."""
        session = self.session
        session.log.line(text)
        if session.matchers and (match := matchers.find(session.matchers, text)) is not None:
            session.log.note(
                match.severity,
                match.message or text.strip(),
                self.relative(match.file),
                match.line,
                column=match.column,
                title=match.code,
            )

    def relative(self, file: str) -> str:
        """A file's path from the workspace, when it lies in there."""
        root = str(self.session.workspace) + "/"
        return file.removeprefix(root)

    def obey(self, command: Command) -> None:
        log = self.session.log
        name, data, properties = command.name, command.data, command.properties
        if name in ("error", "warning", "notice"):
            self.annotate(command)
        elif name == "debug":
            if self.session.is_debug:
                log.line(f"##[debug]{data}")
        elif name == "add-mask":
            if not log.masker.add(data):
                short = "A value given to add-mask is too short to be masked."
                log.note(
                    "warning",
                    short if data.strip() else "Can't add secret mask for empty string in ##[add-mask] command.",
                )
        elif name in ("set-output", "save-state"):
            self.hand_over(command)
        elif name in ("set-env", "add-path"):
            self.obey_unsecure(command)
        elif name in ("group", "endgroup"):
            log.line(f"##[{name}]{data}")
        elif name == "stop-commands":
            self.stop(data)
        elif name == "echo":
            self.set_echo(data)
        else:
            self.match(command.name, data, properties)

    def annotate(self, command: Command) -> None:
        properties, level = command.properties, command.name
        line, column = (properties.get(name, "") for name in ("line", "col"))
        self.session.log.note(
            level,
            command.data,
            self.relative(properties.get("file", "")),
            int(line) if line.isdecimal() else 0,
            column=int(column) if column.isdecimal() else 0,
            title=properties.get("title", ""),
        )
        for part in command.data.splitlines() or [""]:
            self.session.log.line(f"##[{level}]{part}")

    def hand_over(self, command: Command) -> None:
        name = command.properties.get("name", "")
        if not name:
            self.fail(command.name, f"Required field 'name' is missing in ##[{command.name}] command.")
        elif command.name == "set-output":
            self.outputs[name] = command.data
        else:
            self.state[name] = command.data

    def stop(self, token: str) -> None:
        """From now on nothing is a command until the token comes; a weak token would let any text end it."""
        if not self._any_stop and (not token or token in commands.KNOWN or token == "pause-logging"):  # noqa: S105
            self.fail(
                "stop-commands",
                "Invalid `stop-commands` token: use a random text that is no command's name "
                f"(or set {_UNSECURE_STOP}=true).",
            )
        else:
            self._stop = token
            self.session.log.line(f"::stop-commands::{token}")

    def set_echo(self, data: str) -> None:
        word = data.strip().lower()
        if word not in ("on", "off"):
            self.fail(
                "echo", f"Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: '{data}'."
            )
        self._echo = word == "on"

    def match(self, name: str, data: str, properties: dict[str, str]) -> None:
        """Add the problem matchers of a file, or take some away."""
        session = self.session
        if name == "add-matcher" and not data.strip():
            session.log.note("warning", "Cannot add matcher. Value must be specified.")
            return
        owner = properties.get("owner", "")
        if name == "remove-matcher" and bool(owner) == bool(data.strip()):
            session.log.note("warning", "Cannot remove matcher: name either an owner or a file.")
            return
        owners = {owner.lower()}
        if data.strip():
            try:
                found = matchers.load(session.workspace / data.strip())
            except Problem as problem:
                self.fail(name, problem.message)
                return
            owners = {matcher.owner.lower() for matcher in found}
        session.matchers = [matcher for matcher in session.matchers if matcher.owner.lower() not in owners]
        if name == "add-matcher":
            session.matchers = [*found, *session.matchers]

    def fail(self, name: str, why: str) -> None:
        """A command that cannot be obeyed fails the step, in GitHub's words."""
        self.session.log.line(f"##[error]Unable to process command '{name}' successfully.")
        self.session.log.line(f"##[error]{why}")
        self.session.log.note("error", why)
        self.failure = self.failure or why

    def obey_unsecure(self, command: Command) -> None:
        """Commands that GitHub switched off because any printed text could use them."""
        if not self._unsecure:
            where = "GITHUB_ENV" if command.name == "set-env" else "GITHUB_PATH"
            self.fail(command.name, f"The `{command.name}` command is disabled: write to {where} instead.")
        elif command.name == "add-path":
            self.session.path.append(command.data)
        else:
            said = "Can't update {} environment variable using ::set-env:: command."
            self.set_variable(command.properties.get("name", ""), command.data, said)

    def set_variable(self, name: str, value: str, refusal: str) -> None:
        if name.upper() in BLOCKED:
            said = refusal.format(name)
            self.session.log.line(f"##[error]{said}")
            self.session.log.note("error", said)
        elif name:
            self.session.env[name] = value

    def close(self) -> None:
        """Take what the step wrote into its files; a faulty file fails the step, the others count."""
        self.closed = True
        self.take("GITHUB_PATH", lambda data: self.session.path.extend(parse_lines(data)))
        self.take("GITHUB_ENV", self.take_variables)
        self.take("GITHUB_STATE", lambda data: self.state.update(parse_pairs(data)))
        self.take("GITHUB_OUTPUT", lambda data: self.outputs.update(parse_pairs(data)))
        self.take_summary()

    def take(self, name: str, use: Any) -> None:
        try:
            use(self.read(name))
        except FileCommandProblem as problem:
            said = f"Unable to process file command '{_FILES[name]}' successfully."
            self.failure = self.failure or f"{said} {problem.message}"
            for part in (said, problem.message):
                self.session.log.line(f"##[error]{part}")
                self.session.log.note("error", part)

    def take_variables(self, data: bytes) -> None:
        for name, value in parse_pairs(data).items():
            self.set_variable(name, value, "Can't store {} output parameter using '$GITHUB_ENV' command.")

    def take_summary(self) -> None:
        path = self.files["GITHUB_STEP_SUMMARY"]
        size = path.stat().st_size if path.is_file() else 0
        if size > MAX_SUMMARY_BYTES:
            limit = MAX_SUMMARY_BYTES // 1024
            said = (
                f"$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {limit}k, got {size // 1024}k."
            )
            self.session.log.line(f"##[error]{said}")
            self.session.log.note("error", said)
            return
        summary = self.read("GITHUB_STEP_SUMMARY").decode("utf-8", "replace")
        if summary.strip():
            self.session.summary.append(self.session.log.masker.mask(summary))
            self.session.log.summarise(summary)

    def read(self, name: str) -> bytes:
        path = self.files[name]
        # A link that a step put in its place could lead to any file that we may read and the step may not.
        return read_capped(path, MAX_FILE_BYTES) if path.is_file() and not path.is_symlink() else b""
