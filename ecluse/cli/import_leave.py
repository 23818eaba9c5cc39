"""``ecluse import --leave-uncommitted``: work that nobody had committed comes into the checkout as just that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.cli.follow import follow
from ecluse.cli.frame import Frame
from ecluse.cli.land import person
from ecluse.cli.words import count
from ecluse.errors import Problem
from ecluse.model import Change, ChangeState

if TYPE_CHECKING:
    from ecluse.cli.import_flow import Course


def set_apart(frame: Frame, course: Course) -> bool:
    """Take the uncommitted work out of what lands. Where there is nothing else it is laid down at once: ``False``."""
    from ecluse import intake

    if not intake.can_be_left(frame.repository, course.change):
        frame.say("There is no uncommitted work in it that could be told from its commits.", "warn")
        return True
    course.change = intake.set_apart(frame.repository, frame.history, course.change.key, actor=person(frame))
    course.apart = True
    if course.change.head == course.change.about["apart"]:
        lay_down(frame, course)
        return False
    number = count(len(course.change.commits), "commit")
    frame.say(f"without its uncommitted work: {number}; that work is laid into this checkout afterwards", "step")
    return True


def left_text(change: Change, source: str = "BUNDLE") -> str:
    """What to type for uncommitted work that was to stay so and lies nowhere yet; an empty text where there is none."""
    from ecluse import intake

    if not intake.is_apart(change) or intake.is_laid(change):
        return ""
    return f"its uncommitted work is still to come: ecluse import {source} --leave-uncommitted"


def lay_down(frame: Frame, course: Course) -> None:
    """Lay the uncommitted work into this checkout; says where it is and how to take it back.

    Raises the problem where nothing came before it in this command; else says it, as this command's status.
    """
    from ecluse import intake

    try:
        course.change = intake.lay_down(frame.repository, frame.history, course.change.key, actor=person(frame))
    except Problem as problem:
        if not course.lines:
            raise
        frame.say(problem.message, "error")
        course.stop(
            f"Its uncommitted work is not laid down: {problem.code}.\n  next: {problem.hint}", problem.exit_status
        )
        return
    laid = course.change.about["laid"]
    files = frame.repository.changed_paths(laid["head"], laid["tree"])
    course.facts["left"] = {"folder": laid["folder"], "tip": laid["tip"], "files": [one.path for one in files]}
    course.lines.append(
        f"The uncommitted work of {course.change.key} lies in {laid['folder']} as such ({count(len(files), 'file')}).\n"
        f"  next: git status (take it back with: ecluse import --undo {course.change.key})"
    )


def lay_late(frame: Frame, change: Change) -> Course:
    """The uncommitted work of a change whose commits have landed before."""
    from ecluse import intake
    from ecluse.cli.import_flow import Course

    course = Course(change)
    if not intake.is_apart(change):
        key = change.key
        return course.stop(f"{key} has landed whole; nothing of it is uncommitted.\n  next: ecluse show {key}")
    lay_down(frame, course)
    return course


def later(course: Course, where: str, source: str) -> None:
    """Say that the uncommitted work waits until the checkout holds the commits beneath it."""
    course.lines.append(
        f"Its uncommitted work waits for a checkout that holds these commits.\n"
        f"  next: {where}, then: ecluse import {source} --leave-uncommitted"
    )


def take_back(frame: Frame, change: Change) -> tuple[Change, str]:
    """Take up what lies uncommitted, where anything does: the change as it is then, and what to say of it."""
    from ecluse import intake

    if not intake.is_apart(change):
        return change, ""
    laid = change.about.get("laid") or {}
    key = change.key
    if change.state in (ChangeState.LANDED, ChangeState.UNDONE) and not laid:
        return change, ""
    back = intake.take_back(frame.repository, frame.history, key, actor=person(frame))
    if back.state is ChangeState.RECEIVED:
        follow(frame, lambda: _state(frame, key) is not ChangeState.RECEIVED, subjects=(back.subject,))
        back = frame.history.get(Change, key) or back
    where = f"is out of {laid['folder']} again" if laid else "is a part of it again"
    now = "" if back.state is ChangeState.LANDED else f"; it is kept ({back.state})"
    return back, f"The uncommitted work of {key} {where}{now}.\n  next: ecluse show {key}"


def _state(frame: Frame, key: str) -> ChangeState | None:
    found = frame.history.get(Change, key)
    return found.state if found else None
