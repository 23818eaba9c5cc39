"""``ecluse import``: take a bundle in. Verify, judge, keep; with ``--land`` go on to checks and landing."""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.follow import follow
from ecluse.cli.frame import Frame, door
from ecluse.cli.import_ask import Asker, show_findings, show_plan, show_resolved
from ecluse.cli.import_flow import Wishes, go_on, kept_text, undo_by_revert
from ecluse.cli.import_leave import lay_late, left_text, take_back
from ecluse.cli.land import person, push_text
from ecluse.cli.lookup import find_change
from ecluse.cli.words import count
from ecluse.dataclass import dataclass
from ecluse.errors import ExitStatus, Invalid, Problem, Refused
from ecluse.model import Change, ChangeState, Verdict

if TYPE_CHECKING:
    from ecluse.intake.judgement import Judgement
    from ecluse.intake.rerolls import Reroll
    from ecluse.intake.sources import Piped

_CHUNK = 1 << 20

_STATUS = {
    ChangeState.READY: ExitStatus.DONE,
    ChangeState.LANDED: ExitStatus.DONE,
    ChangeState.UNDONE: ExitStatus.DONE,
    ChangeState.QUARANTINED: ExitStatus.WAITS,
    ChangeState.CONFLICT: ExitStatus.WAITS,
    ChangeState.REJECTED: ExitStatus.REFUSED,
    ChangeState.SUPERSEDED: ExitStatus.REFUSED,
}


_CURES = {
    "base.missing": "git fetch (in a shallow clone: git fetch --unshallow)",
    "base.partial": "git fetch --refetch --no-filter",
}
"""What a change waits for that no review can give: reason -> what to type."""


@click.command("import")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True)
@click.option("--target", default=None, metavar="BRANCH", help="Where it is to land (default: where it came from).")
@click.option("--ref", default="", metavar="NAME", help="Which ref of a plain git bundle of several is the change.")
@click.option("--land", is_flag=True, help="Go on to checks and landing when nothing speaks against it.")
@click.option("--branch", default="", metavar="NAME", help="Put it on this branch for review instead of landing it.")
@click.option(
    "--push", is_flag=True, help="Push what moved (or what --undo moved back) to its remote and read it back."
)
@click.option("--message", default="", metavar="TEXT", help="The commit message of its uncommitted work.")
@click.option("--leave-uncommitted", "leave", is_flag=True, help="Lay its uncommitted work into this checkout as such.")
@click.option("--dry-run", is_flag=True, help="Show verdict, method and result tree; leave no trace.")
@click.option("--undo", is_flag=True, help="Take a landed change (or its review branch) back: BUNDLE is its id.")
@door(input_flags=True)
def command(
    frame: Frame, bundles: tuple[str, ...], target: str | None, ref: str, land: bool, branch: str, push: bool, message: str,
    leave: bool, dry_run: bool, undo: bool,
) -> int:  # fmt: skip
    """Take in BUNDLE: what `ecluse export` wrote (its .json, its folder, its .tar or just its name), a plain git bundle,
    a patch, a mail box of patches, a folder of *.patch files or several of them, a JSON list of edits, an archive (.zip, .tar, .tar.gz) of
    one of these, or - for standard input. It is judged in a throw-away repository; nothing of it is run, your checkout is not touched.

    At a terminal it shows what would happen and asks before each step: keep, build, tests, commit message, landing (or a
    review branch), push. --yes says yes to all of them but the push, which is named by --push, the policy or a person.

    Exit: 0 ready (with --land: landed); 3 waits for a person (quarantine, conflict, trust); 4 refused; 5 checks red.
    """
    bundle = bundles[0] if len(bundles) == 1 else shlex.join(bundles)
    wishes = Wishes(land, branch, push, message, leave, shlex.join(bundles))
    given = _Given(target, ref)
    _check_usage(frame, bundle, wishes, undo=undo, dry_run=dry_run, given=given)
    if undo:
        return _undo(frame, bundle, push=push)
    with _series(frame, bundles) if len(bundles) > 1 else _source(frame, bundle) as source:
        return _try(frame, source, given) if dry_run else _ask_and_take_in(frame, source, given, bundle, wishes)


@dataclass(frozen=True, slots=True)
class _Given:
    """Where a change is to land, and which ref of its bundle it is, as far as that was said."""

    target: str | None
    ref: str


def _ask_and_take_in(frame: Frame, source: Path | Piped, given: _Given, bundle: str, wishes: Wishes) -> int:
    try:
        if Asker(frame).asks and not _wanted(frame, source, given, bundle):
            return ExitStatus.WAITS
    except (click.Abort, KeyboardInterrupt):
        frame.say()
        frame.say(f"Stopped. Nothing was kept.\n  next: ecluse import {bundle}", "warn")
        return ExitStatus.INTERRUPTED
    return _take_in(frame, source, given, wishes)


def _check_usage(frame: Frame, bundle: str, wishes: Wishes, *, undo: bool, dry_run: bool, given: _Given) -> None:
    if undo and (wishes.anything or dry_run or given != _Given(None, "")):
        raise Invalid("usage.flags", "--undo goes with no other flag but --push.", f"ecluse import --undo {bundle}")
    if wishes.land and wishes.branch:
        raise Invalid(
            "usage.flags", "A change lands, or it goes on a branch for review.", "use --land or --branch NAME"
        )
    if wishes.leave and (wishes.message or dry_run):
        text = "What is left uncommitted needs no message" if wishes.message else "A trial leaves nothing anywhere"
        raise Invalid("usage.flags", f"{text}.", f"ecluse import {bundle} --leave-uncommitted")
    named = wishes.land or wishes.branch or undo or frame.yes or Asker(frame).asks
    if wishes.push and (dry_run or not named):
        raise Invalid("usage.flags", "Nothing moves that could be pushed.", f"ecluse import {bundle} --land --push")


def _wanted(frame: Frame, source: Path | Piped, given: _Given, bundle: str) -> bool:
    """Show at the terminal what would happen, and ask whether the change is to be kept."""
    from ecluse import intake

    try:
        judgement, key, into = intake.examine(
            frame.repository, source, target=given.target, ref=given.ref, history=frame.history
        )
    except Refused:
        return True  # refused before it can be judged: receiving it says so and records it
    known = frame.history.get(Change, key)
    if judgement.verdict is Verdict.REJECT or (known is not None and known.state is not ChangeState.RECEIVED):
        return True  # nothing to ask: it is recorded as refused, or has been kept before
    show_plan(frame, judgement, key, into)
    if Asker(frame).confirm("Keep this change? (nothing of it is run, no branch moves)"):
        return True
    frame.say(f"Nothing was kept.\n  next: ecluse import {bundle}", "warn")
    return False


def _take_in(frame: Frame, source: Path | Piped, given: _Given, wishes: Wishes) -> int:
    """Receive and judge; then lead what is ready as far as it is wished."""
    from ecluse import intake
    from ecluse.line import announce

    with frame.repository.asking():
        try:
            change = intake.receive_recorded(
                frame.repository, frame.history, source, target=given.target, ref=given.ref, actor=person(frame)
            )
        except Problem:
            announce(frame.repository, frame.history)
            raise
        follow(frame, lambda: _state(frame, change.key) is not ChangeState.RECEIVED, subjects=(change.subject,))
    judged = _get(frame, change.key)
    intake.log_judged(frame.repository, judged)
    if judged.state is not ChangeState.REJECTED or len(judged.findings) > 1:  # a lone reason is said below
        show_findings(frame, judged.findings)
    show_resolved(frame, judged.about.get("resolved", []))
    if not frame.quiet and not frame.as_json and (reroll := _reroll(frame, judged)):
        frame.say(f"  against {reroll.older}: {reroll.summary} (git range-diff: ecluse show {judged.key})")
        for step in reroll.steps[:20]:
            frame.say(f"    {step.kind:<8} {step.old or '-':<8} {step.new or '-':<8} {step.title}")
    asker = Asker(frame)
    if wishes.leave and (judged.state is ChangeState.LANDED or intake.is_laid(judged)):
        course = lay_late(frame, judged)
        frame.emit({**change_document(frame, course.change), **course.facts}, "\n".join(course.lines))
        return course.status
    if judged.state is not ChangeState.READY or not (wishes.anything or asker.asks or asker.yes):
        frame.emit(change_document(frame, judged), _outcome(judged, wishes.source))
        if judged.state is ChangeState.UNDONE and (wishes.land or wishes.branch):
            return ExitStatus.REFUSED  # what was taken back stays so
        return _STATUS[judged.state]
    try:
        course = go_on(frame, judged, wishes)
    except (click.Abort, KeyboardInterrupt):
        frame.say()
        frame.say(kept_text(frame, _get(frame, change.key), wishes.source), "warn")
        return ExitStatus.INTERRUPTED
    frame.emit({**change_document(frame, course.change), **course.facts}, "\n".join(course.lines))
    return course.status


def _undo(frame: Frame, name: str, *, push: bool) -> int:
    from ecluse import landing

    found, taken = take_back(frame, find_change(frame.history, name))
    actor = person(frame)
    if taken and found.state is not ChangeState.LANDED:
        frame.emit({**change_document(frame, found), "state": found.state.value}, taken)
        return ExitStatus.DONE
    if found.state in (ChangeState.READY, ChangeState.CONFLICT):
        dropped = landing.drop_branches(frame.repository, frame.history, found, actor=actor)
        if dropped:
            text = f"{found.key}: the review branch {', '.join(dropped)} is deleted; the change is still kept."
            frame.emit({**change_document(frame, found), "state": found.state.value}, text)
            return ExitStatus.DONE
    try:
        change = landing.undo(frame.repository, frame.history, found.key, actor=actor)
    except Refused as problem:
        if problem.code not in ("undo.moved", "undo.released"):
            raise
        frame.say(f"{problem.message} It is taken back by a revert, which has to pass the checks.", "warn")
        return undo_by_revert(frame, found, push=push)
    branch = change.target.removeprefix("refs/heads/")
    text = f"{change.key} is undone; {branch} is where it was before it landed."
    if taken:
        text += f"\n  {taken.splitlines()[0]}"
    document: dict[str, Any] = {**change_document(frame, change), "state": change.state.value}
    if push:
        try:
            with landing.under_the_lock(frame.repository).held():
                done = landing.push_back(frame.repository, frame.history, change.key, actor=actor)
        except Problem:
            frame.say(text, "ok")  # that much is done, whatever the remote says
            raise
        document["push"] = {"remote": done.remote, "address": done.address, "ref": done.ref, "new": done.new}
        text += f"\n{push_text(done)}"
    elif frame.history.events(kind="push.done", subject=landing.landed_subject(frame.history, change.key)):
        text += (
            f"\n  It had been pushed, and the remote still has it.\n  next: ecluse import --undo {change.key} --push"
        )
    frame.emit(document, text)
    return ExitStatus.DONE


def _try(frame: Frame, source: Path | Piped, given: _Given) -> int:
    """Judge and leave no trace. What is refused before it can be judged is a verdict too, where a machine asks."""
    from ecluse import intake
    from ecluse.history import History

    history = History.look(frame.repository.state_dir)  # a trial makes no history
    try:
        judgement, key, into = intake.examine(
            frame.repository, source, target=given.target, ref=given.ref, history=history
        )
    except Refused as problem:
        if not frame.as_json:
            raise
        frame.say(f"  {problem.code}: {problem.message}", "error")
        found = {"code": problem.code, "verdict": "reject", "message": problem.message, "path": "", "line": 0}
        document = {"change_id": "", "revision": 0, "verdict": "reject", "reason": problem.code, "findings": [found]}
        frame.emit({**document, "method": "", "ref": "", "tree": "", "commits": {}, "receipt": ""}, "")
        return ExitStatus.REFUSED
    finally:
        if history is not None:
            history.close()
    return _show_trial(frame, judgement, key, into)


@contextlib.contextmanager
def _series(frame: Frame, names: tuple[str, ...]) -> Iterator[Path]:
    """Several patches or mails as the folder of one series, in the order in which they were named."""
    import shutil

    from ecluse.intake.sources import PATCHES

    with tempfile.TemporaryDirectory(prefix="ecluse-in-") as scratch:
        folder = Path(scratch, "series")
        folder.mkdir()
        for number, name in enumerate(names, 1):
            path = _here(frame, name)
            if not path.is_file() or path.suffix not in PATCHES:
                why = "is no file" if not path.is_file() else f"is none of {', '.join(PATCHES)}"
                raise Invalid(
                    "usage.several",
                    f"Several files are a series of patches; {name} {why}.",
                    f"ecluse import {shlex.quote(name)}",
                )
            shutil.copyfile(path, folder / f"{number:04d}-{path.name}")
        yield folder


@contextlib.contextmanager
def _source(frame: Frame, name: str) -> Iterator[Path | Piped]:
    """The file of that name; of ``-`` a temporary file with what standard input gives, as far as the cap for bundles."""
    if name != "-":
        yield _here(frame, name)
        return
    from ecluse.intake.sources import Piped
    from ecluse.intake.textchunks import TEXT_CAP
    from ecluse.trunk import open_trunk

    cap = max(open_trunk(frame.repository).config.intake.max_bundle_bytes, TEXT_CAP)
    with tempfile.TemporaryDirectory(prefix="ecluse-in-") as scratch:
        path = Path(scratch, "input.bin")
        size = 0
        with path.open("wb") as handle:
            while size <= cap and (chunk := sys.stdin.buffer.read(_CHUNK)):
                size += handle.write(chunk)
        if not size:
            raise Invalid("bundle.empty", "Nothing came on standard input.", "ecluse export --to - | ecluse import -")
        yield Piped(path)


def _here(frame: Frame, name: str) -> Path:
    here = frame.folder / name
    return here if here.exists() else Path(name)


def _get(frame: Frame, key: str) -> Change:
    change = frame.history.get(Change, key)
    assert change is not None  # noqa: S101 - nothing deletes changes
    return change


def _state(frame: Frame, key: str) -> ChangeState:
    return _get(frame, key).state


def change_document(frame: Frame, change: Change) -> dict[str, Any]:
    """The ``--json`` form of an import."""
    from ecluse.history.records import plain
    from ecluse.intake.admission import receipt_path

    receipt = receipt_path(frame.repository.state_dir, change)
    reroll = _reroll(frame, change)
    return {
        **({"reroll": plain(reroll)} if reroll else {}),
        "change_id": change.id,
        "revision": change.revision,
        "verdict": change.verdict.value if change.verdict else "",
        "reason": change.reason,
        "findings": plain(change.findings),
        "method": change.method,
        "ref": change.ref,
        "tree": change.tree,
        "commits": change.commits,
        "resolved": change.about.get("resolved", []),
        "receipt": str(receipt) if receipt.exists() else "",
    }


def _reroll(frame: Frame, change: Change) -> Reroll | None:
    if change.revision < 2:
        return None
    from ecluse.intake.rerolls import compare_revisions

    return compare_revisions(frame.repository, frame.history, change)


def _outcome(change: Change, source: str) -> str:
    key = change.key
    if change.state is ChangeState.READY and change.trusted_by:
        return f"{key} is ready ({count(len(change.files), 'file')}, {change.trusted_by}).\n  next: ecluse land {key}"
    if change.state is ChangeState.READY:
        return (
            f"{key} is ready, and from nobody whose key is known here: it does not run before a person accepts it.\n"
            f"  next: ecluse review {key} --accept --why TEXT"
        )
    if change.state is ChangeState.QUARANTINED and (cure := _CURES.get(change.reason.partition(":")[0])):
        return f"{key} is kept and waits: {change.reason}\n  next: {cure}, then the same import again"
    if change.state is ChangeState.QUARANTINED:
        look = f"git log -p {change.base[:12]}..{change.ref}" if change.ref else f"ecluse show {key}"
        return (
            f"{key} waits for a person: {change.reason}\n  next: {look}, then: ecluse review {key} --accept --why TEXT"
        )
    if change.state is ChangeState.CONFLICT:
        return f"{key} is kept at {change.ref}: {change.reason}.\n  next: have it made again on the new state, then import that"
    if change.state is ChangeState.REJECTED:
        choice = change.reason.startswith("bundle.refs:") and "--ref NAME" in change.reason
        after = f"ecluse import {source} --ref NAME" if choice else f"ecluse show {key}"
        return f"{key} is refused: {change.reason}\n  next: {after}"
    if change.state is ChangeState.UNDONE:
        return f"{key} was taken back, and stays so: {change.title}\n  next: have it exported again as a new revision, or: git merge {change.ref}"
    left = left_text(change, source) if change.state is ChangeState.LANDED else ""
    waits = f"\n  {left}" if left else ""
    return f"{key} is {change.state} already: {change.reason or change.title}\n  next: ecluse show {key}{waits}"


def _show_trial(frame: Frame, judgement: Judgement, key: str, into: str) -> int:
    from ecluse.history.records import plain

    show_findings(frame, judgement.findings)
    identifier, _, revision = key.rpartition("/")
    document = {
        "change_id": identifier,
        "revision": int(revision),
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "findings": plain(judgement.findings),
        "method": judgement.method,
        "ref": "",
        "tree": judgement.tree,
        "commits": judgement.commits,
        "resolved": list(judgement.resolved),
        "receipt": "",
    }
    conflicts = f", conflicts with {into.removeprefix('refs/heads/')} in {', '.join(judgement.conflicts[:10])}"
    show_resolved(frame, judgement.resolved)
    text = (
        f"{key}: {judgement.verdict} ({judgement.reason}), {count(len(judgement.files), 'file')}, "
        f"method {judgement.method or 'none'}, tree {judgement.tree[:12] or 'none'}"
        f"{conflicts if judgement.conflicts else ''}. Nothing was kept."
    )
    frame.emit(document, text)
    if judgement.verdict is Verdict.REJECT:
        return ExitStatus.REFUSED
    return ExitStatus.WAITS if judgement.verdict is Verdict.QUARANTINE or judgement.conflicts else ExitStatus.DONE
