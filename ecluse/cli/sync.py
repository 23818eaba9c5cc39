"""``ecluse sync``: both directions without a forge, from the trunk to an agent's sandbox and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.cli.words import count
from ecluse.errors import ExitStatus, Invalid

if TYPE_CHECKING:
    from ecluse.intake.homeward import Homeward, Taken
    from ecluse.intake.outbox import ExportRequest


@click.command("sync")
@click.argument("agent", required=False)
@click.option(
    "--have", default=None, metavar="REV", help="What the sandbox has (default: the base of AGENT's last change)."
)
@click.option(
    "--branch", default="", metavar="NAME", help="Which branch (default: where AGENT's last change goes, or the trunk)."
)
@click.option("--to", "target", default="trunk.bundle", show_default=True, metavar="FILE", help="Where to write it.")
@click.option("--take", default="", metavar="FILE", help="In the sandbox: take such a bundle in.")
@click.option("--folder", default="", metavar="DIR", help="Both directions, through a folder that both sides see.")
@click.option(
    "--land", is_flag=True, help="With AGENT and --folder: land what comes in, when nothing speaks against it."
)
@click.option("--as", "name", default="", metavar="NAME", help="In the sandbox, with --folder: who hands over.")
@click.option("--watch", is_flag=True, help="Look again and again until a signal (Ctrl-C) ends it.")
@click.option("--every", default="", metavar="TIME", help="With --watch: how often, 5m or 30s (default: config, 1m).")
@door()
def command(
    frame: Frame, agent: str | None, have: str | None, branch: str, target: str, take: str, folder: str, land: bool, name: str,
    watch: bool, every: str,
) -> int:  # fmt: skip
    """Write a bundle with what AGENT lacks of the trunk. In the sandbox, `ecluse sync --take FILE` puts it under
    refs/remotes/ecluse/, where it can be merged or rebased on; no branch moves and no file is touched.

    With --folder DIR both directions go through a folder that both sides see. In the repository (`ecluse sync AGENT
    --folder DIR`): finished exports in it are taken in (with --land: landed) and the trunk is written to it. In the
    sandbox (`ecluse sync --folder DIR`): the trunk is taken, and work that is committed is handed over; half-done work
    lies there as a checkpoint. With --watch either side, or --take, goes on until a signal ends it.
    """
    _check_words(frame, agent, have, take, folder, land, name, watch, every)
    if branch and (take or folder):
        raise Invalid("usage", "--branch goes with AGENT or --have, and one file.", "ecluse sync --help")
    look = (
        _folder_look(frame, agent, frame.folder / folder, name, land=land, watch=watch)
        if folder
        else _take_look(frame, frame.folder / take, watch=watch)
        if take
        else _send_look(frame, agent or "", (frame.folder / target).resolve(), have, branch, watch=watch)
    )
    if not watch:
        document, text = look()
        frame.emit(document, text)
        return ExitStatus.DONE
    return _watch(frame, look, every)


Look = Any
"""A look: does what is to be done now and returns (document, text); the text is empty when nothing was."""


def _check_words(
    frame: Frame, agent: str | None, have: str | None, take: str, folder: str, land: bool, name: str, watch: bool,
    every: str,
) -> None:  # fmt: skip
    wrong = ""
    if take and (agent or folder or have):
        wrong = "--take goes without AGENT, --have and --folder."
    elif folder and have:
        wrong = "--have goes without --folder: what the agent has is known from what came in."
    elif land and not (agent and folder):
        wrong = "--land goes with AGENT and --folder."
    elif name and (agent or not folder):
        wrong = "--as goes with --folder, in the sandbox."
    elif every and not watch:
        wrong = "--every goes with --watch."
    elif watch and frame.as_json:
        wrong = "--watch goes without --json."
    elif not (agent or have or take or folder):
        wrong = "For whom? Name an agent, or what its sandbox has."
    if wrong:
        raise Invalid("usage", wrong, "ecluse sync AGENT, ecluse sync --take FILE, or ecluse sync --help")


def _watch(frame: Frame, look: Look, every: str) -> int:
    from ecluse.cli.watching import repeat, span_of
    from ecluse.config import of_checkout

    standing = "" if every else of_checkout(frame.repository.work_tree).sync.every
    pause = span_of(every or standing or "1m", "ecluse sync AGENT --watch --every 5m")

    def said() -> None:
        _, text = look()
        if text:
            frame.say(text, "ok")

    repeat(frame, pause, said)
    return ExitStatus.DONE


# -- one file, one direction -------------------------------------------------------------------------------------


def _send_look(frame: Frame, agent: str, to: Path, have: str | None, branch: str, *, watch: bool) -> Look:
    from ecluse.cli.land import person
    from ecluse.intake.homeward import make_homeward

    def look() -> tuple[dict[str, Any], str]:
        done = make_homeward(frame.repository, frame.history, agent, to, have=have, branch=branch, actor=person(frame))
        return _sent_document(done), "" if watch and (done.path is None or not done.fresh) else _sent_text(done)

    return look


def _sent_document(done: Homeward) -> dict[str, Any]:
    return {
        "agent": done.agent, "path": str(done.path) if done.path else "", "branch": done.branch, "base": done.base,
        "tip": done.tip, "commits": done.commits,
    }  # fmt: skip


def _sent_text(done: Homeward) -> str:
    if done.path is None:
        return f"Nothing to carry: {done.tip[:12]} of {done.branch} is there already."
    text = f"{done.path}: {count(done.commits, 'commit')} of {done.branch} beyond {done.base[:12] or 'nothing'}"
    plain = f"git fetch {done.path.name} {done.branch}:{'refs/remotes/ecluse/' + done.branch}"
    return f"{text}\nIn the sandbox: ecluse sync --take {done.path.name}   (plain git: {plain})"


def _take_look(frame: Frame, path: Path, *, watch: bool) -> Look:
    from ecluse.intake.homeward import take_homeward

    seen: list[tuple[int, int]] = []

    def look() -> tuple[dict[str, Any], str]:
        if watch:
            if not path.exists():
                return {}, ""
            mark = (path.stat().st_mtime_ns, path.stat().st_size)
            if seen == [mark]:
                return {}, ""
            seen[:] = [mark]
        taken = take_homeward(frame.repository, path)
        return _taken_document(taken), _taken_text(taken)

    return look


def _taken_document(taken: Taken) -> dict[str, Any]:
    from ecluse.history.records import plain

    return {"ref": taken.ref, "tip": taken.tip, "commits": taken.commits, "outcomes": plain(taken.outcomes)}


def _taken_text(taken: Taken) -> str:
    short = taken.ref.removeprefix("refs/remotes/")
    lines = [f"{short} is at {taken.tip[:12]}, {count(taken.commits, 'commit')} beyond HEAD."]
    for one in taken.outcomes[:5]:
        lines.append(f"  {one.change}/{one.revision} is {one.state}{f': {one.reason}' if one.reason else ''}")
    lines += [f"  next: git merge {short} (or: git rebase {short})"] if taken.commits else []
    return "\n".join(lines)


# -- a folder, both directions -----------------------------------------------------------------------------------


def _folder_look(frame: Frame, agent: str | None, folder: Path, name: str, *, land: bool, watch: bool) -> Look:
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise Invalid("sync.to", f"{folder} is a file; both sides meet in a folder.", "ecluse sync --folder DIR")
    if agent:
        return _trunk_look(frame, agent, folder, land=land, watch=watch)
    return _sandbox_look(frame, folder, name, watch=watch)


def _trunk_look(frame: Frame, agent: str, folder: Path, *, land: bool, watch: bool) -> Look:
    from ecluse.cli.follow import follow
    from ecluse.cli.land import person
    from ecluse.intake.exchange import TrunkSide
    from ecluse.model import Change, ChangeState, Landing

    side = TrunkSide(frame.repository, agent, folder, land=land)

    def rests(key: str) -> bool:
        change = frame.history.get(Change, key)
        if change is None or change.state is ChangeState.RECEIVED:
            return change is None
        if change.wants_landing and change.state is ChangeState.READY and change.trusted_by:
            return False
        landings = frame.history.find(Landing, change=key, newest_first=True, limit=1)
        return not landings or landings[0].state.is_terminal or landings[0].state.waits_for_person

    def look() -> tuple[dict[str, Any], str]:
        received, problems = side.take_in(frame.history, actor=person(frame))
        for problem in problems:
            frame.say(f"{problem.code}: {problem.message}", "warn")
        keys = [one.key for one in received]
        follow(frame, lambda: all(rests(key) for key in keys), subjects=())
        sent = side.send(frame.history, actor=person(frame))
        states = {key: _state(frame, key) for key in keys}
        document = {
            "received": states,
            "problems": [problem.as_dict() for problem in problems],
            "sent": _sent_document(sent) if sent else None,
        }
        lines = [f"{key} is {state}" for key, state in states.items()]
        lines += [_sent_text(sent).partition("\n")[0]] if sent else []
        return document, "\n".join(lines if lines or watch else _quiet(folder, side.checkpoints()))

    return look


def _quiet(folder: Path, checkpoints: tuple[str, ...] = ()) -> list[str]:
    """What a single look says when there was nothing to do."""
    lines = [f"Nothing new in {folder}."]
    for one in checkpoints:
        lines.append(
            f"  half-done work lies there as a checkpoint; if its sandbox is gone: ecluse import {folder / one}"
        )
    return lines


def _state(frame: Frame, key: str) -> str:
    from ecluse.model import Change

    change = frame.history.get(Change, key)
    return change.state.value if change else ""


def _sandbox_look(frame: Frame, folder: Path, name: str, *, watch: bool) -> Look:
    from ecluse.cli.export import agent_of
    from ecluse.intake.exchange import SandboxSide

    side = SandboxSide(frame.repository, folder)

    def request() -> ExportRequest:
        from ecluse.intake.outbox import ExportRequest

        return ExportRequest(agent=agent_of(frame, name), to=folder)

    def look() -> tuple[dict[str, Any], str]:
        taken, sent = side.look(request())
        document = {"taken": _taken_document(taken) if taken else None, "exported": None}
        lines = [_taken_text(taken)] if taken else []
        if sent:
            kept = (frame.repository.state_dir / "history.db").exists()
            if kept:
                frame.history.written = True
            facts = {"change_id": sent.change_id, "revision": sent.revision, "path": str(sent.path), "head": sent.head}
            document["exported"] = facts
            lines.append(
                f"{sent.change_id} revision {sent.revision}: {count(len(sent.files), 'file')}: {sent.path.name}"
            )
            lines += [f"  NOT carried: {ascii(one['path'])[1:-1]} ({one['reason']})" for one in sent.omissions]
        return document, "\n".join(lines if lines or watch else _quiet(folder))

    return look
