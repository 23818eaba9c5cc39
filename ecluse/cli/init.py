"""``ecluse init``: prepare a repository. Idempotent; commits nothing; overwrites nothing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from ecluse.cli.frame import Frame, door

if TYPE_CHECKING:
    from ecluse.kit import InitReport


@click.command("init")
@click.option("--trunk", metavar="BRANCH", default=None, help="The branch that changes land on (default: guessed).")
@click.option(
    "--trust",
    type=click.Choice(["signed", "all"]),
    default=None,
    help="Whose changes run here without a person: those a listed key vouches for (default), or everybody's.",
)
@click.option(
    "--solo/--team",
    " /--no-solo",
    default=None,
    help="A one-person team: a typed answer counts as an approval (asked at a terminal when not given).",
)
@click.option("--kit", default="", metavar="NAMES", help="Also: ci, hooks, docker, staging, release, agents, or all.")
@click.option("--print", "shown", default="", metavar="FILE", help="Print one file of the kit, and nothing else.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")
@door(input_flags=True)
def command(
    frame: Frame, trunk: str | None, trust: str | None, solo: bool | None, kit: str, shown: str, dry_run: bool
) -> None:
    """Prepare this repository: look at the machine, record the trunk, make the history, write a policy (ecluse.toml),
    the folders of .sync/, a .gitignore section, two git aliases and what agents need to know (AGENTS.md).

    What is there already stays; typing it again changes nothing. What it writes is left for you to commit.

    With --kit it looks at what the repository is and writes workflows, hooks and the like that fit; for a file that
    somebody wrote it proposes a diff.
    """
    if shown:
        _print(frame, shown)
        return
    from ecluse.history.records import plain
    from ecluse.kit import InitOptions, init, kits

    chosen = kits.chosen(kit)
    if solo is None and not dry_run and frame.interactive and not frame.yes:
        solo = _ask_solo(frame)
    options = InitOptions(trunk, cast("Literal['signed', 'all'] | None", trust), solo, dry_run, chosen)
    report = init(frame.repository, options)
    document: dict[str, Any] = {**plain(report), "changed": report.changed}
    frame.emit(document, _text(report))


def _print(frame: Frame, path: str) -> None:
    from ecluse.kit import kits

    click.echo(kits.one_file(frame.repository.work_tree or frame.folder, path), nl=False)


def _ask_solo(frame: Frame) -> bool | None:
    """Ask whether one person is the whole team; ``None`` where a policy stands already, which init does not rewrite."""
    from ecluse.kit.pieces import policy_place

    work_tree = frame.repository.work_tree
    if work_tree is None or policy_place(work_tree) is not None:
        return None
    frame.say("In a team, production takes the approval of somebody who neither started nor wrote a release.")
    alone = frame.confirm("Do you work alone here, so that your own typed answer counts?")
    return alone or None


_PLANNED = {"created": "create", "appended": "append", "skipped": "skip", "renewed": "renew", "proposed": "propose"}
"""What is said of something that was not done yet."""


def _text(report: InitReport) -> str:
    lines = ["Looked at:"]
    for check in report.checks:
        lines.append(f"  {check.state:<5} {check.name:<11} {check.found}")
        lines += [f"{'':<19} next: {check.hint}"] if check.hint else []
    lines += ["", "Found:", *(f"  {one}" for one in report.found)] if report.found else []
    lines += ["", "Would do:" if report.dry_run else "Did:"]
    shown = [action for action in report.actions if action.kind.changes or action.why]
    for (kind, why), alike in itertools.groupby(shown, lambda a: (a.kind, a.why if not a.kind.changes else a.what)):
        together = list(alike)
        why = together[0].why
        word = _PLANNED.get(kind, kind) if report.dry_run else kind
        lines.append(f"  {word:<9} {', '.join(a.what for a in together)}{f'  ({why})' if why else ''}")
    if not report.changed:
        lines.append(f"  nothing: this repository is prepared, its trunk is {report.trunk}")
    for action in report.actions:
        lines += (
            ["", f"Proposed for {action.what}:", *(f"  {one}" for one in action.diff.splitlines())]
            if action.diff
            else []
        )
    if report.after:
        lines += ["", "Doctor:", *(f"  {one.state:<5} {one.name:<11} {one.found}" for one in report.after)]
    lines += ["", "Next:", *(f"  {one}" for one in report.next)]
    return "\n".join(lines)
