"""What waits for a person, each with the exact command to type. The order is the order of the line."""

from __future__ import annotations

from ecluse.dataclass import dataclass
from ecluse.history.store import History
from ecluse.model import (
    Change,
    ChangeState,
    Event,
    Gate,
    GateState,
    Landing,
    LandingState,
    Release,
    ReleaseState,
)

SHOWN = 50
"""How many of each kind are listed; a longer list is a list, not a call to a person."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that does not go on without a person: what, where it is shown, why, and what can be typed.

    ``commands`` are a choice, or, when ``in_order``, one after the other.
    """

    subject: str
    title: str
    state: str
    why: str
    since: str
    commands: tuple[str, ...]
    in_order: bool = False


def waiting(history: History) -> list[Waiting]:
    """Everything that waits for a person now, oldest first within each lock; what is stuck comes last."""
    found: list[Waiting] = []
    for state in (ChangeState.QUARANTINED, ChangeState.CONFLICT):
        for change in history.find(Change, state=state, limit=SHOWN):
            found += of_change(change)
    for change in history.find(Change, state=ChangeState.READY, wants_landing=True, trusted_by="", limit=SHOWN):
        found += of_change(change)
    for landing in history.find(Landing, state=LandingState.BLOCKED, limit=SHOWN):
        found.append(of_landing(landing, history.get(Change, landing.change)))
    for gate in history.find(Gate, state=GateState.OPEN, limit=SHOWN):
        found += of_gate(gate, history.get(Release, gate.release))
    for release in history.find(Release, state=ReleaseState.WAITING, limit=SHOWN):
        found += of_waiting(history, release)
    for release in history.find(Release, state=ReleaseState.PAUSED, limit=SHOWN):
        found.append(of_paused(release))
    for release in history.find(Release, state=ReleaseState.ASKING, limit=SHOWN):
        found.append(of_asking(history, release))
    return found + unpushed(history) + stuck(history)


def of_change(change: Change) -> list[Waiting]:
    """What this change waits for a person for; nothing when it does not."""
    commands: tuple[str, ...] = _judged(change.key)
    if change.state is ChangeState.QUARANTINED:
        why = change.reason or "Intake wants a person to look at it."
    elif change.state is ChangeState.CONFLICT:
        why = change.reason or f"It does not merge with {change.target.removeprefix('refs/heads/')}."
        commands = (*homeward(change.agent), f"ecluse show {_quoted(change.key)}")
    elif change.state is ChangeState.READY and not change.trusted_by:
        why = "Nobody vouches for it: no listed key signed it and no person accepted it."
    else:
        return []
    return [Waiting(change.subject, change.title or change.key, change.state.value, why, change.updated_at, commands)]


def homeward(agent: str) -> tuple[str, ...]:
    """The command that gives an agent the trunk, so that it can make its change again; none without a name for it."""
    return (f"ecluse sync {_quoted(agent)} --to trunk.bundle",) if agent and not agent.startswith("-") else ()


def of_landing(landing: Landing, change: Change | None) -> Waiting:
    """A blocked landing: uncommitted work is in its way, or nobody vouches for its change."""
    title = change.title if change is not None and change.title else landing.change
    untrusted = change is not None and not change.trusted_by and not landing.blocked_paths
    first = _judged(landing.change)[0] if untrusted else "git stash push"
    commands = (first, f"ecluse land {_quoted(landing.change)}")
    why = landing.reason or f"Uncommitted work is in the way: {', '.join(landing.blocked_paths[:10])}."
    return Waiting(landing.subject, title, landing.state.value, why, landing.updated_at, commands, True)


def of_gate(gate: Gate, release: Release | None) -> list[Waiting]:
    """A question that is open; nothing when its release is over."""
    if release is None or release.state.is_terminal:
        return []
    until = f" Open until {gate.expires_at[:16].replace('T', ' ')} UTC." if gate.expires_at else ""
    if gate.needs > 1:
        until = f" {len(gate.votes)} of {gate.needs} people have answered.{until}"
    names = f"{_quoted(release.id)} --gate {_quoted(gate.name)}"
    commands = (f"ecluse release approve {names}", f"ecluse release reject {names}")
    title = f"Gate “{gate.name}” of {name_of(release)}"
    return [Waiting(gate.subject, title, gate.state.value, f"{gate.question}{until}", gate.created_at, commands)]


def of_waiting(history: History, release: Release) -> list[Waiting]:
    """A release that waits for something other than an answer; its reason says for what."""
    if release.state is not ReleaseState.WAITING or history.count(Gate, release=release.id, state=GateState.OPEN):
        return []
    commands = (f"ecluse release status {_quoted(release.id)}",)
    return [
        Waiting(release.subject, name_of(release), release.state.value, release.reason, release.updated_at, commands)
    ]


def of_paused(release: Release) -> Waiting:
    """A release that somebody paused; it goes on when somebody resumes it."""
    id = _quoted(release.id)
    commands = (f"ecluse release resume {id}", f"ecluse release abort {id} --why TEXT")
    return Waiting(release.subject, name_of(release), release.state.value, release.reason, release.updated_at, commands)


def of_asking(history: History, release: Release) -> Waiting:
    """A release with an effect that was cut short and cannot be looked at from here."""
    from ecluse.history import journal

    id = _quoted(release.id)
    begun = [one for one in journal.effects_of(history, release.subject) if one.state is journal.EffectState.BEGUN]
    commands = tuple(f"ecluse release settle {id} {_quoted(one.step)} --happened yes|no" for one in begun)
    why = release.reason or "A step was cut short, and whether it happened cannot be seen from here."
    return Waiting(
        release.subject,
        name_of(release),
        release.state.value,
        why,
        release.updated_at,
        commands or (f"ecluse release status {id}",),
    )


def stuck(history: History) -> list[Waiting]:
    """Subjects whose last event is a problem that the line met: it tries again, but a person can clear the cause."""
    found: dict[str, Waiting] = {}
    for event in history.events(kind="line.problem", limit=SHOWN, newest_first=True):
        if event.subject not in found and _is_last(history, event):
            hint = str(event.data.get("hint") or "ecluse doctor")
            title = event.subject.replace("/", " ", 1)
            found[event.subject] = Waiting(event.subject, title, "stuck", event.text, event.at, (hint,))
    return list(found.values())


def unpushed(history: History) -> list[Waiting]:
    """What moved here and did not reach its remote, as long as nothing else has happened to it since."""
    found: dict[str, Waiting] = {}
    for event in history.events(kind="push.failed", limit=SHOWN, newest_first=True):
        if event.subject not in found and _is_last(history, event):
            title = f"{event.data.get('target_branch', '')} for {event.data.get('remote', 'a remote')}"
            hint = str(event.data.get("hint") or "ecluse status")
            found[event.subject] = Waiting(event.subject, title, "not pushed", event.text, event.at, (hint,))
    return list(found.values())


def name_of(release: Release) -> str:
    """A release as people call it."""
    return f"release {release.version or release.id} to {release.environment}"


def _is_last(history: History, event: Event) -> bool:
    newest = history.events(subject=event.subject, limit=1, newest_first=True)
    return bool(newest) and newest[0].number == event.number


def _judged(key: str) -> tuple[str, str]:
    quoted = _quoted(key)
    return f"ecluse review {quoted} --accept --why TEXT", f"ecluse review {quoted} --reject --why TEXT"


def _quoted(word: str) -> str:
    from shlex import quote  # most of the time nothing waits

    return quote(word)
