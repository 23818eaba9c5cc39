"""The pages of ``docs/verbs/``, made of the command line itself: what ``--help`` says, examples, related pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import click

from ecluse.cli.examples import EXAMPLES
from ecluse.cli.group import VERBS, ecluse
from ecluse.errors import EXIT_MEANINGS

COMMON = ("-C", "--quiet", "--verbose", "--no-color", "--json", "--yes", "--no-input")
"""Options that nearly every verb has; they are explained once, on the index page."""

SETTINGS = {
    "init": "project", "doctor": "ready", "export": "ready", "import": "handed-over", "review": "waiting",
    "validate": "ready", "sync": "landed", "overlap": "kept", "keys": "ready", "run": "project", "land": "kept",
    "queue": "kept", "status": "kept", "release": "releasable", "freeze": "ready", "playbook": "ready",
    "history": "landed", "show": "landed", "serve": "ready", "help": "empty",
}  # fmt: skip
"""Verb -> the setting that its examples suppose (:mod:`pages.settings`)."""

WORDS = {
    "ecluse export --agent agent-1 --to ../change.tar": {"in": "../sandbox"},
    "ecluse export --watch --every 30m": {"stop after": "looking every"},
    "ecluse validate": {"in": "../sandbox"},
    "ecluse sync --take ../trunk.bundle": {"in": "../sandbox"},
    "ecluse serve": {"stop after": "http://"},
    "ecluse release start --starter-key ../agent-1 --no-input": {"exit": "3"},
    "ecluse keys make ada --role human --key ../ada": {"needs": "ssh-keygen"},
    "ecluse demo": {"not run": "a test of its own runs the demonstration"},
    "ecluse demo --to ../demo": {"not run": "a test of its own runs the demonstration"},
}
"""Example -> how a test types it, where that is not just so (:mod:`pages.reading`)."""

RELATED = {
    "init": ("start.md", "kit.md", "security.md"),
    "doctor": ("start.md", "architecture.md"),
    "demo": ("start.md", "locks.md"),
    "export": ("portable-export.md", "sync.md", "verbs/import.md"),
    "import": ("import.md", "security.md", "verbs/export.md", "verbs/land.md"),
    "review": ("security.md", "verbs/keys.md", "verbs/show.md"),
    "validate": ("verbs/run.md", "verbs/export.md"),
    "sync": ("sync.md", "verbs/export.md"),
    "overlap": ("import.md", "verbs/land.md"),
    "keys": ("releases.md", "security.md", "verbs/review.md"),
    "run": ("run.md", "workflows.md", "actions.md", "report.md"),
    "land": ("locks.md", "verbs/import.md", "verbs/queue.md"),
    "queue": ("verbs/land.md", "verbs/status.md"),
    "status": ("verbs/queue.md", "verbs/history.md"),
    "release": ("releases.md", "playbooks.md", "steps.md", "verbs/freeze.md"),
    "freeze": ("releases.md", "verbs/release.md"),
    "playbook": ("playbooks.md", "playbook-reference.md", "steps.md"),
    "history": ("history.md", "verbs/show.md"),
    "show": ("verbs/history.md", "verbs/status.md"),
    "serve": ("verbs/status.md", "notify.md", "sync.md"),
    "help": ("start.md",),
}
"""Verb -> pages below docs/ that go on from it."""


def made() -> dict[str, str]:
    """Path below docs/ -> text, for the index and each verb."""
    with click.Context(ecluse, info_name="ecluse") as context:
        return {"verbs/index.md": _index(context)} | {
            f"verbs/{verb}.md": "\n".join(_page(context, verb)).rstrip() + "\n" for verb in VERBS
        }


def _index(context: click.Context) -> str:
    lines = ["# The verbs", "", "These pages are made from the command line; a test compares them.", ""]
    lines += ["| verb | what it does |", "|---|---|"]
    lines += [f"| [`ecluse {verb}`]({verb}.md) | {text} |" for verb, (_, text) in VERBS.items()]
    lines += ["", "## Common options", "", "Nearly every verb has these.", "", *_options(_common(context))]
    lines += ["", "## Exit statuses", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {int(status)} | {text} |" for status, text in EXIT_MEANINGS.items()]
    lines += [
        "",
        "What is said goes to standard error, the answer to standard output; with `--json` it is one document.",
    ]
    return "\n".join(lines) + "\n"


def _common(context: click.Context) -> list[click.Parameter]:
    found = ecluse.get_command(context, "import")
    assert found is not None
    return [one for one in found.params if COMMON_NAMES & set(one.opts)]


COMMON_NAMES = set(COMMON)


def _page(context: click.Context, verb: str) -> Iterator[str]:
    command = ecluse.get_command(context, verb)
    assert command is not None
    yield f"# `ecluse {verb}`"
    yield ""
    yield VERBS[verb][1]
    yield ""
    yield from _told(command, context, verb)
    if isinstance(command, click.Group):
        with click.Context(command, info_name=verb, parent=context) as inner:
            yield from _below(command, inner, verb)
    yield from _examples(verb)
    yield "## Related"
    yield ""
    for page in RELATED[verb]:
        path = page.removeprefix("verbs/") if page.startswith("verbs/") else f"../{page}"
        name = f"`ecluse {path.removesuffix('.md')}`" if page.startswith("verbs/") else _title(page)
        yield f"* [{name}]({path})"
    yield ""


def _title(page: str) -> str:
    from pages import reading

    return reading.title(reading.DOCS / page)


def _below(group: click.Group, context: click.Context, verb: str) -> Iterator[str]:
    names = group.list_commands(context)
    yield "| command | what it does |"
    yield "|---|---|"
    for name in names:
        found = group.get_command(context, name)
        assert found is not None
        first = re.split(r"(?<=\.)\s", _prose(found)[0], maxsplit=1)[0]
        yield f"| [`ecluse {verb} {name}`](#ecluse-{verb}-{name}) | {_cell(first)} |"
    yield ""
    for name in names:
        found = group.get_command(context, name)
        assert found is not None
        yield f"## `ecluse {verb} {name}`"
        yield ""
        yield from _told(found, context, name, level=3)


def _told(command: click.Command, context: click.Context, name: str, level: int = 2) -> Iterator[str]:
    """Meaning, usage, options and exit statuses of one command."""
    with click.Context(command, info_name=name, parent=context) as inner:
        usage = inner.get_usage().removeprefix("Usage: ")
    exits = [text for text in _prose(command) if "Exit: " in text]
    for text in _prose(command):
        before = text.partition("Exit: ")[0].strip()
        if before:
            yield _marked(before)
            yield ""
    yield f"Usage: `{' '.join(usage.split())}`"
    yield ""
    own = [one for one in command.params if isinstance(one, click.Option) and not COMMON_NAMES & set(one.opts)]
    if own:
        yield f"{'#' * level} Options" if level == 2 else "Options:"
        yield ""
        yield from _options(own)
        yield ""
    if any(COMMON_NAMES & set(one.opts) for one in command.params):
        yield (
            "The [common options](index.md#common-options) as well."
            if own
            else ("It has the [common options](index.md#common-options) only.")
        )
        yield ""
    if not isinstance(command, click.Group):
        yield f"{'#' * level} Exit statuses" if level == 2 else "Exit statuses:"
        yield ""
        yield from _exits(exits[0].partition("Exit: ")[2] if exits else "")
        yield ""


def _exits(text: str) -> Iterator[str]:
    if not text:
        yield "0 when it did what was asked; else as in [the table](index.md#exit-statuses)."
        return
    for one in text.rstrip(".").split("; "):
        status, _, meaning = one.partition(" ")
        yield f"* **{status}** {meaning}"
    yield ""
    yield "Others as in [the table](index.md#exit-statuses)."


def _options(listed: Sequence[click.Parameter]) -> Iterator[str]:
    yield "| option | what it does |"
    yield "|---|---|"
    for one in listed:
        with click.Context(click.Command("x")) as context:
            record = one.get_help_record(context) if isinstance(one, click.Option) else None
        if record:
            yield f"| `{_cell(record[0])}` | {_marked(_cell(record[1]))} |"


def _examples(verb: str) -> Iterator[str]:
    yield "## Examples"
    yield ""
    if verb in SETTINGS:
        yield f"<!-- setting: {SETTINGS[verb]} -->"
        yield ""
    for command, what in EXAMPLES[verb]:
        yield f"{what}:"
        yield ""
        for word, value in WORDS.get(command, {}).items():
            yield f"<!-- {word}: {value} -->"
        yield "```sh"
        yield command
        yield "```"
        yield ""


def _prose(command: click.Command) -> list[str]:
    """The paragraphs of a command's help, each on one line."""
    return [" ".join(text.split()) for text in (command.help or "").split("\n\n")]


def _marked(text: str) -> str:
    """Commands, options and patterns in running text as code, so that Markdown leaves them as they are."""
    text = re.sub(rf"(?<![`\w])ecluse (?:{'|'.join(VERBS)})\b(?: (?:approve|override|plan)\b)?", r"`\g<0>`", text)
    return re.sub(r"(?<![`\w-])(--[a-z][\w-]*(?: [A-Z]+\b)?|\S*\*\S*[^\s.,;:)])", r"`\1`", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
