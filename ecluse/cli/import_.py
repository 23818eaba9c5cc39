"""``ecluse import``: take a bundle in. Verify, judge, keep; with ``--land`` go on to checks and landing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.follow import follow
from ecluse.cli.frame import Frame, door
from ecluse.cli.land import describe, landing_document, person, show_failure, status_of
from ecluse.cli.lookup import find_change
from ecluse.errors import ExitStatus, Invalid, Refused
from ecluse.model import Change, ChangeState, Landing, Verdict

if TYPE_CHECKING:
    from ecluse.intake.judgement import Judgement
    from ecluse.model import Finding

_STATUS = {
    ChangeState.READY: ExitStatus.DONE,
    ChangeState.LANDED: ExitStatus.DONE,
    ChangeState.UNDONE: ExitStatus.DONE,
    ChangeState.QUARANTINED: ExitStatus.WAITS,
    ChangeState.CONFLICT: ExitStatus.WAITS,
    ChangeState.REJECTED: ExitStatus.REFUSED,
    ChangeState.SUPERSEDED: ExitStatus.REFUSED,
}


@click.command("import")
@click.argument("bundle")
@click.option("--target", default=None, metavar="BRANCH", help="Where it is to land (default: where it came from).")
@click.option("--land", is_flag=True, help="Go on to checks and landing when nothing speaks against it.")
@click.option("--dry-run", is_flag=True, help="Show verdict, method and result tree; leave no trace.")
@click.option("--undo", is_flag=True, help="Take a landed change back: BUNDLE is its id.")
@door(input_flags=True)
def command(frame: Frame, bundle: str, target: str | None, land: bool, dry_run: bool, undo: bool) -> int:
    """Take in BUNDLE: what `ecluse export` wrote (its .json, its folder, its .tar or just its name), a plain git bundle,
    a patch, a mail box of patches, a folder of *.patch files, a JSON list of edits, an archive (.zip, .tar, .tar.gz) of
    one of these, or - for standard input. It is judged in a throw-away repository; nothing of it is run, your checkout is not touched.

    Exit: 0 ready (with --land: landed); 3 waits for a person (quarantine, conflict, trust); 4 refused; 5 checks red.
    """
    from ecluse import intake

    if undo:
        return _undo(frame, bundle, land or dry_run or target is not None)
    source = _source(frame, bundle)
    if dry_run:
        return _try(frame, source, target)
    change = intake.receive(
        frame.repository, frame.history, source, target=target, actor=person(frame), wants_landing=land
    )
    follow(frame, lambda: _state(frame, change.key) is not ChangeState.RECEIVED, subjects=(change.subject,))
    judged = _get(frame, change.key)
    _show_findings(frame, judged.findings)
    if land and judged.state is ChangeState.READY and judged.trusted_by:
        return _land(frame, judged)
    frame.emit(change_document(frame, judged), _outcome(judged))
    if land and judged.state is ChangeState.READY:
        return ExitStatus.WAITS
    return _STATUS[judged.state]


def _undo(frame: Frame, name: str, other_flags: bool) -> int:
    from ecluse import landing

    if other_flags:
        raise Invalid("usage.flags", "--undo goes with no other flag of import.", f"ecluse import --undo {name}")
    change = landing.undo(frame.repository, frame.history, find_change(frame.history, name).key, actor=person(frame))
    text = f"{change.key} is undone; {change.target.removeprefix('refs/heads/')} is where it was before it landed."
    frame.emit({**change_document(frame, change), "state": change.state.value}, text)
    return ExitStatus.DONE


def _try(frame: Frame, source: Path | bytes, target: str | None) -> int:
    """Judge and leave no trace. What is refused before it can be judged is a verdict too, where a machine asks."""
    from ecluse import intake

    kept = (frame.repository.state_dir / "history.db").exists()  # a trial makes no history
    try:
        judgement, key, into = intake.examine(
            frame.repository, source, target=target, history=frame.history if kept else None
        )
    except Refused as problem:
        if not frame.as_json:
            raise
        frame.say(f"  {problem.code}: {problem.message}", "error")
        found = {"code": problem.code, "verdict": "reject", "message": problem.message, "path": "", "line": 0}
        document = {"change_id": "", "revision": 0, "verdict": "reject", "reason": problem.code, "findings": [found]}
        frame.emit({**document, "method": "", "ref": "", "tree": "", "commits": {}, "receipt": ""}, "")
        return ExitStatus.REFUSED
    return _show_trial(frame, judgement, key, into)


def _source(frame: Frame, name: str) -> Path | bytes:
    if name == "-":
        data = sys.stdin.buffer.read()
        if not data:
            raise Invalid("bundle.empty", "Nothing came on standard input.", "ecluse export --to - | ecluse import -")
        return data
    here = frame.folder / name
    return here if here.exists() else Path(name)


def _get(frame: Frame, key: str) -> Change:
    change = frame.history.get(Change, key)
    assert change is not None  # noqa: S101 - nothing deletes changes
    return change


def _state(frame: Frame, key: str) -> ChangeState:
    return _get(frame, key).state


def _land(frame: Frame, change: Change) -> int:
    def newest() -> Landing | None:
        found = frame.history.find(Landing, change=change.key, newest_first=True, limit=1)
        return found[0] if found else None

    def rests() -> bool:
        one = newest()
        return one is not None and not _get(frame, change.key).wants_landing and (
            one.state.is_terminal or one.state.waits_for_person
        )  # fmt: skip

    follow(frame, rests, subjects=(change.subject,))
    landing = newest()
    assert landing is not None  # noqa: S101 - rests() saw it
    document = {**change_document(frame, _get(frame, change.key)), **landing_document(frame.history, landing)}
    frame.emit(document, describe(landing))
    show_failure(frame, landing)
    return status_of(landing)


def change_document(frame: Frame, change: Change) -> dict[str, Any]:
    """The ``--json`` form of an import."""
    from ecluse.history.records import plain
    from ecluse.intake.admission import receipt_path

    receipt = receipt_path(frame.repository.state_dir, change)
    return {
        "change_id": change.id,
        "revision": change.revision,
        "verdict": change.verdict.value if change.verdict else "",
        "reason": change.reason,
        "findings": plain(change.findings),
        "method": change.method,
        "ref": change.ref,
        "tree": change.tree,
        "commits": change.commits,
        "receipt": str(receipt) if receipt.exists() else "",
    }


def _outcome(change: Change) -> str:
    key = change.key
    if change.state is ChangeState.READY and change.trusted_by:
        return f"{key} is ready ({len(change.files)} files, {change.trusted_by}).\n  next: ecluse land {key}"
    if change.state is ChangeState.READY:
        return (
            f"{key} is ready, and from nobody whose key is known here: it does not run before a person accepts it.\n"
            f"  next: ecluse review {key} --accept --why TEXT"
        )
    if change.state is ChangeState.QUARANTINED:
        look = f"git log -p {change.base[:12]}..{change.ref}" if change.ref else f"ecluse show {key}"
        return (
            f"{key} waits for a person: {change.reason}\n  next: {look}, then: ecluse review {key} --accept --why TEXT"
        )
    if change.state is ChangeState.CONFLICT:
        return f"{key} {change.reason}; it is kept at {change.ref}.\n  next: have it made again on the new state, then import that"
    if change.state is ChangeState.REJECTED:
        return f"{key} is refused: {change.reason}\n  next: ecluse show {key}"
    return f"{key} is {change.state} already: {change.reason or change.title}\n  next: ecluse show {key}"


def _show_findings(frame: Frame, findings: tuple[Finding, ...]) -> None:
    for one in findings[:20]:
        mark = {Verdict.REJECT: "error", Verdict.QUARANTINE: "wait"}.get(one.verdict, "warn")
        frame.say(f"  {one.verdict}: {one.code}: {one.message}", mark)
    if len(findings) > 20:
        frame.say(f"  and {len(findings) - 20} more")


def _show_trial(frame: Frame, judgement: Judgement, key: str, into: str) -> int:
    from ecluse.history.records import plain

    _show_findings(frame, judgement.findings)
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
        "receipt": "",
    }
    conflicts = f", conflicts with {into.removeprefix('refs/heads/')} in {', '.join(judgement.conflicts[:10])}"
    text = (
        f"{key}: {judgement.verdict} ({judgement.reason}), {len(judgement.files)} files, "
        f"method {judgement.method or 'none'}, tree {judgement.tree[:12] or 'none'}"
        f"{conflicts if judgement.conflicts else ''}. Nothing was kept."
    )
    frame.emit(document, text)
    if judgement.verdict is Verdict.REJECT:
        return ExitStatus.REFUSED
    return ExitStatus.WAITS if judgement.verdict is Verdict.QUARANTINE or judgement.conflicts else ExitStatus.DONE
