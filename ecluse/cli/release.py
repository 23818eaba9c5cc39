"""``ecluse release``: plan, start, answer, stop and roll back releases. Each verb is one call and what is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ecluse.cli import release_policy
from ecluse.cli.frame import Frame, door
from ecluse.cli.release_gate import answer as answer_gate
from ecluse.cli.release_gate import drive, follow_release, live_release, pairs, person, read, unfinished
from ecluse.cli.release_text import overview, overview_text, plan_text, show_page, status_text, word
from ecluse.errors import ExitStatus, Waits

Body = TypeVar("Body", bound=Callable[..., Any])


@click.group("release")
def command() -> None:
    """Bring what has landed to where people use it, by a playbook: version, changelog, human gate, tag, deploy, watch.

    What fails on the way goes back to the version before by itself. A first look: ecluse release plan
    """


@command.command("plan")
@click.argument("playbook", default="release")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of the playbook.")
@click.option("--environment", metavar="NAME", help="Where to, when the playbook does not say or you mean another.")
@click.option("--branch", metavar="NAME", help="Release the tip of this branch instead of the trunk's.")
@door()
def plan_(frame: Frame, playbook: str, inputs: tuple[str, ...], environment: str | None, branch: str | None) -> None:
    """Show exactly what a release would do: version and why, commits, steps, gates, where to. Changes nothing."""
    from ecluse import release

    made = release.plan(frame.repository, frame.history, playbook, pairs(inputs), environment, branch)
    notes = release_policy.notes(frame, made.environment)
    asked = [word for one in inputs for word in ("--input", one)]
    asked += ["--environment", environment] if environment else []
    asked += ["--branch", branch] if branch else []
    frame.emit({"plan": made.as_dict(), "notes": notes}, plan_text(made.as_dict(), asked))
    for note in notes:
        frame.say(note, "warn")


@command.command("start")
@click.argument("playbook", default="release")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of the playbook.")
@click.option("--environment", metavar="NAME", help="Where to, when the playbook does not say or you mean another.")
@click.option("--branch", metavar="NAME", help="Release the tip of this branch instead of the trunk's.")
@click.option(
    "--starter-key",
    type=click.Path(path_type=Path),
    help="Your key: proves who starts this. Without it a production gate needs one person more.",
)
@click.option(
    "--plan", "digest", default="", metavar="DIGEST", help="Start only what this plan says, as you have read it."
)
@click.option(
    "--play", metavar="NAME", help="For demonstrations: play the person NAME at every gate. Recorded as such."
)
@click.option("--key", type=click.Path(path_type=Path), help="The key that signs the answers.")
@click.option(
    "--wait/--no-wait", default=True, help="Drive the line until the release is over (default), or only start."
)
@door(input_flags=True)
def start(
    frame: Frame,
    playbook: str,
    inputs: tuple[str, ...],
    environment: str | None,
    branch: str | None,
    starter_key: Path | None,
    digest: str,
    play: str | None,
    key: Path | None,
    wait: bool,
) -> int:
    """Release the trunk's tip by PLAYBOOK (default: release) and show each step as it happens.

    At a gate it asks here (a one-person team at a terminal), or waits for ecluse release approve from elsewhere.
    Exit: 0 live; 1 rolled back, aborted or failed; 3 waits for a person.
    """
    from ecluse import release

    started = release.start(
        frame.repository,
        frame.history,
        playbook=playbook,
        inputs=pairs(inputs),
        environment=environment,
        branch=branch,
        starter=person(frame),
        starter_key=starter_key,
        digest=digest,
        played=play is not None,
    )
    frame.say(f"{started.id}: {started.outputs['plan']['why'] or playbook}", "step")
    for note in [*release_policy.notes(frame, started.environment), *release_policy.start_notes(frame, started)]:
        frame.say(note, "warn")
    if not wait:
        frame.emit(release.status(frame.history, started.id), f"{started.id} is started. Drive it with: ecluse serve")
        return ExitStatus.DONE
    return drive(frame, started.id, play=play, key=key)


@command.command("status")
@click.argument("release_id", metavar="[RELEASE]", default="")
@click.option("--follow", "follow_it", is_flag=True, help="Keep the line moving and show what happens, until it rests.")
@click.option("--env", "environment", metavar="NAME", help="Ask this environment what runs there, and compare.")
@click.option(
    "--page", "as_page", is_flag=True, help="Show the playbook's page as it was written, with what came of it."
)
@door(input_flags=True)
def status(frame: Frame, release_id: str, follow_it: bool, environment: str | None, as_page: bool) -> int:
    """Show one release with its steps, gates and the next command; without RELEASE, the newest ones and what is live.

    With --env NAME the environment itself is asked. Exit: 0 as the history says; 1 something else runs there.
    """
    from ecluse import release
    from ecluse.release.orders import find

    if environment is not None:
        return release_policy.show_environment(frame, environment)
    if as_page:
        return show_page(frame, release_id)
    if not release_id:
        document = {**overview(frame), "notes": release_policy.due_notes(frame)}
        frame.emit(document, overview_text(document))
        for note in document["notes"]:
            frame.say(note, "warn")
        return ExitStatus.DONE
    found = find(frame.history, release_id)
    if follow_it:
        return drive(frame, found.id)
    document = release.status(frame.history, found.id)
    frame.emit(document, status_text(document))
    return ExitStatus.DONE


def _answer_options(body: Body) -> Body:
    options = [
        click.argument("release_id", metavar="[RELEASE]", default=""),
        click.option("--gate", "gate_name", metavar="NAME", help="Which gate, when several are open."),
        click.option("--answer", metavar="WORD", help="One of the gate's own answers, instead of the plain one."),
        click.option(
            "--key", type=click.Path(path_type=Path), help="Your key, listed on the trunk with the role human."
        ),
        click.option("--why", default="", metavar="TEXT", help="The reason, for those who read this later."),
        click.option(
            "--checked", multiple=True, metavar="ITEM", help="An item of the checklist that you tried: number, or all."
        ),
        click.option(
            "--signature",
            type=click.Path(path_type=Path),
            help="Your signature, made elsewhere over what --statement prints.",
        ),
        click.option("--statement", is_flag=True, help="Print what would be signed, and answer nothing."),
        click.option("--wait/--no-wait", default=True, help="Go on with the release here (default), or only answer."),
    ]
    decorated: Any = body
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


@command.command("approve")
@_answer_options
@door(input_flags=True)
def approve(frame: Frame, release_id: str, **words: Any) -> int:
    """Let a waiting release go on. The answer is signed by your key, or typed at a terminal in a one-person team.

    Exit: 0 it went on to its end; 1 rolled back, aborted or failed; 3 waits for more people; 4 the answer is refused.
    """
    return answer_gate(frame, release_id, "approve", **words)


@command.command("reject")
@_answer_options
@door(input_flags=True)
def reject(frame: Frame, release_id: str, **words: Any) -> int:
    """Stop a waiting release: before it went live it ends here, afterwards the version before comes back.

    Exit: 0 it has ended; 1 it failed on the way back; 4 the answer is refused.
    """
    return answer_gate(frame, release_id, "reject", **words)


@command.command("abort")
@click.argument("release_id", metavar="[RELEASE]", default="")
@click.option("--why", required=True, metavar="TEXT", help="The reason, for those who read this later.")
@door()
def abort(frame: Frame, release_id: str, why: str) -> int:
    """Stop a release at once. What it has brought live is rolled back; what has landed stays landed.

    Exit: 0 it has ended; 1 it failed on the way back.
    """
    from ecluse import release

    found = unfinished(frame, release_id)
    release.abort(frame.history, found.id, who=person(frame), why=why)
    follow_release(frame, found.id)
    over = read(frame, found.id)
    document = release.status(frame.history, over.id)
    frame.emit(document, f"{over.id} is {word(over.state)}: {over.reason}")
    return ExitStatus.DONE if over.state.is_terminal and over.state != "failed" else ExitStatus.FAILED


@command.command("rollback")
@click.argument("release_id", metavar="[RELEASE]", default="")
@click.option("--why", required=True, metavar="TEXT", help="The reason, for those who read this later.")
@click.option("--environment", metavar="NAME", help="Where, when several environments have something live.")
@click.option("--row", default="", metavar="WORD", help="Do what the playbook's row `by hand: WORD` says instead.")
@door()
def rollback(frame: Frame, release_id: str, why: str, environment: str | None, row: str) -> int:
    """Bring back the version that was live before RELEASE (default: the one that is live now).

    Exit: 0 it is back; 1 it is not; 3 people are asked first.
    """
    from ecluse import release
    from ecluse.release.orders import find

    found = find(frame.history, release_id or live_release(frame, environment))
    release.rollback(frame.history, found.id, who=person(frame), why=why, row=row)
    follow_release(frame, found.id)
    over = read(frame, found.id)
    if over.state.waits_for_person:
        asked = release.status(frame.history, over.id)["next"]
        command = asked[0] if asked else f"ecluse release status {over.id}"
        raise Waits("release.waits", f"{over.id} waits: {over.reason}", command, {"release": over.id})
    document = release.status(frame.history, over.id)
    frame.emit(document, f"{over.id} is {word(over.state)}: {over.reason}")
    back = over.state == "rolled_back" or (bool(row) and over.state == "done")
    return ExitStatus.DONE if back else ExitStatus.FAILED


@command.command("settle")
@click.argument("release_id", metavar="RELEASE")
@click.argument("step")
@click.option("--happened", type=click.Choice(["yes", "no"]), required=True, help="What you saw in the world.")
@click.option("--wait/--no-wait", default=True, help="Go on with the release here (default), or only record it.")
@door(input_flags=True)
def settle(frame: Frame, release_id: str, step: str, happened: str, wait: bool) -> int:
    """Tell a release that asks whether STEP, which was cut short, has happened.

    Exit: 0 it went on to its end; 1 rolled back, aborted or failed; 3 waits for a person.
    """
    from ecluse import release
    from ecluse.release.orders import find

    found = find(frame.history, release_id)
    release.settle(frame.history, found.id, step, happened == "yes", who=person(frame))
    if wait:
        return drive(frame, found.id)
    frame.emit(release.status(frame.history, found.id), f"recorded: {step} happened: {happened}")
    return ExitStatus.DONE


for _verb in release_policy.COMMANDS:
    command.add_command(_verb)
