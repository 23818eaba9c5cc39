"""Driving a release in the foreground, asking at its gates, and finding the one that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.frame import Frame
from ecluse.cli.release_text import outcome_text, word
from ecluse.errors import ExitStatus, Invalid, Refused, Waits
from ecluse.files import read_capped

if TYPE_CHECKING:
    from ecluse.model import Gate, Release


def drive(frame: Frame, release_id: str, *, play: str | None = None, key: Path | None = None) -> int:
    """Drive the line until the release is over, asking or waiting at gates; print the outcome.

    Raises :class:`Waits` where a person is needed and nobody may be asked here.
    """
    from ecluse import release

    while True:
        follow_release(frame, release_id)
        found = read(frame, release_id)
        if found.state.is_terminal:
            break
        gate = open_gate(frame, release_id) if found.state == "waiting" else None
        if gate is None:
            document = release.status(frame.history, release_id)
            commands = document["next"]
            hint = commands[0] if commands else f"ecluse release status {release_id} --follow"
            raise Waits("release.waits", f"{release_id} waits: {found.reason}", hint, {"release": release_id})
        _at_gate(frame, found, gate, play=play, key=key)
    document = release.status(frame.history, release_id)
    frame.emit(document, outcome_text(document))
    return ExitStatus.DONE if found.state == "done" else ExitStatus.FAILED


def follow_release(frame: Frame, release_id: str) -> None:
    """Drive until the release rests: over, or before people with nothing of it due."""
    from ecluse.cli.follow import follow
    from ecluse.history import wakes

    def rests() -> bool:
        found = read(frame, release_id)
        is_due = wakes.claimed(frame.history) or found.subject in wakes.due(frame.history)
        waits = found.state.waits_for_person and not is_due
        return found.state.is_terminal or waits

    follow(frame, rests, subjects=(f"release/{release_id}",))


def _at_gate(frame: Frame, found: Release, gate: Gate, *, play: str | None, key: Path | None) -> None:
    """Answer the gate here when that is allowed, else say how and wait until somebody else has."""
    from ecluse import release

    typed = f"ecluse release approve {found.id} --gate {gate.name}"
    if play is not None:
        frame.say(f"playing {play} at the gate {gate.name}: {gate.question} approve", "step")
        words: dict[str, Any] = {"who": play, "how": "played", "why": "played in a demonstration", "key": key}
        words["checked"] = gate.checklist
        _demand_all(release.answer(frame.repository, frame.history, found.id, gate.name, "approve", **words))
    elif frame.interactive and key is None and _is_solo(frame):
        _ask_here(frame, found, gate)
    elif frame.interactive and key is not None:
        word = _prompt(frame, found, gate)
        checked = _tick(frame, gate) if word == gate.answers[0] else ()
        words = {"who": person(frame), "how": "key", "key": key, "checked": checked}
        _demand_all(release.answer(frame.repository, frame.history, found.id, gate.name, word, **words))
    elif frame.no_input or frame.as_json:
        raise Waits(
            "gate.open",
            f"{found.id} waits at the gate {gate.name}: {gate.question}",
            f"{typed}{_how(frame)}",
            {"release": found.id, "gate": gate.name, "question": gate.question, "expires_at": gate.expires_at},
        )
    else:
        frame.say(f"waiting for a person. From another terminal: {typed}{_how(frame)} (or: reject)", "wait")
        _wait_for_answer(frame, gate)


def _how(frame: Frame) -> str:
    """How an answer is proved: by a key; a person alone types it."""
    return ", typed at a terminal" if _is_solo(frame) else " --key FILE"


def _demand_all(gate: Gate) -> None:
    """Whoever answered here can do no more when other people are needed as well."""
    if not gate.state.is_terminal:
        raise short_of(gate)


def _wait_for_answer(frame: Frame, gate: Gate) -> None:
    from ecluse.cli.follow import follow
    from ecluse.model import Gate as GateNoun

    def answered() -> bool:
        now = frame.history.get(GateNoun, gate.id)
        return now is None or now.state.is_terminal

    follow(frame, answered, subjects=(f"release/{gate.release}",))


def _ask_here(frame: Frame, found: Release, gate: Gate) -> None:
    from ecluse import release

    word = _prompt(frame, found, gate)
    who = person(frame)
    checked = _tick(frame, gate) if word == gate.answers[0] else ()
    words: dict[str, Any] = {"who": who, "how": "typed", "checked": checked}
    release.answer(frame.repository, frame.history, found.id, gate.name, word, **words)


def _prompt(frame: Frame, found: Release, gate: Gate) -> str:
    frame.say(f"{_what(found)}: {gate.question}", "wait")
    return str(click.prompt("your answer", type=click.Choice(list(gate.answers), case_sensitive=False), err=True))


def _what(found: Release) -> str:
    """What a question is about: a version on its way somewhere, or a run of a page."""
    where = f" to {found.environment}" if found.environment else ""
    return f"{found.version or found.playbook}{where}"


def answer(
    frame: Frame,
    release_id: str,
    plain: str,
    *,
    gate_name: str | None,
    answer: str | None,
    key: Path | None,
    why: str,
    checked: tuple[str, ...],
    signature: Path | None,
    statement: bool,
    wait: bool,
) -> int:
    """One answer at a gate, from the command line: signed here, signed elsewhere, or typed."""
    from ecluse import release

    found = unfinished(frame, release_id)
    if statement:
        said = release.statement(frame.repository, frame.history, found.id, gate_name, answer or plain, checked)
        frame.emit({"statement": said.decode("ascii"), "namespace": "approval@ecluse"}, said.decode("ascii"))
        return ExitStatus.DONE
    gate, word = release.asked(frame.repository, frame.history, found.id, gate_name, answer or plain)
    if key is None and signature is None and not frame.interactive:
        raise Refused(
            "gate.needs_terminal",
            "Without a key an answer has to be typed by a person at a terminal, and this is none.",
            f"ecluse release {plain} {found.id}{_how(frame)}",
        )
    if key is None and signature is None:
        frame.say(f"{_what(found)}: {gate.question}", "wait")
        checked = checked or (_tick(frame, gate) if word == gate.answers[0] else ())
        if not frame.confirm(f"{word} {found.id}?"):
            raise Waits("gate.open", "Nothing was answered.", f"ecluse release {plain} {found.id}")
    how = "key" if key or signature else "typed"
    words: dict[str, Any] = {"who": person(frame), "how": how, "why": why, "key": key, "checked": checked}
    if signature is not None:
        words["signature"] = read_capped(signature, 64 << 10).decode("ascii", "replace")
    gate = release.answer(frame.repository, frame.history, found.id, gate_name, word, **words)
    said_so(frame, gate)
    if not gate.state.is_terminal:
        raise short_of(gate)
    if wait:
        return drive(frame, found.id) if plain == "approve" else drive_to_end(frame, found.id)
    frame.emit(release.status(frame.history, found.id), f"{gate.name} of {found.id}: {gate.answer}")
    return ExitStatus.DONE


def said_so(frame: Frame, gate: Gate) -> None:
    """Say what was counted."""
    vote = gate.votes[-1]
    number = f"; {len(gate.votes)} of {gate.needs} people" if gate.needs > 1 else ""
    frame.say(f"{gate.name}: {vote['answer']} by {vote['by']} ({vote['how']}){number}", "ok")


def short_of(gate: Gate) -> Waits:
    """The answer counts, and more people are needed."""
    missing = gate.needs - len(gate.votes)
    who = "one more person" if missing == 1 else f"{missing} more people"
    return Waits(
        "gate.more",
        f"The answer counts: {len(gate.votes)} of {gate.needs} people; the gate {gate.name} needs {who}.",
        f"ecluse release approve {gate.release} --gate {gate.name} --key FILE (a one-person team sets solo = true in ecluse.toml on the trunk)",
        {"release": gate.release, "gate": gate.name, "votes": len(gate.votes), "needs": gate.needs},
    )


def _tick(frame: Frame, gate: Gate) -> tuple[str, ...]:
    """Ask for each item of the checklist whether it was tried."""
    return tuple(item for item in gate.checklist if frame.confirm(f"  tried: {item}?"))


def drive_to_end(frame: Frame, release_id: str) -> int:
    """After a rejection: it has succeeded when the release has ended as it was asked to."""
    from ecluse import release

    follow_release(frame, release_id)
    over = read(frame, release_id)
    frame.emit(release.status(frame.history, over.id), f"{over.id} is {word(over.state)}: {over.reason}")
    return ExitStatus.FAILED if over.state == "failed" else ExitStatus.DONE


def read(frame: Frame, release_id: str) -> Release:
    from ecluse.release.orders import find

    return find(frame.history, release_id)


def open_gate(frame: Frame, release_id: str) -> Gate | None:
    from ecluse.release.gates import open_gates

    found = open_gates(frame.history, release_id)
    return found[-1] if found else None


def unfinished(frame: Frame, release_id: str) -> Release:
    from ecluse.model import Release as ReleaseNoun
    from ecluse.release.orders import find

    if release_id:
        return find(frame.history, release_id)
    every = frame.history.find(ReleaseNoun, newest_first=True)
    open_ones = [r for r in every if not r.state.is_terminal]
    if len(open_ones) == 1:
        return open_ones[0]
    if not every:
        raise Invalid("release.none", "No release was started here yet.", "ecluse release plan")
    if not open_ones:
        raise Invalid(
            "release.which", "No release is unfinished; one that is over has to be named.", "ecluse release status"
        )
    listed = ", ".join(f"{r.id} ({r.version or r.playbook})" for r in open_ones)
    raise Invalid(
        "release.which", f"{len(open_ones)} releases are unfinished, say which one: {listed}.", "ecluse release status"
    )


def live_release(frame: Frame, environment: str | None) -> str:
    from ecluse.model import Deployment, DeploymentState

    live = [
        d for d in frame.history.find(Deployment, state=DeploymentState.LIVE) if environment in (None, d.environment)
    ]
    if len(live) == 1:
        return live[0].release
    if not live:
        where = f" in {environment}" if environment else ""
        raise Invalid("release.which", f"Nothing is live{where}, so nothing can go back.", "ecluse release status")
    listed = ", ".join(f"{d.release} ({d.version} in {d.environment})" for d in live)
    raise Invalid("release.which", f"{len(live)} releases are live, say which one: {listed}.", "ecluse release status")


def _is_solo(frame: Frame) -> bool:
    from ecluse.trunk import open_trunk

    return open_trunk(frame.repository).config.solo


def person(frame: Frame) -> str:
    """Who types here, as git knows them."""
    who = frame.repository.identity()
    return who.name if who else "unknown"


def pairs(inputs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in inputs:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Invalid("usage.input", f"{text!r} is not NAME=VALUE.", "ecluse release start --input version=1.4.0")
        found[name] = value
    return found
