"""``changelog.write``: the changelog gets the release's section, as a change that lands through the checks."""

from __future__ import annotations

import dataclasses
from typing import Any

from ecluse import clock
from ecluse.errors import Failed, Invalid, Red
from ecluse.history import perform
from ecluse.history.journal import Probed, effect_of
from ecluse.history.requests import request_landing
from ecluse.model import Change, Event, Landing, LandingState
from ecluse.release import changelog, own_change, version, versionfiles
from ecluse.release.canonical import digest
from ecluse.release.context import Context
from ecluse.release.steps.shape import Again, Blocked, Done, Outcome, Shape

POLL_S = 0.5
BLOCKED_POLL_S = 5.0
NAMED = 5
"""How many entries or commits the step's sentence names."""
ROUNDS = 3
"""How often the changelog is written anew because the trunk moved beside it, before the release gives up."""


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
            context.effect(_part(context, "commit")),
            lambda plan: _write(context, plan),
            probe=lambda plan: Probed(False),  # objects and a ref of its own name: making them again changes nothing
            plan=own_change.plan_for(context, _branch(context)),
        )
        if not written["commit"]:
            return Done("the changelog holds this release already", dict(written), {"commit": written["base"]})
        title = f"docs(changelog): release v{context.release.version}"
        change = own_change.record(context, dict(written), title, _key(context), land=True)
    return _follow(context, change)


def _change(context: Context) -> Change | None:
    found = context.history.find(Change, digest=_key(context))
    return found[-1] if found else None


def _branch(context: Context) -> str:
    """The branch that is released: the trunk, or the one that the plan names, such as a hotfix's."""
    return str(context.plan.get("branch") or context.trunk.branch)


def _key(context: Context) -> str:
    return digest({"release": context.release.id, "step": context.effect(_part(context, ""))})


def _part(context: Context, part: str) -> str:
    """The name of a part in this round: the changelog is written anew when what landed beside it asks for more."""
    number = len(context.progress.get("withdrawn", ()))
    return f"{part}.again{number}".lstrip(".") if number else part


def _write(context: Context, plan: dict[str, Any]) -> dict[str, Any]:
    """Make the commit ``docs(changelog): release vX.Y.Z`` on the trunk's tip, as objects and a ref of its own."""
    repository, release, base = context.repository, context.release, plan["base"]
    decided = _decided(context, base)
    path = context.argument("file", "CHANGELOG.md")
    before = repository.read(base, path) or b""
    text = before.decode("utf-8", "surrogateescape")
    withdrawn = context.progress.get("withdrawn", ())
    made = changelog.release(text, release.version, plan["when"][:10], decided.commits, withdrawn)
    facts = {"base": base, "section": made.section, "added": list(made.added), "left_out": list(made.left_out)}
    files = {path: made.text} if made.text != text else {}
    files |= _versions(context, base)
    if not files:
        return {**facts, "commit": ""}
    data = {name: new.encode("utf-8", "surrogateescape") for name, new in files.items()}
    title = f"docs(changelog): release v{release.version}"
    return {**facts, **own_change.commit_files(context, plan, data, title)}


def _versions(context: Context, base: str) -> dict[str, str]:
    """The files of ``versions=`` that say another version on ``base``, with the right one."""
    found = {}
    for path in context.argument("versions").split():
        old = (context.repository.read(base, path) or b"").decode("utf-8", "surrogateescape")
        new = versionfiles.with_version(old, context.release.version, path)
        if new != old:
            found[path] = new
    return found


def _decided(context: Context, base: str) -> version.Decision:
    """The commits that the section is about. Raises :class:`Failed` when the trunk's new tip asks for another version."""
    release = context.release
    given = release.version if context.plan.get("bump") in ("given", "") else ""
    decided = version.decide(context.repository, base, given)
    if decided.version != release.version:
        raise Failed(
            "release.trunk_moved",
            f"{_branch(context)} moved to {base[:12]} after the version was decided, and asks for {decided.version} now, not {release.version}.",
            f"ecluse release start {release.playbook}",
        )
    return decided


def _follow(context: Context, change: Change) -> Outcome:
    found = context.history.find(Landing, change=change.key, newest_first=True, limit=1)
    if not found:
        request_landing(context.history, change, actor=f"release {context.release.id}", parent=context.release.subject)
        return Again(POLL_S, "landing of the changelog")
    landing = found[0]
    if landing.state is LandingState.LANDED:
        return _decided_again(context, landing) or _landed(context, change, landing)
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


def _decided_again(context: Context, landing: Landing) -> Again | None:
    """What landed beside the changelog may ask for more than the version that was decided before: decide anew.

    The section that has landed was never released; it becomes part of the new version's, in another change that lands
    through the checks. Raises :class:`Failed` when the trunk goes on moving so.
    """
    release = context.release
    if context.plan.get("bump") in ("given", ""):
        return None
    decided = version.decide(context.repository, landing.candidate)
    if decided.version == release.version:
        return None
    withdrawn = [*context.progress.get("withdrawn", ()), release.version]
    if len(withdrawn) > ROUNDS:
        raise Failed(
            "release.trunk_moved",
            f"{_branch(context)} went on moving while the changelog landed, and asks for {decided.version} now, not {release.version}.",
            f"ecluse release start {release.playbook}",
        )
    kept = context.with_progress(withdrawn=withdrawn)
    moved = dataclasses.replace(kept, version=decided.version, updated_at=clock.instant())
    text = f"{release.version} becomes {decided.version}: {decided.why}, with what landed beside the changelog"
    data = {"from": release.version, "to": decided.version, "landing": landing.id}
    context.history.record(moved, Event("release.redecided", release.subject, text, data=data))
    context.release = moved
    return Again(0, "the changelog of the new version")


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
        said += f"; landed meanwhile and part of this release, but not in the section: {_some(also)}"
    written = effect_of(context.history, context.release.subject, context.effect(_part(context, "commit")))
    facts = written.result if written else {}
    added, left_out = facts.get("added", []), facts.get("left_out", [])
    if added:
        said += f"; nobody had written, so it was added from the commits: {_some(added)}"
    if left_out:
        said += f"; commits without an entry: {_some(left_out)}"
    result = {
        "change": change.key,
        "landing": landing.id,
        "commit": landing.candidate,
        "also": also,
        "added": added,
        "left_out": left_out,
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


def _some(titles: list[str]) -> str:
    """The first of ``titles``; the result of the step has them all."""
    more = len(titles) - NAMED
    return "; ".join(titles[:NAMED]) + (f"; and {more} more" if more > 0 else "")


SHAPE = Shape(
    "changelog.write",
    "moves Unreleased into the version's section with its date, adds what the commits say and nobody had written, and "
    "lands that through the checks as `docs(changelog): release vX.Y.Z`",
    run,
    keys={
        "file": "the changelog's path; CHANGELOG.md when not given",
        "versions": "files that say the version themselves, such as pyproject.toml; they get the new one in the same commit",
    },
    moves_commit=True,
    outputs={
        "section": "the version's section",
        "change": "the change's key",
        "landing": "the landing's id",
        "commit": "what landed",
        "added": "entries that were missing and come from the commits",
        "left_out": "titles of commits that have no entry",
        "also": "commits that landed meanwhile",
    },
    effect="a commit, a change and its landing",
    probe="the change that this step made is found in the history by its digest",
)
