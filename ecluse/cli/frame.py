"""What all doors share: common flags, where we are, how to print, how a problem is said.

Data goes to standard output, progress and problems to standard error; ``--json`` makes standard output one document.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from ecluse.errors import ExitStatus, Failed, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from ecluse.git import Repository
    from ecluse.history import History

SCHEMA_VERSION = 1
Body = TypeVar("Body", bound=Callable[..., Any])

_MARKS = {
    "ok": ("✓", "[OK]"),
    "warn": ("!", "[!]"),
    "error": ("✗", "[ERROR]"),
    "step": ("▸", ">"),
    "wait": ("…", "..."),
}
_COLORS = {"ok": "32", "warn": "33", "error": "31", "step": "36", "wait": "33", "dim": "2", "bold": "1"}


class Frame:
    """One command's surroundings: where it works, and how it may speak."""

    def __init__(
        self, folder: str, *, as_json: bool, quiet: bool, verbose: bool, yes: bool, no_input: bool, color: bool
    ) -> None:
        from pathlib import Path  # loads readers of addresses, which help does without

        self.folder: Path = Path(folder)
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.yes = yes
        self.no_input = no_input
        self.interactive = not no_input and not as_json and sys.stdin.isatty() and sys.stderr.isatty()
        self.color = color and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb" and sys.stderr.isatty()
        self._history: History | None = None

    @functools.cached_property
    def repository(self) -> Repository:
        """The repository we stand in. Raises :class:`ecluse.errors.Invalid` outside of one."""
        from ecluse.git import Repository

        return Repository.discover(self.folder)

    @property
    def history(self) -> History:
        """The repository's history, opened once. Raises :class:`ecluse.errors.Invalid` before ``ecluse init``."""
        if self._history is None:
            from ecluse.git.locate import common_folder
            from ecluse.history import History

            shared = common_folder(self.folder)
            self._history = History.open(shared / "ecluse" if shared else self.repository.state_dir)
        return self._history

    def refresh_copy(self) -> None:
        """Bring ``.sync/sync_history.db`` up to date after an action; a copy that cannot be written stops nothing."""
        history = self._history
        if history is None or not history.written:
            return
        from ecluse.history.sync_copy import refresh_beside

        try:
            refresh_beside(history, self.repository.work_tree)
        except Problem as problem:
            self.say(problem.message, "warn")

    # -- speaking ----------------------------------------------------------------------------------------------

    def say(self, text: str = "", mark: str = "", *, always: bool = False) -> None:
        """A line of progress on standard error; silent with ``-q``, unless it says why the exit status is not 0."""
        if always or not self.quiet:
            _to_stderr(printable(self.marked(text, mark), sys.stderr))

    def detail(self, text: str) -> None:
        """A line that only ``-v`` shows."""
        if self.verbose:
            self.say(self.style(text, "dim"))

    def marked(self, text: str, mark: str) -> str:
        """``text`` behind a mark (ok, warn, error, step, wait), in ASCII on a console that cannot print more."""
        return f"{self.style(sign(mark), mark)} {text}" if mark else text

    def choose(self, question: str, answers: dict[str, str], default: str) -> str:
        """Ask at the terminal for one of ``answers`` (letter -> what it means); Enter is ``default``.

        The first word of what a letter means is an answer too: a person types ``yes`` where ``y`` is asked for.
        """
        import click

        words = {meaning.partition(" ")[0].lower(): letter for letter, meaning in reversed(answers.items())}
        words |= {said: words[word] for said, word in (("oui", "yes"), ("non", "no")) if word in words}

        def read(typed: str) -> str:
            said = typed.strip().lower()
            if said in answers or said in words:
                return words.get(said, said)
            raise click.BadParameter(f"{printable(repr(typed[:40]), sys.stderr)} is none of {', '.join(answers)}.")

        listed = ", ".join(f"[{letter}] {meaning}" for letter, meaning in answers.items())
        text = printable(f"{self.style(question, 'bold')}\n  {listed}", sys.stderr)
        return str(click.prompt(text, default=default, value_proc=read, show_choices=False, err=True))

    def confirm(self, question: str) -> bool:
        """A yes or a no at the terminal, in English or French; Enter is no."""
        import click

        def read(typed: str) -> bool:
            said = typed.strip().lower()
            if said in _YES or said in _NO:
                return said in _YES
            raise click.BadParameter(f"{printable(repr(typed[:40]), sys.stderr)} is neither yes (y) nor no (n).")

        text = printable(f"{question} [y/N]", sys.stderr)
        return bool(click.prompt(text, default="n", value_proc=read, show_default=False, err=True))

    def style(self, text: str, style: str) -> str:
        return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if self.color and style in _COLORS else text

    def put(self, text: str) -> None:
        """A line of the answer on standard output, now."""
        _to_stdout(printable(text, sys.stdout))

    def emit(self, document: dict[str, Any], text: str = "") -> None:
        """The command's answer on standard output: the document with ``--json``, else the text (when there is any)."""
        if self.as_json:
            _to_stdout(_json(document))
        elif text:
            _to_stdout(printable(text, sys.stdout))


def _to_stdout(text: str) -> None:
    """A line of the answer, now. Raises :class:`Failed` when it cannot be written: a lost answer is no success."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left would be tried again when the process ends
        raise Failed(
            "output.lost",
            f"The answer could not be written to standard output: {error.strerror}.",
            "free some space, or send it elsewhere",
        ) from error


def _to_stderr(text: str) -> None:
    """A line for whoever looks on; that nobody can read it stops nothing, unless the reader went away."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        raise
    except OSError:
        pass


def _json(document: dict[str, Any]) -> str:
    """The document as JSON; where the console cannot print all of it, with JSON's own escapes."""
    import json

    whole = {"schema_version": SCHEMA_VERSION, **document}
    text = json.dumps(whole, ensure_ascii=False, indent=2)
    return text if _prints(text, sys.stdout) else json.dumps(whole, ensure_ascii=True, indent=2)


def put_data(text: str) -> None:
    """A file's worth of data on standard output: in UTF-8 whatever the console is, for it goes on into a program."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def sign(mark: str) -> str:
    """The sign of a mark; where standard error cannot print all of them, every mark has its ASCII form."""
    full, plain = _MARKS[mark]
    return full if _prints("".join(one for one, _ in _MARKS.values()), sys.stderr) else plain


def _prints(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def door(*, json_flag: bool = True, input_flags: bool = False) -> Callable[[Body], Body]:
    """Decorate a click command's body: give it the common flags and a :class:`Frame` as first argument.

    Put it directly above the function, below ``@click.command`` and the command's own options.
    """

    def decorate(body: Body) -> Body:
        @functools.wraps(body)
        def wrapped(*args: Any, **options: Any) -> Any:
            outer = click.get_current_context().obj or {}
            frame = Frame(
                options.pop("folder_again") or outer.get("folder", "."),
                as_json=options.pop("as_json", False),
                quiet=options.pop("quiet"),
                verbose=options.pop("verbose"),
                yes=options.pop("yes", False),
                no_input=options.pop("no_input", False),
                color=not options.pop("no_color"),
            )
            try:
                return body(frame, *args, **options)
            finally:
                frame.refresh_copy()

        flags = [
            click.option("-C", "folder_again", default="", metavar="DIR", help="Work as if started in DIR."),
            click.option("-q", "--quiet", is_flag=True, help="No progress, only the answer and problems."),
            click.option("-v", "--verbose", is_flag=True, help="More progress."),
            click.option("--no-color", is_flag=True, help="No colour (also NO_COLOR, and when not a terminal)."),
        ]
        if json_flag:
            flags.append(click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output."))
        if input_flags:
            flags.append(
                click.option("--yes", is_flag=True, help="Yes to every question, except gates and quarantine.")
            )
            flags.append(
                click.option("--no-input", is_flag=True, help="Never ask; what needs an answer waits (exit 3).")
            )
        decorated: Any = wrapped
        for flag in reversed(flags):
            decorated = flag(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


class PlainFormatter(click.HelpFormatter):
    """Help text that the console can print; click itself would send UTF-8 to a console that knows only ASCII."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        super().__init__(indent_increment, width or _width(max_width or 80), max_width)

    def getvalue(self) -> str:
        return printable(super().getvalue(), sys.stdout)


def _width(most: int) -> int:
    """The columns of the terminal as click counts them, without the archive readers that ``shutil`` loads."""
    try:
        columns = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(1).columns
    except (ValueError, OSError):
        columns = 0
    return max(min(columns or 80, most) - 2, 50)


click.Context.formatter_class = PlainFormatter


def report_problem(problem: Problem, *, as_json: bool) -> ExitStatus:
    """Say a problem: what happened, why, the next command; return its exit status."""
    if as_json:
        with contextlib.suppress(OSError):  # whoever read has gone; what happened is said below all the same
            print(_json({"error": problem.as_dict()}), flush=True)
    mark = "wait" if problem.exit_status is ExitStatus.WAITS else "error"
    _to_stderr(f"{sign(mark)} {printable(problem.message, sys.stderr)}")
    if problem.hint:
        _to_stderr(f"  next: {printable(problem.hint, sys.stderr)}")
    return problem.exit_status


_YES, _NO = ("y", "yes", "o", "oui"), ("n", "no", "non", "")

_PLAIN_WORDS = {"Écluse": "Ecluse", "…": "...", "·": "-", "→": "->"}
"""The signs of our own sentences that a narrow console cannot print, and what they are there."""


def printable(text: str, stream: TextIO) -> str:
    """Text that ``stream`` can print: what it cannot (undecodable names, a narrow console) is shown as an escape."""
    encoding = stream.encoding or "utf-8"
    if not text.isascii() and not _prints("".join(_PLAIN_WORDS), stream):
        for word, plain in _PLAIN_WORDS.items():
            text = text.replace(word, plain)
    return text.encode(encoding, "backslashreplace").decode(encoding, "replace")


def report_bug(bug: Exception, words: list[str], *, as_json: bool) -> ExitStatus:
    """Write an unexpected exception whole to a file that can be sent along, and say where it is."""
    import platform
    import tempfile
    import traceback

    from ecluse import __version__

    descriptor, name = tempfile.mkstemp(prefix="ecluse-bug-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"ecluse {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
        log.write(f"verb: {words[0] if words else ''}\n\n")
        traceback.print_exception(bug, file=log)
    problem = Problem(
        "bug",
        f"This is a fault of Écluse, not of yours: {type(bug).__name__}: {bug}. The whole story is in {name}.",
        "ecluse doctor",
    )
    return report_problem(problem, as_json=as_json)
