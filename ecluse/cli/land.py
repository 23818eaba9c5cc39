"""``ecluse land``: test a change on top of its target and land exactly what was tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ecluse.cli.follow import follow
from ecluse.cli.frame import Frame, door
from ecluse.cli.lookup import find_change
from ecluse.cli.run_text import said
from ecluse.errors import ExitStatus, Invalid
from ecluse.history import History
from ecluse.history.waiting import homeward
from ecluse.model import ChangeState, Landing, LandingState, Run

if TYPE_CHECKING:
    from ecluse.git.remotes import Pushed


@click.command("land")
@click.argument("change")
@click.option("--wait/--no-wait", default=True, help="Drive the line until the landing is over (default), or only ask.")
@click.option("--cancel", "cancel_it", is_flag=True, help="Take the change out of the queue instead.")
@click.option("--push", is_flag=True, help="Push the target to its remote afterwards (also when it has landed before).")
@door(input_flags=True)
def command(frame: Frame, change: str, wait: bool, cancel_it: bool, push: bool) -> int:
    """Land CHANGE: the candidate is built, the repository's own workflows run on it, and if they are green the target
    moves by compare-and-swap to exactly the tested tree.

    Exit: 0 landed; 3 waits for a person; 4 refused; 5 checks red.
    """
    from ecluse import landing as lock

    found = find_change(frame.history, change)
    actor = person(frame)
    if cancel_it:
        standing = [one for one in lock.standing(frame.history) if one.change == found.key]
        over = lock.cancel(
            frame.history, standing[0].id if standing else found.key, actor=actor, why="taken out by hand"
        )
        frame.emit(landing_document(frame.history, over), f"{over.id} is cancelled.")
        return ExitStatus.DONE
    if push and (cancel_it or not wait):
        raise Invalid("usage.flags", "--push waits for the landing.", f"ecluse land {change} --push")
    if push and found.state is ChangeState.LANDED:
        return _push(frame, lock.landed_subject(frame.history, found.key).removeprefix("landing/"))
    asked = lock.enqueue(frame.repository, frame.history, found.key, actor=actor)
    if not wait:
        frame.emit(
            landing_document(frame.history, asked),
            f"{asked.id} is queued. Drive it with: ecluse serve, or: ecluse land {found.key}",
        )
        return ExitStatus.DONE
    return wait_for(frame, asked.id, push=push)


def wait_for(frame: Frame, landing_id: str, *, push: bool = False) -> int:
    """Drive the line until the landing is over or waits; say the outcome and return the exit status for it.

    What landed is pushed with ``push``, or when the policy says so.
    """
    from ecluse import landing as lock

    follow(frame, lambda: _rests(frame.history, landing_id), subjects=(f"landing/{landing_id}",))
    landing = frame.history.get(Landing, landing_id)
    assert landing is not None  # noqa: S101 - nothing deletes landings
    if landing.state is LandingState.LANDED and (push or lock.wants_push(frame.repository)):
        frame.say(describe(landing), "ok")
        return _push(frame, landing_id)
    frame.emit(landing_document(frame.history, landing), describe(landing))
    show_failure(frame, landing)
    return status_of(landing)


def _push(frame: Frame, landing_id: str) -> int:
    """Push a landing under the line's lock; raises what the remote or the network said no with."""
    from ecluse import landing as lock

    with lock.under_the_lock(frame.repository).held():
        done = lock.push_landed(frame.repository, frame.history, landing_id, actor=person(frame))
    landing = frame.history.get(Landing, landing_id)
    assert landing is not None  # noqa: S101 - it was pushed
    pushed = {"remote": done.remote, "address": done.address, "ref": done.ref, "new": done.new}
    frame.emit({**landing_document(frame.history, landing), "push": pushed}, push_text(done))
    return ExitStatus.DONE


def push_text(done: Pushed) -> str:
    """What a push came to, in a sentence."""
    name, where = done.ref.removeprefix("refs/heads/"), f"{done.remote} ({done.address})"
    if done.old == done.new:
        return f"{name} on {where} has it already."
    return f"{name} pushed to {where}, read back at {done.new[:12]}."


def describe(landing: Landing) -> str:
    """What a landing came to, in a sentence, with the next command where one is needed."""
    if landing.state is LandingState.LANDED:
        return f"{landing.change} landed on {landing.target} as {landing.candidate[:12]} ({landing.reason})."
    if landing.state is LandingState.BLOCKED:
        return f"{landing.change} waits: {landing.reason}\n  next: clear the way (git stash), then: ecluse land {landing.change}"
    if landing.state is LandingState.RED:
        return f"{landing.change} stays out, the checks are red: {landing.reason}\n  next: ecluse show {landing.run}"
    again = homeward(landing.agent) if landing.state is LandingState.FAILED and landing.blocked_paths else ()
    then = " (its agent takes it with ecluse sync --take, merges, and exports again)" if again else ""
    following = f"{again[0]}{then}" if again else f"ecluse show {landing.id}"
    return f"{landing.change} did not land ({landing.state}): {landing.reason}\n  next: {following}"


def status_of(landing: Landing) -> int:
    """The exit status that a landing's state stands for."""
    return {
        LandingState.LANDED: ExitStatus.DONE,
        LandingState.RED: ExitStatus.RED,
        LandingState.BLOCKED: ExitStatus.WAITS,
        LandingState.FAILED: ExitStatus.WAITS if landing.blocked_paths else ExitStatus.FAILED,
        LandingState.CANCELLED: ExitStatus.FAILED,
    }[landing.state]


def show_failure(frame: Frame, landing: Landing) -> None:
    """The last lines of each failing step, on standard error."""
    run = frame.history.get(Run, landing.run) if landing.state is LandingState.RED else None
    for job in run.report.get("jobs", []) if run else []:
        for one in job.get("steps", []):
            if one.get("outcome") == "failure" and one.get("tail"):
                frame.say(f"{job.get('name')} / {one.get('name')}, its last lines:", "error")
                for line in one["tail"][-25:]:
                    frame.say(f"    {said(str(line))}")


def landing_document(history: History, landing: Landing) -> dict[str, object]:
    """The ``--json`` form of a landing, with its run's report when it is over."""
    from ecluse.history.records import plain

    run = history.get(Run, landing.run) if landing.run else None
    return {"landing": plain(landing), "run": plain(run) if run else None}


def person(frame: Frame) -> str:
    """Who types here, as git knows them."""
    who = frame.repository.identity()
    return f"{who.name} <{who.email}>" if who else "unknown"


def _rests(history: History, landing_id: str) -> bool:
    landing = history.get(Landing, landing_id)
    return landing is None or landing.state.is_terminal or landing.state.waits_for_person
