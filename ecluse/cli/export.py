"""``ecluse export``: hand everything done here over, in one bundle that can be verified."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus, Failed, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecluse.intake import Exported, ExportRequest
    from ecluse.model import Agent


@click.command("export")
@click.option("--agent", default="", metavar="NAME", help="Who made the change (default: ECLUSE_AGENT, or git's user).")
@click.option("--task", default="", metavar="TEXT", help="What it is an attempt at (default: ECLUSE_AGENT_TASK).")
@click.option("--base", default=None, metavar="REV", help="Where the change starts (default: found).")
@click.option("--note", default="", metavar="FILE|-", help="What was done, what is left, what to watch.")
@click.option(
    "--validate", "level", default="", metavar="LEVEL", help="none, minimal (or what config says), standard, complete."
)
@click.option("--to", "target", default="", metavar="DIR|FILE.tar|-", help="Where to (default: .sync/patches).")
@click.option("--text", is_flag=True, help="As numbered text chunks on standard output (--to FILE: into a file).")
@click.option("--sign", "key", default="", metavar="KEY", help="Sign the manifest with this private key.")
@click.option("--accept-omissions", is_flag=True, help="What cannot be carried is known: exit 0 all the same.")
@click.option("--allow-red", is_flag=True, help="Export although a check is red; it is recorded.")
@click.option("--watch", is_flag=True, help="Keep a rolling checkpoint until a signal (Ctrl-C) ends it.")
@click.option("--every", default="", metavar="TIME", help="With --watch: how often, 30m or 90s (default: config, 5m).")
@click.argument("place", required=False, default="", metavar="[-]")
@door()
def command(
    frame: Frame, place: str, agent: str, task: str, base: str | None, note: str, level: str, target: str, text: bool, key: str,
    accept_omissions: bool, allow_red: bool, watch: bool, every: str,
) -> int:  # fmt: skip
    """Write one bundle with all commits since the base and all uncommitted work: staged, unstaged, untracked. Your
    index, HEAD and files are not touched. Secrets are never carried. A lone - is --to -: on standard output.

    With --watch the work is looked at again and again; whenever it has changed, a new revision of the same change takes
    the place of the checkpoint before it. A signal ends it, after a last look.

    Exit: 0 done; 3 something was left out and nobody accepted that; 4 refused (a secret); 5 a check is red.
    """
    _load(frame)
    from ecluse import intake
    from ecluse.config import of_checkout

    target, to_stdout = _where(frame, place, target, text=text, watch=watch, every=every, note=note)
    with tempfile.TemporaryDirectory(prefix="ecluse-out-") as scratch:
        outputs = (
            Path(scratch, "change.tar") if to_stdout or text else (frame.folder / target).resolve() if target else None
        )

        def request() -> intake.ExportRequest:
            return intake.ExportRequest(
                agent=agent_of(frame, agent, task),
                base=base,
                note=_note(frame, note),
                to=outputs,
                validate=level or of_checkout(frame.repository.work_tree).export.validate,
                accept_omissions=accept_omissions,
                allow_red=allow_red,
                sign=(frame.folder / key) if key else None,
            )

        if watch:
            return _watch(frame, request, every)
        try:
            with frame.repository.asking():
                done = intake.export_recorded(frame.repository, request())
        finally:
            _note_written(frame)
        if text:
            done = _as_text(frame, done, "" if to_stdout else target)
        elif to_stdout:
            with done.path.open("rb") as handle:
                shutil.copyfileobj(handle, sys.stdout.buffer, 1 << 20)
            sys.stdout.buffer.flush()
    _say(frame, done, to_stdout=to_stdout)
    return ExitStatus.WAITS if done.omissions else ExitStatus.DONE


def _where(
    frame: Frame, place: str, target: str, *, text: bool, watch: bool, every: str, note: str
) -> tuple[str, bool]:
    """Where the export goes, and whether that is standard output. Raises :class:`Invalid` for words that exclude others."""
    if place not in ("", "-"):
        raise Invalid("usage", f"An export takes no argument but -, not {place!r}.", "ecluse export --to DIR")
    if place and target not in ("", "-"):
        raise Invalid("usage", "- and --to name two places.", "ecluse export --to DIR")
    target = target or place
    to_stdout = target == "-" or (text and not target)
    if every and not watch:
        raise Invalid("usage", "--every goes with --watch.", "ecluse export --watch --every 30m")
    if watch and (text or target == "-" or note == "-" or frame.as_json):
        raise Invalid(
            "usage", "--watch goes without --text, --json, --to - and --note -.", "ecluse export --watch --to DIR"
        )
    if to_stdout and frame.as_json:
        raise Invalid("usage", "--to - and --json both want standard output.", "ecluse export --to FILE.tar --json")
    return target, to_stdout


def _note_written(frame: Frame) -> None:
    """The history was written by the export, through an object of its own; where it may not be, it was not."""
    if (frame.repository.state_dir / "history.db").exists():
        with contextlib.suppress(Failed):
            frame.history.written = True


def _load(frame: Frame) -> None:
    """Ask git about the repository while what exports is loaded."""
    from ecluse.git import Repository  # noqa: F401 - before the block: two threads must not load the same
    from ecluse.process import background

    with background(lambda: frame.repository.settings()):
        from ecluse.intake import exportlog  # noqa: F401


def _watch(frame: Frame, request: Callable[[], ExportRequest], every: str) -> int:
    """Keep a rolling checkpoint. The note is read again each time: a session writes on while it is watched."""
    from ecluse.cli.watching import repeat, span_of
    from ecluse.config import of_checkout
    from ecluse.intake.checkpoint import Checkpoints

    standing = "" if every else of_checkout(frame.repository.work_tree).export.every
    pause = span_of(every or standing or "5m", "ecluse export --watch --every 30m")
    keeper = Checkpoints(frame.repository)

    def look() -> None:
        done = keeper.take(request())
        _note_written(frame)
        if done is not None:
            said = f"{done.change_id} revision {done.revision}: {len(done.files)} files, head {done.head[:12]}"
            red = [one["name"] for one in done.validations if one["result"] == "failure"]
            frame.say(f"checkpoint {said}{', red: ' + ', '.join(red) if red else ''}: {done.path}", "ok")
            for one in done.omissions:
                frame.say(f"  NOT carried: {_shown(one['path'])} ({one['reason']})", "warn")

    repeat(frame, pause, look)
    return ExitStatus.DONE


def _as_text(frame: Frame, done: Exported, target: str) -> Exported:
    """The bundle as text chunks, on standard output or in the file ``target``."""
    import dataclasses

    from ecluse.files import write_atomically
    from ecluse.intake.textchunks import check_size, write_chunks

    check_size(done.path.stat().st_size)
    place = (frame.folder / target).resolve() if target else None
    if place is not None and place.is_dir():
        raise Invalid("export.to", f"{place} is a folder; the text goes into a file.", "ecluse export --text --to FILE")
    chunks = write_chunks(done.path.read_bytes()).encode("ascii")
    if place is None:
        sys.stdout.buffer.write(chunks)
        sys.stdout.buffer.flush()
        return done
    write_atomically(place, chunks)
    return dataclasses.replace(done, path=place)


def agent_of(frame: Frame, name: str, task: str = "") -> Agent:
    """Who hands over: as named, else as the environment says, else git's own user."""
    from ecluse.model import Agent

    who = frame.repository.identity()
    chosen = name or os.environ.get("ECLUSE_AGENT", "") or (who.name if who else "agent")
    told = {
        word: os.environ.get(f"ECLUSE_AGENT_{word.upper()}", "")
        for word in ("tool", "model", "session", "task", "cost")
    }
    told["task"] = task or told["task"]
    return Agent(_in_utf8(chosen), **{word: _in_utf8(text) for word, text in told.items()})


def _in_utf8(text: str) -> str:
    """A word of the command line as it was typed, also where the locale knows only ASCII."""
    return (
        text
        if text.isascii()
        else text.encode(sys.getfilesystemencoding(), "surrogateescape").decode("utf-8", "replace")
    )


def _note(frame: Frame, note: str) -> str:
    from ecluse.files import read_capped

    if not note:
        return ""
    data = sys.stdin.buffer.read(1 << 20) if note == "-" else read_capped(frame.folder / note, 1 << 20)
    return data.decode("utf-8", "replace")


def _say(frame: Frame, done: Exported, *, to_stdout: bool) -> None:
    frame.say(f"{done.change_id} revision {done.revision}: {done.title}", "ok")
    frame.say(f"  based on {done.base[:12] or 'nothing'} ({done.based}), head {done.head[:12]}")
    frame.say(f"  carried: {len(done.files)} file{'s' if len(done.files) != 1 else ''}")
    for one in done.files[:40]:
        frame.say(f"    {one['status']} {_shown(one['path'])}  ({one['origin']})")
    if len(done.files) > 40:
        frame.say(f"    and {len(done.files) - 40} more")
    quiet = [one for one in done.not_carried if one["reason"] in ("ignored", "own")]
    loud = [one for one in done.not_carried if one not in quiet]
    for one in loud:
        detail = f": {one['detail']}" if one.get("detail") else ""
        frame.say(
            f"  NOT carried: {_shown(one['path'])} ({one['reason']}{detail})", "warn", always=bool(done.omissions)
        )
    if quiet:
        frame.say(f"  not carried, as expected: {len(quiet)} ignored or Écluse's own (listed in the manifest)")
    for check in done.validations:
        frame.say(f"  {check['name']}: {check['result']} ({check['detail']})")
    if done.omissions:
        words = "  something was left out: look at the list, then type the same with --accept-omissions"
        frame.say(words, "wait", always=True)
    document = {
        "change_id": done.change_id,
        "revision": done.revision,
        "path": "-" if to_stdout else str(done.path),
        "base": done.base,
        "head": done.head,
        "tree": done.tree,
        "files": list(done.files),
        "not_carried": list(done.not_carried),
        "payloads": list(done.payloads),
    }
    frame.emit(document, "" if to_stdout else f"{done.path}\nImport it where it is to land: ecluse import {done.path}")


def _shown(path: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path)
