"""``ecluse review``: a person accepts or rejects a change that waits for one. ``--yes`` never answers this."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.cli.lookup import find_change
from ecluse.cli.words import count
from ecluse.errors import Invalid, Waits
from ecluse.model import Change


@click.command("review")
@click.argument("change")
@click.option("--accept", is_flag=True, help="Let it go on.")
@click.option("--reject", is_flag=True, help="Refuse it for good.")
@click.option("--pick", is_flag=True, help="Accept it and supersede the other attempts at its task.")
@click.option("--why", default="", metavar="TEXT", help="The reason; it is recorded.")
@click.option("--key", default="", metavar="FILE", help="Your private key, one that the trunk lists as human or admin.")
@door(input_flags=True)
def command(frame: Frame, change: str, accept: bool, reject: bool, pick: bool, why: str, key: str) -> None:
    """Answer on CHANGE, which is in quarantine or comes from nobody known here. The answer is signed with your key; in a
    one-person team (solo = true) it may be typed at a terminal instead. It is bound to exactly what was judged.

    Exit: 0 the answer counts; 3 nothing was answered; 4 the answer is refused (no key, not yours to give).
    """
    from ecluse import intake
    from ecluse.cli.import_ import change_document
    from ecluse.cli.land import person

    accept = accept or pick
    if accept == reject:
        raise Invalid("usage", "Say either --accept or --reject.", f"ecluse review {change} --accept --why TEXT")
    found = find_change(frame.history, change)
    if not key and frame.interactive:
        _ask(frame, found, accept=accept)
    done = intake.review(
        frame.repository,
        frame.history,
        found.key,
        accept=accept,
        why=why,
        pick=pick,
        who=person(frame),
        how="typed" if not key and frame.interactive else "key",
        key_file=(frame.folder / key).expanduser() if key else None,
    )
    outcome = "picked, the other attempts are superseded" if pick else "accepted" if accept else "rejected"
    following = f"\n  next: ecluse land {done.key}" if accept else ""
    frame.emit(change_document(frame, done), f"{done.key} is {outcome}.{following}")


def _ask(frame: Frame, change: Change, *, accept: bool) -> None:
    """Show what is answered on, and have the id typed: nobody types that by habit."""
    frame.say(f"{change.key}: {change.title}, by {change.agent or 'unknown'}, {count(len(change.files), 'file')}")
    for one in change.findings[:20]:
        frame.say(f"  {one.verdict}: {one.code}: {one.message}", "warn")
    word = "accept" if accept else "reject"
    typed = click.prompt(f"Type {change.id} to {word} it", default="", show_default=False, err=True)
    if typed.strip() != change.id:
        raise Waits("review.not_answered", "Nothing was answered.", f"ecluse review {change.key} --{word} --why TEXT")
