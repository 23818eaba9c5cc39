"""What keeps an environment as it is: freezes by rule, by calendar and by word, and the lock of whoever changes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from ecluse import clock
from ecluse.errors import Invalid, Refused
from ecluse.history import History, wakes
from ecluse.model import Event, Hold, HoldKind, HoldState, Release, ReleaseState
from ecluse.release import calendar, windows
from ecluse.trunk import Trunk

FOREVER = "9999-12-31T23:59:59.999999Z"
"""``until`` of a hold that stands until somebody lifts it."""


def ending(until: str) -> str:
    """When a hold ends, for people: ``until 2026-01-31 18:05 UTC``, or ``until it is lifted``."""
    return "until it is lifted" if until == FOREVER else f"until {clock.shown(until)}"


@dataclass(frozen=True, slots=True)
class Frozen:
    """Why nothing goes live in an environment now, and until when; ``until`` may be :data:`FOREVER`."""

    why: str
    until: str
    source: str


def frozen(trunk: Trunk, history: History, environment: str, moment: datetime | None = None) -> Frozen | None:
    """The freeze of ``environment`` at ``moment`` (now), the longest of several; ``None`` when it is free.

    Raises :class:`Invalid` or :class:`Unsupported` for a rule or a calendar that cannot be read.
    """
    at = moment or clock.now()
    found = [*_by_rule(trunk, environment, at), *_by_calendar(trunk, environment, at)]
    found += _by_word(history, environment, clock.instant(at))
    return max(found, key=lambda one: one.until, default=None)


def _by_rule(trunk: Trunk, environment: str, at: datetime) -> list[Frozen]:
    found = []
    for rule in trunk.config.release.freeze:
        if environment not in rule.environments and (rule.environments or not _is_production(trunk, environment)):
            continue
        window = windows.covering(rule.when, rule.zone, rule.why, at)
        if window is not None:
            why = rule.why or f"the policy says {rule.when}"
            found.append(Frozen(why, clock.instant(window.end), f"rule {rule.when!r} ({rule.zone})"))
    return found


def _by_calendar(trunk: Trunk, environment: str, at: datetime) -> list[Frozen]:
    path = trunk.config.release.calendar
    if not path or not _is_production(trunk, environment):
        return []
    data = trunk.read(path)
    if data is None:
        raise Invalid(
            "freeze.calendar",
            f"The policy names the calendar {path}, and {trunk.branch} has no such file.",
            f"add {path} to {trunk.branch}, or take `calendar` out of ecluse.toml",
        )
    window = calendar.covering(data.decode("utf-8", "replace"), at, path)
    return [Frozen(window.why, clock.instant(window.end), f"calendar {path}")] if window else []


def _by_word(history: History, environment: str, at: str) -> list[Frozen]:
    standing = history.find(Hold, kind=HoldKind.FREEZE, state=HoldState.STANDING)
    return [
        Frozen(f"{one.why} (said by {one.holder})", one.until, one.id)
        for one in standing
        if one.environment in ("", environment) and one.created_at <= at < one.until
    ]


def _is_production(trunk: Trunk, environment: str) -> bool:
    known = trunk.config.environments.get(environment)
    return known is not None and known.production


def freeze(history: History, environment: str, *, until: str, who: str, why: str) -> Hold:
    """Freeze an environment (empty: all of them) until the instant ``until``. Raises :class:`Invalid` for a past one."""
    if until <= clock.instant():
        raise Invalid("freeze.past", f"{until} is over already.", "ecluse freeze --until 2h --why TEXT")
    if not why.strip():
        raise Invalid("freeze.why", "A freeze needs a reason, for those whom it stops.", "ecluse freeze --why TEXT")
    return _hold(history, HoldKind.FREEZE, environment, who, why, until)


def lift(history: History, environment: str | None, *, who: str, why: str) -> list[Hold]:
    """End the freezes that were said for ``environment`` (``None``: all of them) and wake who waits for that.

    Raises :class:`Invalid` when none stands: rules and calendars are changed on the trunk.
    """
    now = clock.instant()
    standing = [
        one
        for one in history.find(Hold, kind=HoldKind.FREEZE, state=HoldState.STANDING)
        if now < one.until and environment in (None, one.environment)
    ]
    if not standing:
        raise Invalid(
            "freeze.none",
            "No freeze that somebody typed stands now; those of the policy and its calendar are changed on the trunk.",
            "ecluse freeze",
        )
    return [lift_one(history, one, who=who, why=why) for one in standing]


def lift_one(history: History, hold: Hold, *, who: str, why: str) -> Hold:
    """End one freeze and wake who waits for that."""
    with history.transaction():
        over = _lift(history, hold, who, why)
        for release in history.find(Release, newest_first=True, limit=100):
            if release.state is ReleaseState.WAITING:
                wakes.wake(history, release.subject, "a freeze was lifted")
    return over


def standing(history: History) -> list[Hold]:
    """Freezes and locks whose time is not over."""
    now = clock.instant()
    return [one for one in history.find(Hold, state=HoldState.STANDING) if now < one.until]


def lock_of(history: History, environment: str) -> Hold | None:
    """Who has the lock of an environment now."""
    now = clock.instant()
    found = history.find(Hold, kind=HoldKind.LOCK, state=HoldState.STANDING, environment=environment)
    return next((one for one in reversed(found) if now < one.until), None)


def lock(history: History, environment: str, *, holder: str, until: str, why: str) -> Hold:
    """Take the lock of an environment; who has it already keeps it, longer if need be.

    Raises :class:`Refused` while somebody else has it.
    """
    with history.transaction():
        held = lock_of(history, environment)
        if held is not None and held.holder != holder:
            raise Refused(
                "lock.held",
                f"{held.holder} has the lock of {environment} {ending(held.until)}: {held.why}",
                f"ecluse release unlock {environment} --why TEXT",
            )
        if held is None:
            return _hold(history, HoldKind.LOCK, environment, holder, why, until)
        longer = dataclasses.replace(held, until=max(held.until, until), updated_at=clock.instant())
        if longer.until != held.until:
            text = f"{holder} keeps the lock of {environment} {ending(longer.until)}"
            history.record(longer, Event("lock.extended", held.subject, text, holder))
        return longer


def unlock(history: History, environment: str, *, holder: str | None, who: str, why: str) -> Hold | None:
    """Give a lock back (``holder``: only when it is this one's); return it, or ``None`` when there was none."""
    with history.transaction():
        held = lock_of(history, environment)
        if held is None or holder not in (None, held.holder):
            return None
        for release in history.find(Release, environment=environment, state=ReleaseState.WAITING):
            wakes.wake(history, release.subject, "a lock was given back")
        return _lift(history, held, who, why)


def _hold(history: History, kind: HoldKind, environment: str, holder: str, why: str, until: str) -> Hold:
    moment = clock.instant()
    made = Hold(clock.new_id("hold"), kind, environment, holder, why, HoldState.STANDING, until, moment, moment)
    where = environment or "every environment"
    end = ending(until)
    word = "frozen" if kind is HoldKind.FREEZE else "locked"
    data = {"environment": environment, "until": until, "holder": holder}
    history.record(
        made, Event(f"{kind}.begun", made.subject, f"{where} is {word} {end} by {holder}: {why}", holder, data)
    )
    return made


def _lift(history: History, hold: Hold, who: str, why: str) -> Hold:
    over = dataclasses.replace(hold, state=HoldState.LIFTED, lifted_by=who, lifted_why=why, updated_at=clock.instant())
    because = f": {why}" if why else ""
    text = f"{hold.kind} of {hold.environment or 'every environment'} lifted by {who}{because}"
    history.record(over, Event(f"{hold.kind}.lifted", hold.subject, text, who, {"environment": hold.environment}))
    return over
