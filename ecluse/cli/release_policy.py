"""The verbs that hold a release up, let it through or try it again, and what an environment says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecluse.cli.frame import Frame, door
from ecluse.cli.release_gate import drive, person, said_so, short_of, unfinished
from ecluse.errors import ExitStatus, Invalid, Refused, Waits

if TYPE_CHECKING:
    from ecluse.model import Release

_WHY = click.option("--why", required=True, metavar="TEXT", help="The reason, for those who read this later.")
_WAIT = click.option("--wait/--no-wait", default=True, help="Go on with the release here (default), or only record it.")


@click.command("pause")
@click.argument("release_id", metavar="[RELEASE]", default="")
@_WHY
@door()
def pause(frame: Frame, release_id: str, why: str) -> None:
    """Have a release begin nothing more until it is resumed. Gates can be answered meanwhile, and their time runs on."""
    from ecluse import release

    found = release.pause(frame.history, unfinished(frame, release_id).id, who=person(frame), why=why)
    text = f"{found.id} is paused. It goes on with: ecluse release resume {found.id}"
    frame.emit(release.status(frame.history, found.id), text)


@click.command("resume")
@click.argument("release_id", metavar="[RELEASE]", default="")
@_WAIT
@door(input_flags=True)
def resume(frame: Frame, release_id: str, wait: bool) -> int:
    """Have a paused release go on where it stands.

    Exit: 0 it went on to its end; 1 rolled back, aborted or failed; 3 waits for a person.
    """
    from ecluse import release

    found = release.resume(frame.history, unfinished(frame, release_id).id, who=person(frame))
    return _go_on(frame, found.id, wait, "resumed")


@click.command("retry")
@click.argument("release_id", metavar="RELEASE")
@click.option("--why", default="", metavar="TEXT", help="What has changed, for those who read this later.")
@_WAIT
@door(input_flags=True)
def retry(frame: Frame, release_id: str, why: str, wait: bool) -> int:
    """Try the step that failed once more. Where no approval holds any more, people are asked again first.

    Exit: 0 it went on to its end; 1 rolled back, aborted or failed; 3 waits for a person.
    """
    from ecluse import release
    from ecluse.release.orders import find

    found = find(frame.history, release_id)
    release.retry(frame.repository, frame.history, found.id, who=person(frame), why=why)
    return _go_on(frame, found.id, wait, "tried again")


def _go_on(frame: Frame, release_id: str, wait: bool, what: str) -> int:
    from ecluse import release

    if wait:
        return drive(frame, release_id)
    frame.emit(release.status(frame.history, release_id), f"{release_id} is {what}. Drive it with: ecluse serve")
    return ExitStatus.DONE


@click.command("override")
@click.argument("release_id", metavar="[RELEASE]", default="")
@_WHY
@click.option("--key", type=click.Path(path_type=Path), help="Your key, listed on the trunk with the role human.")
@_WAIT
@door(input_flags=True)
def override(frame: Frame, release_id: str, why: str, key: Path | None, wait: bool) -> int:
    """In an emergency, let a release through a freeze or a lock. A second person has to agree: approve --gate override."""
    from ecluse import release

    found = unfinished(frame, release_id)
    release.overridable(frame.repository, frame.history, found.id)
    if key is None and not frame.interactive:
        raise Refused(
            "override.needs_key",
            "Without a key this has to be typed by a person at a terminal, and this is none.",
            f"ecluse release override {found.id} --why TEXT --key FILE",
        )
    if key is None and not frame.confirm(f"let {found.id} into {found.environment} in spite of it?"):
        raise Waits("gate.open", "Nothing was overridden.", f"ecluse release status {found.id}")
    how = "key" if key else "typed"
    gate = release.override(frame.repository, frame.history, found.id, who=person(frame), how=how, why=why, key=key)
    said_so(frame, gate)
    if not gate.state.is_terminal:
        raise short_of(gate)
    return _go_on(frame, found.id, wait, "let through")


@click.command("lock")
@click.argument("environment")
@_WHY
@click.option("--until", "until", default="4h", metavar="TIME", help="How long (30m, 4h, 2d) or until when (UTC).")
@door()
def lock(frame: Frame, environment: str, why: str, until: str) -> None:
    """Keep everybody else out of ENVIRONMENT for a while, also releases, unless two people override it."""
    from ecluse.history.records import plain
    from ecluse.release import holds

    known(frame, environment)
    held = holds.lock(frame.history, environment, holder=person(frame), until=instant_of(until), why=why)
    frame.emit(
        {"lock": plain(held)}, f"{environment} is locked by {held.holder} {holds.ending(held.until)}: {held.why}"
    )


@click.command("unlock")
@click.argument("environment")
@_WHY
@door()
def unlock(frame: Frame, environment: str, why: str) -> None:
    """Give the lock of ENVIRONMENT back, whoever has it."""
    from ecluse.history.records import plain
    from ecluse.release import holds

    known(frame, environment)
    held = holds.unlock(frame.history, environment, holder=None, who=person(frame), why=why)
    if held is None:
        raise Invalid("lock.none", f"Nobody has the lock of {environment}.", "ecluse freeze")
    frame.emit({"lock": plain(held)}, f"the lock of {environment} by {held.holder} is given back")


COMMANDS = (pause, resume, retry, override, lock, unlock)


def known(frame: Frame, environment: str) -> None:
    """Raises :class:`Invalid` for an environment that the trunk's policy does not have."""
    from ecluse.trunk import open_trunk

    names = sorted(open_trunk(frame.repository).config.environments)
    if environment not in names:
        raise Invalid(
            "environment.unknown",
            f"The trunk's policy has no environment {environment!r} (it has: {', '.join(names) or 'none yet'}).",
            f"add [environments.{environment}] to ecluse.toml on the trunk",
        )


def instant_of(text: str) -> str:
    """The instant that ``30m``, ``4h``, ``2d``, ``2025-12-24`` or ``2025-12-24T18:00`` mean. Raises :class:`Invalid`."""
    from datetime import UTC, datetime

    from ecluse import clock
    from ecluse.release import durations

    seconds = None if text.strip().isdecimal() else durations.seconds(text)  # 20251224 is a day
    if seconds is not None:
        return clock.after(seconds)
    try:
        moment = datetime.fromisoformat(text.strip())
        return clock.instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise Invalid(
            "usage.time", f"{text!r} is no time.", "write 30m, 4h, 2d, 2025-12-24 or 2025-12-24T18:00 (UTC)"
        ) from error


def notes(frame: Frame, environment: str) -> list[str]:
    """What keeps releases out of an environment now, before anybody wonders."""
    from ecluse.release import holds
    from ecluse.trunk import open_trunk

    if not environment:
        return []
    found = []
    frozen = holds.frozen(open_trunk(frame.repository), frame.history, environment)
    if frozen is not None:
        found.append(f"{environment} is frozen {holds.ending(frozen.until)}: {frozen.why}")
    held = holds.lock_of(frame.history, environment)
    if held is not None and not held.holder.startswith("rel-"):
        found.append(f"{environment} is locked by {held.holder} {holds.ending(held.until)}: {held.why}")
    return found


def start_notes(frame: Frame, started: Release) -> list[str]:
    """What a start without proof costs later, said now."""
    from ecluse.trunk import open_trunk

    production = (started.outputs["plan"].get("target") or {}).get("production")
    if not production or started.outputs["starter"]["key"] or open_trunk(frame.repository).config.solo:
        return []
    return ["nobody proved who starts this, so the gate before production needs one person more (--starter-key FILE)"]


def due_notes(frame: Frame) -> list[str]:
    """Whether a release is due by the policy's frequency."""
    from ecluse.release.environments import due

    said = due(frame.repository, frame.history)
    return [said] if said else []


def show_environment(frame: Frame, environment: str) -> int:
    """Ask an environment what runs there and compare it with the history."""
    from ecluse.history.records import plain
    from ecluse.release.environments import look

    seen = look(frame.repository, frame.history, environment)
    lines = [f"{environment}: {seen.said}", *(f"  {part}" for part in seen.answers)]
    document = {**plain(seen), "notes": notes(frame, environment)}
    frame.emit({"environment": document}, "\n".join([*lines, *(f"  {note}" for note in document["notes"])]))
    return ExitStatus.DONE if seen.as_recorded else ExitStatus.FAILED
