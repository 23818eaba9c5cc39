"""How ``ecluse import`` goes on once a change is kept: build, tests, message, landing or branch, push.

Each step is one question, and after each the state is whole: stopping anywhere leaves the change kept, and says so.
"""

from __future__ import annotations

from typing import Any

from ecluse.cli.follow import follow
from ecluse.cli.frame import Frame
from ecluse.cli.import_ask import Asker, proposal_for
from ecluse.cli.import_leave import later, lay_down, left_text, set_apart
from ecluse.cli.land import describe, landing_document, person, push_text, show_failure, status_of
from ecluse.dataclass import dataclass, field
from ecluse.errors import ExitStatus, Problem
from ecluse.model import Change, ChangeState, Landing


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line named: a landing, a branch (its name), a push, and a message for uncommitted work or its staying so."""

    land: bool = False
    branch: str = ""
    push: bool = False
    message: str = ""
    leave: bool = False
    source: str = "BUNDLE"
    """The bundle as it was named, for the next command to type."""

    @property
    def anything(self) -> bool:
        return self.land or bool(self.branch) or bool(self.message) or self.leave


@dataclass(slots=True)
class Course:
    """How far a change has come in this command: its sentences, its exit status, and facts for ``--json``.

    ``apart``: its uncommitted work is to stay so, and is no part of what lands.
    """

    change: Change
    lines: list[str] = field(default_factory=list)
    status: int = ExitStatus.DONE
    apart: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def stop(self, text: str, status: int = ExitStatus.DONE) -> Course:
        self.lines.append(text)
        self.status = status
        return self


def go_on(frame: Frame, change: Change, wishes: Wishes) -> Course:
    """Lead a ready change as far as the wishes and the answers go."""
    course, asker = Course(change), Asker(frame)
    if not change.trusted_by:
        return _untrusted(frame, course, wishes)
    if not _try(frame, course, asker):
        return course
    if not _commit(frame, course, asker, wishes):
        return course
    where = (
        "branch"
        if wishes.branch
        else "land"
        if wishes.land
        else asker.destination(_short(change.target), apart=course.apart)
    )
    if where == "branch":
        name = wishes.branch or asker.branch_name(f"review/{change.id}")
        _branch(frame, course, name)
        if course.apart:
            later(course, f"git switch {name}", wishes.source)
        return _push_branch(frame, course, asker, wishes, name)
    if where == "land":
        _land(frame, course)
        landed = course.status == ExitStatus.DONE
        if course.apart and course.change.state is ChangeState.LANDED:
            lay_down(frame, course)  # before the last question: whoever stops there has everything that was asked for
        elif landed and (left := left_text(course.change, wishes.source)):
            course.lines.append(f"  {left}")
        if landed:
            _push_landed(frame, course, asker, wishes)
        return course
    if course.apart:
        lay_down(frame, course)
        return course
    key = course.change.key
    return course.stop(f"{key} is kept, nothing has moved.\n  next: ecluse land {key}")


def kept_text(frame: Frame, change: Change, source: str) -> str:
    """What is true of a change when a person stops: the state, and the command that goes on."""
    under_way = [one for one in frame.history.find(Landing, change=change.key) if not one.state.is_terminal]
    if under_way:
        text = f"Stopped. The landing of {change.key} is under way ({under_way[0].state}) and is not lost."
        return f"{text}\n  next: ecluse land {change.key} (or: ecluse land {change.key} --cancel)"
    if change.state is ChangeState.LANDED:
        left = left_text(change, source)
        waits = f"\n  {left}" if left else ""
        return f"Stopped. {change.key} has landed; nothing was pushed.\n  next: ecluse land {change.key} --push{waits}"
    return f"Stopped. {change.key} is kept ({change.state}); nothing has moved.\n  next: ecluse land {change.key}"


def undo_by_revert(frame: Frame, change: Change, *, push: bool) -> int:
    """Take back a landed change that others have built on: its revert is tested and lands like any other change."""
    from ecluse import landing as lock

    actor = person(frame)
    course = Course(lock.make_revert(frame.repository, frame.history, change.key, actor=actor))
    if course.change.state is not ChangeState.LANDED:
        _land(frame, course)
    if course.change.state is ChangeState.LANDED:
        lock.settle_revert(frame.history, change.key, course.change, actor=actor)
        course.lines.append(f"{change.key} is undone by {course.change.key}.")
        if push and "landing" in course.facts:
            _push_landed(frame, course, Asker(frame), Wishes(push=True))
    document = {"change_id": change.id, "revision": change.revision, "revert": course.change.key, **course.facts}
    frame.emit(document, "\n".join(course.lines))
    return course.status


def _untrusted(frame: Frame, course: Course, wishes: Wishes) -> Course:
    """Nobody vouches for it: its code is not run, but people may look at it on a branch."""
    key = course.change.key
    if wishes.branch:
        _branch(frame, course, wishes.branch)
        return _push_branch(frame, course, Asker(frame), wishes, wishes.branch)
    text = (
        f"{key} is ready, and from nobody whose key is known here: it does not run before a person accepts it.\n"
        f"  next: ecluse review {key} --accept --why TEXT"
    )
    waits = wishes.land or wishes.leave or frame.yes
    return course.stop(text, ExitStatus.WAITS if waits else ExitStatus.DONE)


def _try(frame: Frame, course: Course, asker: Asker) -> bool:
    """Build and tests on the change's own tree; a red one ends the course. Without a yes nothing is run."""
    from ecluse import intake

    if not (asker.asks or asker.yes):
        return True
    questions = {"build": "Build it in a clean clone?", "pytest": "Run its tests in a clean clone?"}
    for name in intake.worth_trying(frame.repository, course.change):
        if not asker.confirm(questions[name]):
            continue
        course.change, found = intake.try_out(
            frame.repository, frame.history, course.change.key, [name], actor=person(frame)
        )
        for one in found:
            mark = {"success": "ok", "failure": "error"}.get(one["result"], "warn")
            frame.say(f"{one['name']}: {one['result']}, {one['duration_ms'] / 1000:.1f} s: {one['detail']}", mark)
        if any(one["result"] == "failure" for one in found):
            key = course.change.key
            text = f"{key} is kept and goes no further: {name} is red.\n  next: have it made right, then import that (ecluse show {key})"
            course.stop(text, ExitStatus.RED)
            return False
    return True


def _commit(frame: Frame, course: Course, asker: Asker, wishes: Wishes) -> bool:
    """The words of uncommitted work, or its staying uncommitted; commits that somebody made keep theirs."""
    from ecluse import intake

    if wishes.leave or (asker.asks and intake.is_apart(course.change)):  # now, or so answered before
        return set_apart(frame, course)
    key = course.change.key
    if not intake.is_open(frame.repository, course.change):
        if wishes.message:
            frame.say("There is no uncommitted work in it: the commits keep their own messages.", "warn")
        return True
    standing = intake.message_of(frame.repository, course.change)
    answer, words = ("y", wishes.message) if wishes.message else asker.message(proposal_for(course.change, standing))
    if answer == "u":
        return set_apart(frame, course)
    if answer == "n" or (not words and asker.asks):
        course.stop(
            f"{key} is kept; its uncommitted work is not committed.\n  next: ecluse import {wishes.source} (asks again)"
        )
        return False
    if words and words != standing:
        course.change = intake.set_message(frame.repository, frame.history, key, words, actor=person(frame))
        frame.say(f"the uncommitted work is committed as {course.change.head[:12]}: {words.splitlines()[0]}", "ok")
    return True


def _branch(frame: Frame, course: Course, name: str) -> None:
    from ecluse import landing

    key = course.change.key
    made = landing.make_branch(frame.repository, frame.history, key, name, actor=person(frame))
    course.facts["branch"] = {"ref": made.ref, "old": made.old, "new": made.new}
    course.lines.append(
        f"{key} can be reviewed on the branch {_short(made.ref)} ({made.new[:12]}).\n  next: ecluse land {key}"
    )


def _push_branch(frame: Frame, course: Course, asker: Asker, wishes: Wishes, name: str) -> Course:
    from ecluse import landing

    ref = f"refs/heads/{name.removeprefix('refs/heads/')}"
    if not _wants_push(frame, asker, wishes, ref, policy=False):
        return course
    again = f"ecluse import {wishes.source} --branch {name} --push"
    return _pushed(
        frame, course,
        lambda: landing.push_branch(
            frame.repository, frame.history, course.change, ref, actor=person(frame), again=again
        ),
    )  # fmt: skip


def _land(frame: Frame, course: Course) -> None:
    from ecluse import landing as lock

    key = course.change.key
    asked = lock.enqueue(frame.repository, frame.history, key, actor=person(frame))

    def rests() -> bool:
        one = frame.history.get(Landing, asked.id)
        return one is None or one.state.is_terminal or one.state.waits_for_person

    follow(frame, rests, subjects=(asked.subject,))
    landing = frame.history.get(Landing, asked.id)
    assert landing is not None  # noqa: S101 - nothing deletes landings
    found = frame.history.get(Change, key)
    course.change = found or course.change
    course.facts |= landing_document(frame.history, landing)
    course.lines.append(describe(landing))
    course.status = status_of(landing)
    show_failure(frame, landing)


def _push_landed(frame: Frame, course: Course, asker: Asker, wishes: Wishes) -> None:
    from ecluse import landing

    one = course.facts["landing"]
    if not _wants_push(frame, asker, wishes, str(one["target"]), policy=True):
        return
    _pushed(
        frame, course,
        lambda: landing.push_landed(frame.repository, frame.history, str(one["id"]), actor=person(frame)),
    )  # fmt: skip


def _wants_push(frame: Frame, asker: Asker, wishes: Wishes, ref: str, *, policy: bool) -> bool:
    """What leaves this machine is asked for by name, by the policy or at the terminal; ``--yes`` alone publishes nothing."""
    from ecluse import landing
    from ecluse.git.remotes import address_of, remote_for

    if wishes.push or (policy and landing.wants_push(frame.repository)):
        return True
    remote = remote_for(frame.repository, ref)
    if not asker.asks or not remote:
        return False
    where = f"{remote} ({address_of(frame.repository, remote)})"
    return asker.confirm(f"Push {_short(ref)} to {where}?", default=False)


def _pushed(frame: Frame, course: Course, push: Any) -> Course:
    """Push under the line's lock. What fails is said, with the landing before it, and is this command's status."""
    from ecluse import landing

    try:
        with landing.under_the_lock(frame.repository).held():
            done = push()
    except Problem as problem:
        course.facts["push"] = {"error": problem.as_dict()}
        frame.say(problem.message, "error")
        return course.stop(f"Not pushed: {problem.code}.\n  next: {problem.hint}", problem.exit_status)
    course.facts["push"] = {"remote": done.remote, "address": done.address, "ref": done.ref, "new": done.new}
    course.lines.append(push_text(done))
    return course


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
