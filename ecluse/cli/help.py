"""``ecluse help``: a verb's help, or the table of exit codes."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import EXIT_MEANINGS, Invalid


@click.command("help")
@click.argument("topic", required=False)
@door()
def command(frame: Frame, topic: str | None) -> None:
    """Explain TOPIC: a verb, or exit-codes."""
    from ecluse.cli.group import VERBS, ecluse

    if topic == "exit-codes":
        codes = {int(status): text for status, text in EXIT_MEANINGS.items()}
        frame.emit({"exit_codes": codes}, "\n".join(f"{code:>4}  {text}" for code, text in codes.items()))
        return
    context = click.get_current_context().parent
    assert context is not None  # noqa: S101 - a verb always has the group above it
    if not topic:
        frame.emit({"verbs": {verb: text for verb, (_, text) in VERBS.items()}}, context.get_help())
        return
    found = ecluse.get_command(context, topic)
    if found is None:
        raise Invalid("help.topic", f"There is no verb and no topic {topic!r}.", "ecluse --help")
    with click.Context(found, info_name=topic, parent=context) as inner:
        frame.emit({"help": found.get_help(inner)}, found.get_help(inner))
