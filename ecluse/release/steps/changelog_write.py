"""``changelog.write``: the changelog gets the release's section, as a change that lands through the checks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ecluse import clock
from ecluse.errors import Failed, Invalid, Red
from ecluse.git.repository import FALLBACK_IDENTITY
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.history.requests import request_landing
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Verdict
from ecluse.release import changelog, version
from ecluse.release.canonical import digest
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Blocked, Done, Outcome, Shape

POLL_S = 0.5
BLOCKED_POLL_S = 5.0


def run(context: Context) -> Outcome:
    """Write the section, hand the commit to landing, wait for it, and go on from the commit that landed."""
    if not context.release.version:
        raise Invalid(
            "changelog.no_version", "The changelog needs a version, and none was decided.", "put semver.decide first"
        )
    change = _change(context)
    if change is None:
        written = perform(
            context.history,
            context.release.subject,
            context.effect("commit"),
            lambda plan: _write(context, plan),
            probe=lambda plan: Probed(False),  # objects and a ref of its own name: making them again changes nothing
            plan={"when": clock.instant()[:19] + "+0000", "change": clock.new_id("chg"), "base": context.trunk.tip},
        )
        if not written["commit"]:
            return Done("the changelog holds this release already", dict(written), {"commit": written["base"]})
        change = _record(context, written)
    return _follow(context, change)


def _change(context: Context) -> Change | None:
    found = context.history.find(Change, digest=_key(context))
    return found[-1] if found else None


def _key(context: Context) -> str:
    return digest({"release": context.release.id, "step": context.effect()})


def _write(context: Context, plan: dict[str, Any]) -> dict[str, Any]:
    """Make the commit ``docs(changelog): release vX.Y.Z`` on the trunk's tip, as objects and a ref of its own."""
    repository, release, base = context.repository, context.release, plan["base"]
    decided = _decided(context, base)
    path = context.argument("file", "CHANGELOG.md")
    before = repository.read(base, path) or b""
    text = before.decode("utf-8", "surrogateescape")
    made = changelog.release(text, release.version, plan["when"][:10], decided.commits)
    facts = {"base": base, "section": made.section, "added": list(made.added), "left_out": list(made.left_out)}
    if made.text == text:
        return {**facts, "commit": ""}
    tree = _tree_with(context, base, path, made.text.encode("utf-8", "surrogateescape"))
    who = repository.identity() or FALLBACK_IDENTITY
    message = f"docs(changelog): release v{release.version}\n\nRelease: {release.id}\n"
    commit = repository.commit_tree(tree, [base], message, who, plan["when"])
    ref = f"refs/ecluse/changes/{plan['change']}/1"
    repository.move_ref(ref, commit, repository.refs(ref).get(ref, ""), f"ecluse: {release.id}")
    return {**facts, "commit": commit, "tree": tree, "ref": ref, "path": path, "change": plan["change"]}


def _decided(context: Context, base: str) -> version.Decision:
    """The commits that the section is about. Raises :class:`Failed` when the trunk's new tip asks for another version."""
    release = context.release
    given = release.version if context.plan.get("bump") in ("given", "") else ""
    decided = version.decide(context.repository, base, given)
    if decided.version != release.version:
        raise Failed(
            "release.trunk_moved",
            f"{context.trunk.branch} moved to {base[:12]} after the version was decided, and asks for {decided.version} now, not {release.version}.",
            f"ecluse release start {release.playbook}",
        )
    return decided


def _tree_with(context: Context, base: str, path: str, data: bytes) -> str:
    """The tree of ``base`` with one file replaced, made in an index of its own: no checkout is touched."""
    repository = context.repository
    modes = {entry.path: entry.mode for entry in repository.list_tree(base, path)}
    blob = repository.run("hash-object", "-w", "--stdin", "--no-filters", stdin=data).stdout.decode("ascii").strip()
    with tempfile.TemporaryDirectory(prefix="ecluse-index-") as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        repository.run("read-tree", base, extra_env=own)
        entry = f"{modes.get(path, '100644')} {blob} 0\t{path}\0".encode()
        repository.run("update-index", "-z", "--index-info", stdin=entry, extra_env=own)
        return repository.run("write-tree", extra_env=own).stdout.decode("ascii").strip()


def _record(context: Context, written: dict[str, Any]) -> Change:
    """Store the commit as a change that is ready to land, and ask for its landing, in one transaction."""
    release, moment = context.release, clock.instant()
    change = Change(
        key=f"{written['change']}/1",
        id=written["change"],
        revision=1,
        state=ChangeState.READY,
        title=f"docs(changelog): release v{release.version}",
        agent="release",
        target=context.trunk.ref,
        digest=_key(context),
        source="release",
        created_at=moment,
        updated_at=moment,
        verdict=Verdict.ACCEPT,
        base=written["base"],
        head=written["commit"],
        tree=written["tree"],
        ref=written["ref"],
        method="release",
        commits={written["commit"]: written["commit"]},
        files=(written["path"],),
        trusted_by=f"release {release.id}",
        wants_landing=True,
    )
    with context.history.transaction():
        text = f"{change.key}: {change.title}, made by {release.id}"
        context.history.record(change, Event("change.ready", change.subject, text, data={"release": release.id}))
        request_landing(context.history, change, actor=f"release {release.id}", parent=release.subject)
    return change


def _follow(context: Context, change: Change) -> Outcome:
    found = context.history.find(Landing, change=change.key, newest_first=True, limit=1)
    if not found:
        request_landing(context.history, change, actor=f"release {context.release.id}", parent=context.release.subject)
        return Again(POLL_S, "landing of the changelog")
    landing = found[0]
    if landing.state is LandingState.LANDED:
        return _landed(context, change, landing)
    if landing.state is LandingState.RED:
        raise Red(
            "changelog.red",
            f"the checks are red on the changelog's commit: {landing.reason}",
            f"ecluse show {landing.id}",
        )
    if landing.state.is_terminal:
        raise Failed(
            "changelog.not_landed", f"the changelog did not land: {landing.reason}", f"ecluse show {landing.id}"
        )
    if landing.state.waits_for_person:
        _keep_looking(context)
        return Blocked(
            f"the landing of the changelog waits: {landing.reason} When that is settled: ecluse land {change.key}"
        )
    return Again(POLL_S, f"landing {landing.id} is {landing.state}")


def _keep_looking(context: Context) -> None:
    from ecluse.history.wakes import wake_in

    wake_in(context.history, context.release.subject, BLOCKED_POLL_S, "a blocked landing")


def _landed(context: Context, change: Change, landing: Landing) -> Done:
    """Go on from what landed. Commits that other changes brought meanwhile are part of it, and are named."""
    between = [
        c
        for c in context.repository.commits(f"^{change.base}", landing.candidate)
        if c.id not in (change.head, landing.candidate)
    ]
    also = [f"{c.id[:12]} {c.title}" for c in between]
    section = context.repository.read(landing.candidate, change.files[0] if change.files else "CHANGELOG.md") or b""
    said = f"{change.files[0]} has the section {context.release.version}, landed as {landing.candidate[:12]}"
    if also:
        said += f"; landed meanwhile and part of this release, but not in the section: {'; '.join(also)}"
    result = {
        "change": change.key,
        "landing": landing.id,
        "commit": landing.candidate,
        "also": also,
        "section": _section_in(section.decode("utf-8", "replace"), context.release.version),
    }
    return Done(said, result, {"commit": landing.candidate})


def _section_in(text: str, number: str) -> str:
    """The lines of the version's section in a changelog's text."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("## "):
            inside = line.startswith((f"## [{number}]", f"## {number}"))
        elif inside:
            lines.append(line)
    return "\n".join(lines).strip()


SHAPE = Shape(
    "changelog.write",
    "moves Unreleased into the version's section, adds what the commits say, and lands that through the checks",
    run,
    keys={"file": "the changelog's path; CHANGELOG.md when not given"},
    moves_commit=True,
)
