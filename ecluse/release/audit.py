"""The access report: facts of the history and of the hosts, as a page for people. No secret is in it, only names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from ecluse import clock, signing
from ecluse.errors import Failed, Invalid
from ecluse.files import write_atomically
from ecluse.model import Event
from ecluse.release import vault
from ecluse.release.context import Context
from ecluse.release.deploy.host import hosts_of
from ecluse.release.target import Target

KINDS = (
    ("Gates answered", "gate.answered"),
    ("Releases", "release.started"),
    ("Rollbacks", "release.rolled_back"),
    ("Deployments", "deployment"),
    ("Secrets and other effects", "effect.done"),
    ("Reviews", "change.reviewed"),
    ("Landings", "landing.landed"),
    ("Keys", "keys"),
)
"""Heading of the report -> kind of the events below it."""


def days_of(text: str) -> float:
    """``days=`` as a number. Raises :class:`Invalid` for anything that is not a positive one."""
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if days <= 0:
        raise Invalid("audit.days", f"days={text} is not a positive number.", "ecluse playbook lint")
    return days


def write(context: Context, name: str, days: float) -> tuple[Path, int]:
    """Write the report of the last ``days`` days; return the file and how many lines it has."""
    since = clock.now() - timedelta(days=days)
    lines = [
        f"# Access report: {context.release.environment or context.release.playbook}",
        "",
        f"Made {clock.instant()} in {context.release.id}, for the time since {clock.instant(since)}.",
        "",
        *_keys(context),
    ]
    for title, kind in KINDS:
        lines += ["", f"## {title}", "", *(_events(context, kind, clock.instant(since)) or ["None."])]
    if context.plan.get("target"):
        lines += _hosts(context, context.target, since.timestamp())
    path = context.folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ("\n".join(lines) + "\n").encode("utf-8", "replace"), mode=0o600)
    return path, len(lines)


def _keys(context: Context) -> Iterator[str]:
    yield "## Who may answer"
    yield ""
    listed = signing.principals(context.trunk.signers)
    for one in listed:
        yield f"- {one.name}: {one.role} ({one.key.split()[0]})"
    if not listed:
        yield "No key is listed on the trunk."
    if context.trunk.config.solo:
        yield "- solo = true: whoever types at a terminal of this machine"


def _events(context: Context, kind: str, since: str) -> list[str]:
    found = context.history.events(kind=kind, limit=2000, newest_first=True)
    return [_line(event) for event in reversed(found) if event.at >= since]


def _line(event: Event) -> str:
    who = f" by {event.actor}" if event.actor else ""
    return f"- {event.at[:19]}Z {event.subject}{who}: {' '.join(event.text.split())}"


def _hosts(context: Context, target: Target, since: float) -> Iterator[str]:
    """What ``commands.access`` prints on each host, with the values of the environment's secrets hidden."""
    script = target.commands.get("access", "")
    hides = vault.masker(*_values(context, target))
    for host in hosts_of(target):
        yield from ("", f"## Access to {host.label}", "")
        if not script:
            yield f"{target.name} has no commands.access: nothing is known of who logged in."
            continue
        try:
            said = host.text(script, variables={**target.variables, "ECLUSE_FROM": str(int(since))})
        except Failed as problem:
            said = f"The command failed: {problem.message}"
        yield "```text"
        yield hides.mask(said)[:100_000]
        yield "```"


def _values(context: Context, target: Target) -> Iterator[str]:
    for name in target.secrets:
        try:
            yield vault.value(context.repository, name)
        except Invalid:
            continue
