"""Requests that one lock leaves for another: a landing for a change, a run for a tree.

The asker names itself as ``parent`` and returns; ``line`` carries the request out and wakes the parent at its end.
"""

from __future__ import annotations

from ecluse.clock import instant, new_id
from ecluse.history.journal import Effect, begin
from ecluse.history.store import History
from ecluse.history.wakes import wake
from ecluse.model import Change, Event, Landing, LandingState, Run, RunState


def request_landing(history: History, change: Change, *, actor: str, parent: str = "") -> Landing:
    """Ask for ``change`` to be landed on its target; an unfinished landing of the same change is returned as it is."""
    for standing in history.find(Landing, change=change.key):
        if not standing.state.is_terminal:
            return standing
    moment = instant()
    landing = Landing(
        id=new_id("land"),
        change=change.key,
        state=LandingState.QUEUED,
        target=change.target,
        created_at=moment,
        updated_at=moment,
        heads=(change.head,),
        agent=change.agent_name,
        parent=parent,
    )
    text = f"landing of {change.key} on {change.target} asked for: {change.title}"
    with history.transaction():
        history.record(landing, Event("landing.queued", landing.subject, text, actor, {"change": change.key}))
        wake(history, landing.subject, "queued")
    return landing


def request_run(
    history: History, *, parent: str, commit: str, tree: str, event: str, workflows: tuple[str, ...], actor: str = ""
) -> Run:
    """Ask for the checks ``workflows`` to be run on ``commit``."""
    moment = instant()
    run = Run(
        id=new_id("run"),
        parent=parent,
        state=RunState.QUEUED,
        commit=commit,
        tree=tree,
        event=event,
        workflows=workflows,
        created_at=moment,
        updated_at=moment,
    )
    text = f"checks of {commit[:12]} asked for{': ' + ', '.join(workflows) if workflows else ''}"
    with history.transaction():
        history.record(run, Event("run.queued", run.subject, text, actor, {"parent": parent, "commit": commit}))
        wake(history, run.subject, "queued")
    return run


def request_import(history: History, *, parent: str, step: str, path: str, actor: str, land: bool) -> Effect:
    """Ask for the bundle at ``path`` to be taken in; the effect ``step`` of ``parent`` becomes what intake says of it.

    Its result is ``{"change": KEY}``, or ``{"problem": {code, message, hint}}`` when it was not even taken in.
    """
    with history.transaction():
        asked = begin(history, parent, step, {"path": path, "actor": actor, "land": land, "request": "import"})
        if not asked.done_at:
            wake(history, f"import/{parent}#{step}", "asked for")
    return asked
