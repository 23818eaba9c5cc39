"""``ecluse export``: hand everything done here over, in one bundle that can be verified."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus, Invalid

if TYPE_CHECKING:
    from ecluse.intake import Exported
    from ecluse.model import Agent


@click.command("export")
@click.option("--agent", default="", metavar="NAME", help="Who made the change (default: ECLUSE_AGENT, or git's user).")
@click.option("--task", default="", metavar="TEXT", help="What it is an attempt at (default: ECLUSE_AGENT_TASK).")
@click.option("--base", default=None, metavar="REV", help="Where the change starts (default: found).")
@click.option("--note", default="", metavar="FILE|-", help="What was done, what is left, what to watch.")
@click.option(
    "--validate", "level", default="minimal", metavar="LEVEL", help="none, minimal (default), standard or complete."
)
@click.option("--to", "target", default="", metavar="DIR|FILE.tar|-", help="Where to (default: .sync/patches).")
@click.option("--text", is_flag=True, help="As numbered text chunks on standard output (--to FILE: into a file).")
@click.option("--sign", "key", default="", metavar="KEY", help="Sign the manifest with this private key.")
@click.option("--accept-omissions", is_flag=True, help="What cannot be carried is known: exit 0 all the same.")
@click.option("--allow-red", is_flag=True, help="Export although a check is red; it is recorded.")
@door()
def command(
    frame: Frame, agent: str, task: str, base: str | None, note: str, level: str, target: str, text: bool, key: str,
    accept_omissions: bool, allow_red: bool,
) -> int:  # fmt: skip
    """Write one bundle with all commits since the base and all uncommitted work: staged, unstaged, untracked. Your
    index, HEAD and files are not touched. Secrets are never carried.

    Exit: 0 done; 3 something was left out and nobody accepted that; 4 refused (a secret); 5 a check is red.
    """
    from ecluse import intake

    to_stdout = target == "-" or (text and not target)
    if to_stdout and frame.as_json:
        raise Invalid("usage", "--to - and --json both want standard output.", "ecluse export --to FILE.tar --json")
    with tempfile.TemporaryDirectory(prefix="ecluse-out-") as scratch:
        place = (
            Path(scratch, "change.tar") if to_stdout or text else (frame.folder / target).resolve() if target else None
        )
        request = intake.ExportRequest(
            agent=_agent(frame, agent, task),
            base=base,
            note=_note(frame, note),
            to=place,
            validate=level,
            accept_omissions=accept_omissions,
            allow_red=allow_red,
            sign=(frame.folder / key) if key else None,
        )
        try:
            done = intake.export_recorded(frame.repository, request)
        finally:
            if (frame.repository.state_dir / "history.db").exists():
                frame.history.written = True  # by export_recorded, through an object of its own
        data = done.path.read_bytes() if to_stdout or text else b""
        if text:
            data, done = _as_text(frame, data, done, target)
        if to_stdout:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    _say(frame, done, to_stdout=to_stdout)
    return ExitStatus.WAITS if done.omissions else ExitStatus.DONE


def _as_text(frame: Frame, data: bytes, done: Exported, target: str) -> tuple[bytes, Exported]:
    """The bundle as text chunks, written to ``target`` where one is named."""
    import dataclasses

    from ecluse.files import write_atomically
    from ecluse.intake.textchunks import write_chunks

    chunks = write_chunks(data).encode("ascii")
    if target in ("", "-"):
        return chunks, done
    place = (frame.folder / target).resolve()
    if place.is_dir():
        raise Invalid("export.to", f"{place} is a folder; the text goes into a file.", "ecluse export --text --to FILE")
    write_atomically(place, chunks)
    return chunks, dataclasses.replace(done, path=place)


def _agent(frame: Frame, name: str, task: str) -> Agent:
    from ecluse.model import Agent

    who = frame.repository.identity()
    chosen = name or os.environ.get("ECLUSE_AGENT", "") or (who.name if who else "agent")
    told = {word: os.environ.get(f"ECLUSE_AGENT_{word.upper()}", "") for word in ("tool", "model", "session", "task")}
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
        frame.say(f"  NOT carried: {_shown(one['path'])} ({one['reason']}{detail})", "warn")
    if quiet:
        frame.say(f"  not carried, as expected: {len(quiet)} ignored or Écluse's own (listed in the manifest)")
    for check in done.validations:
        frame.say(f"  {check['name']}: {check['result']} ({check['detail']})")
    if done.omissions:
        frame.say("  something was left out: look at the list, then type the same with --accept-omissions", "wait")
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
