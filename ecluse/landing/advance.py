"""The state machine of a landing: each call does the next thing, stores it and returns. Nothing here waits."""

from __future__ import annotations

import dataclasses

from ecluse.clock import instant
from ecluse.errors import Waits
from ecluse.git import RefMoved, Repository
from ecluse.git.resolving import told
from ecluse.guarded import rules_for
from ecluse.history import History
from ecluse.history.requests import request_run
from ecluse.history.wakes import wake
from ecluse.landing import candidate as candidates
from ecluse.landing import mover, policy
from ecluse.landing.handover import write_down
from ecluse.landing.publish import wants_push
from ecluse.landing.queue import is_next, wake_next
from ecluse.model import Change, ChangeState, Event, Landing, LandingState, Run, RunState
from ecluse.trunk import open_trunk


def advance(repository: Repository, history: History, landing_id: str) -> None:
    """Do the next thing for a landing. Safe to call twice, late, or after a death; unknown or over: does nothing."""
    landing = history.get(Landing, landing_id)
    if landing is None or landing.state.is_terminal:
        return
    change = history.get(Change, landing.change)
    if change is None:
        return
    if landing.state is LandingState.QUEUED and is_next(history, landing):
        _build(repository, history, landing, change)
    elif landing.state is LandingState.TESTING:
        _decide(repository, history, landing, change)
    elif landing.state is LandingState.MOVING:
        _move(repository, history, landing, change)


def _build(repository: Repository, history: History, landing: Landing, change: Change) -> None:
    if change.state is not ChangeState.READY:
        _end(history, landing, LandingState.CANCELLED, f"the change is {change.state}", "landing.cancelled")
        return
    if not change.trusted_by:
        _block(
            history, landing, f"{change.key} is not trusted to run here; ecluse review {change.key} --accept --why TEXT"
        )
        return
    base = repository.commit_id(landing.target)
    rules = rules_for(repository, open_trunk(repository).config)
    built = candidates.build(repository, base, change, landing.target, landing.created_at, rules)
    if built.conflicts:
        _conflict(history, landing, change, built.conflicts)
        return
    change = _note_resolved(history, change, built)
    built = write_down(repository, built, landing, change)
    ready = dataclasses.replace(
        landing,
        base=base,
        candidate=built.commit,
        tree=built.tree,
        heads=(change.head,),
        reason="",
        updated_at=instant(),
    )
    if built.how == "same":
        _land(repository, history, ready, change, "it was there already")
        return
    held = f"refs/ecluse/candidates/{landing.id}"
    repository.move_ref(held, built.commit, repository.refs(held).get(held, ""), "ecluse: candidate")
    with history.transaction():
        run = request_run(
            history, parent=landing.subject, commit=built.commit, tree=built.tree, event="pull_request", workflows=()
        )
        ready = dataclasses.replace(ready, state=LandingState.TESTING, run=run.id)
        rules_used = f", resolved by rule: {told(built.resolved)};" if built.resolved else ""
        text = (
            f"candidate {built.commit[:12]} ({built.how}) of {change.key} on {base[:12]}{rules_used} goes to the checks"
        )
        data = {"run": run.id, "tree": built.tree, "resolved": built.resolved}
        history.record(ready, Event("landing.testing", landing.subject, text, data=data))


def _note_resolved(history: History, change: Change, built: candidates.Candidate) -> Change:
    """The change with what rules resolved in its candidate as it is now; recorded where that is another."""
    about = {name: value for name, value in change.about.items() if name != "resolved"}
    if built.resolved:
        about["resolved"] = list(built.resolved)
    if about == change.about:
        return change
    noted = dataclasses.replace(change, about=about, updated_at=instant())
    how = f"resolved by rule: {told(built.resolved)}" if built.resolved else "no conflict is left to resolve"
    text = f"{change.key} on {built.base[:12]}: {how}"
    history.record(noted, Event("change.resolved", change.subject, text, data={"resolved": built.resolved}))
    return noted


def _decide(repository: Repository, history: History, landing: Landing, change: Change) -> None:
    run = history.get(Run, landing.run)
    if run is None or not run.state.is_terminal:
        return
    if run.state in (RunState.ERROR, RunState.CANCELLED):
        _end(
            history,
            landing,
            LandingState.FAILED,
            f"the checks could not be carried out: {run.reason}",
            "landing.failed",
        )
        return
    verdict = policy.judge(run, open_trunk(repository).config.checks.optional, change.validations)
    environment = {str(k): str(v) for k, v in run.report.get("environment", {}).items()}
    decided = dataclasses.replace(landing, basis=verdict.basis, environment=environment, updated_at=instant())
    if not verdict.green:
        _end(history, decided, LandingState.RED, verdict.reason, "landing.red")
        return
    moving = dataclasses.replace(decided, state=LandingState.MOVING, reason=verdict.reason)
    with history.transaction():
        text = f"tree {landing.tree[:12]} is green ({verdict.reason}); moving {landing.target}"
        history.record(moving, Event("landing.moving", landing.subject, text, data={"basis": verdict.basis}))
        wake(history, landing.subject, "green")


def _move(repository: Repository, history: History, landing: Landing, change: Change) -> None:
    now = repository.commit_id(landing.target)
    begun = mover.is_begun(history, landing)
    if not begun and now not in (landing.base, landing.candidate):
        _rebuild(repository, history, landing, now)
        return
    if not begun and (paths := mover.blocked_paths(repository, landing)):
        _block(history, landing, f"uncommitted work in the checkout would be touched: {', '.join(paths[:10])}", paths)
        return
    try:
        mover.move(repository, history, landing, backups=open_trunk(repository).config.landing.backups)
    except RefMoved as moved:
        _rebuild(repository, history, landing, moved.found)
    except Waits as blocked:
        _block(history, landing, blocked.message, mover.blocked_paths(repository, landing))
    else:
        _land(repository, history, landing, change, landing.reason)


def _rebuild(repository: Repository, history: History, landing: Landing, found: str) -> None:
    limit = open_trunk(repository).config.landing.max_attempts
    if landing.attempt + 1 >= limit:
        _end(
            history,
            landing,
            LandingState.FAILED,
            f"the target moved {limit} times while the candidate was tested",
            "landing.failed",
        )
        return
    again = dataclasses.replace(landing, state=LandingState.QUEUED, attempt=landing.attempt + 1, updated_at=instant())
    with history.transaction():
        text = f"{landing.target} moved to {found[:12]} meanwhile; a new candidate is built"
        history.record(again, Event("landing.rebuilt", landing.subject, text))
        wake(history, landing.subject, "target moved")


def _conflict(history: History, landing: Landing, change: Change, paths: tuple[str, ...]) -> None:
    why = f"it conflicts with {landing.target} in {', '.join(paths[:10])}"
    held = dataclasses.replace(change, state=ChangeState.CONFLICT, reason=why, updated_at=instant())
    with history.transaction():
        history.record(held, Event("change.conflict", change.subject, f"{change.key}: {why}", data={"paths": paths}))
        _end(history, dataclasses.replace(landing, blocked_paths=paths), LandingState.FAILED, why, "landing.failed")


def _block(history: History, landing: Landing, why: str, paths: tuple[str, ...] = ()) -> None:
    held = dataclasses.replace(
        landing, state=LandingState.BLOCKED, reason=why, blocked_paths=paths, updated_at=instant()
    )
    with history.transaction():
        history.record(held, Event("landing.blocked", landing.subject, f"landing of {landing.change} waits: {why}"))
        _wake_others(history, held)


def _land(repository: Repository, history: History, landing: Landing, change: Change, why: str) -> None:
    landed = dataclasses.replace(landing, state=LandingState.LANDED, reason=why, updated_at=instant())
    done = dataclasses.replace(change, state=ChangeState.LANDED, updated_at=instant())
    text = f"{change.key} landed on {landing.target} as {landing.candidate[:12]} (tree {landing.tree[:12]}): {change.title}"
    data = {
        "commit": landing.candidate,
        "tree": landing.tree,
        "base": landing.base,
        "agent": landing.agent,
        "key": change.about.get("key", ""),
        "run": landing.run,
        "resolved": change.about.get("resolved", []),
    }
    push = wants_push(repository)
    with history.transaction():
        history.record(done, Event("change.landed", change.subject, f"{change.key} landed"))
        history.record(landed, Event("landing.landed", landing.subject, text, data=data))
        if push:
            wake(history, f"push/{landing.id}", "landed")
        _wake_others(history, landed)


def _end(history: History, landing: Landing, state: LandingState, why: str, kind: str) -> None:
    over = dataclasses.replace(landing, state=state, reason=why, updated_at=instant())
    with history.transaction():
        history.record(
            over, Event(kind, landing.subject, f"{landing.change} did not land: {why}", data={"run": landing.run})
        )
        _wake_others(history, over)


def _wake_others(history: History, landing: Landing) -> None:
    wake_next(history, landing.target)
    if landing.parent:
        wake(history, landing.parent, f"{landing.id} is {landing.state}")
