"""``ecluse sync``: the way back, from the trunk to an agent's sandbox, as one file."""

from __future__ import annotations

from pathlib import Path

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import Invalid


@click.command("sync")
@click.argument("agent", required=False)
@click.option(
    "--have", default=None, metavar="REV", help="What the sandbox has (default: the base of AGENT's last change)."
)
@click.option("--to", "target", default="trunk.bundle", show_default=True, metavar="FILE", help="Where to write it.")
@click.option("--take", default="", metavar="FILE", help="In the sandbox: take such a bundle in.")
@door()
def command(frame: Frame, agent: str | None, have: str | None, target: str, take: str) -> None:
    """Write a bundle with what AGENT lacks of the trunk. In the sandbox, `ecluse sync --take FILE` puts it under
    refs/remotes/ecluse/, where it can be merged or rebased on; no branch moves and no file is touched.
    """
    if take:
        _take(frame, frame.folder / take)
        return
    if not agent and not have:
        raise Invalid(
            "usage", "For whom? Name an agent, or what its sandbox has.", "ecluse sync AGENT, or ecluse sync --have REV"
        )
    from ecluse.cli.land import person
    from ecluse.intake.homeward import make_homeward

    to = (frame.folder / target).resolve()
    done = make_homeward(frame.repository, frame.history, agent or "", to, have=have, actor=person(frame))
    document = {
        "agent": done.agent, "path": str(done.path) if done.path else "", "branch": done.branch, "base": done.base,
        "tip": done.tip, "commits": done.commits,
    }  # fmt: skip
    if done.path is None:
        frame.emit(document, f"Nothing to carry: {done.tip[:12]} of {done.branch} is there already.")
        return
    text = f"{done.path}: {done.commits} commits of {done.branch} beyond {done.base[:12] or 'nothing'}"
    plain = f"git fetch {done.path.name} {done.branch}:{'refs/remotes/ecluse/' + done.branch}"
    frame.emit(document, f"{text}\nIn the sandbox: ecluse sync --take {done.path.name}   (plain git: {plain})")


def _take(frame: Frame, path: Path) -> None:
    from ecluse.intake.homeward import take_homeward

    taken = take_homeward(frame.repository, path)
    short = taken.ref.removeprefix("refs/remotes/")
    follow = f"\n  next: git merge {short} (or: git rebase {short})" if taken.commits else ""
    frame.emit(
        {"ref": taken.ref, "tip": taken.tip, "commits": taken.commits},
        f"{short} is at {taken.tip[:12]}, {taken.commits} commits beyond HEAD.{follow}",
    )
