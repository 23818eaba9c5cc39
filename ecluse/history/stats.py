"""Counts and rates over the whole history, for people who ask how the line is doing. Portable SQL, no writing."""

from __future__ import annotations

from datetime import datetime, timedelta

from ecluse.clock import instant, now
from ecluse.dataclass import dataclass
from ecluse.history import sync_counts
from ecluse.history.outcomes import FlakyTest, LandingChecks, VersionChecks, flaky_tests, per_landing, per_version
from ecluse.history.store import History
from ecluse.history.sync_counts import SyncCount
from ecluse.model import ChangeState, DeploymentState, LandingState, ReleaseState, RunState, Verdict

DAYS = 14
"""How many days, today included, the daily counts cover."""

_TOP_AGENTS = 50


@dataclass(frozen=True, slots=True)
class AgentCount:
    """What came of one agent's changes. Every revision counts; ``red`` is landings whose checks were red."""

    agent: str
    changes: int
    landed: int
    waiting: int
    rejected: int
    red: int

    @property
    def landed_rate(self) -> float | None:
        """Share of the changes that landed, 0 to 1; ``None`` when there are none."""
        return self.landed / self.changes if self.changes else None


@dataclass(frozen=True, slots=True)
class DayCount:
    """What happened on one UTC day (``YYYY-MM-DD``)."""

    day: str
    received: int
    landed: int
    red: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How many values there are, the middle one, the one that 90 in 100 stay below, and the largest."""

    count: int
    median: float
    ninetieth: float
    largest: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """Everything the page of statistics shows. Sizes are bytes, durations milliseconds, counts keep their state."""

    agents: tuple[AgentCount, ...]
    days: tuple[DayCount, ...]
    verdicts: dict[str, int]
    methods: dict[str, int]
    changes: dict[str, int]
    runs: dict[str, int]
    landings: dict[str, int]
    releases: dict[str, int]
    deployments: dict[str, int]
    check_ms: Spread | None
    landing_ms: Spread | None
    change_bytes: Spread | None
    events: int
    checks: tuple[LandingChecks, ...] = ()
    versions: tuple[VersionChecks, ...] = ()
    flaky: tuple[FlakyTest, ...] = ()
    syncs: tuple[SyncCount, ...] = ()

    @property
    def green_rate(self) -> float | None:
        """Share of the decided landings that were green, 0 to 1; ``None`` before the first decision."""
        green = self.landings.get(LandingState.LANDED.value, 0)
        red = self.landings.get(LandingState.RED.value, 0)
        return green / (green + red) if green + red else None


def gather(history: History, days: int = DAYS) -> Statistics:
    """Count everything; the daily counts cover the last ``days`` days, the rest all time."""
    return Statistics(
        agents=by_agent(history),
        days=by_day(history, days),
        verdicts=_ordered(_counts(history, "changes", "verdict"), ["", *Verdict]),
        methods=dict(sorted(_counts(history, "changes", "method").items())),
        changes=_ordered(_counts(history, "changes", "state"), list(ChangeState)),
        runs=_ordered(_counts(history, "runs", "state"), list(RunState)),
        landings=_ordered(_counts(history, "landings", "state"), list(LandingState)),
        releases=_ordered(_counts(history, "releases", "state"), list(ReleaseState)),
        deployments=_ordered(_counts(history, "deployments", "state"), list(DeploymentState)),
        check_ms=_spread(history, "duration_ms", "runs", "state IN ('green', 'red')"),
        landing_ms=_landing_spread(history),
        change_bytes=_spread(history, "size_bytes", "changes", "size_bytes > 0"),
        events=history.last_event(),
        checks=per_landing(history),
        versions=per_version(history),
        flaky=flaky_tests(history),
        syncs=sync_counts.by_agent(history),
    )


def by_agent(history: History) -> tuple[AgentCount, ...]:
    """One line per agent, the busiest first, at most fifty."""
    rows = history.execute(
        "SELECT agent, count(*), sum(CASE WHEN state = 'landed' THEN 1 ELSE 0 END), "
        "sum(CASE WHEN state IN ('quarantined', 'conflict') THEN 1 ELSE 0 END), "
        "sum(CASE WHEN state = 'rejected' THEN 1 ELSE 0 END) "
        "FROM changes GROUP BY agent ORDER BY count(*) DESC, agent LIMIT ?",
        (_TOP_AGENTS,),
    )
    red = dict(history.execute("SELECT agent, count(*) FROM landings WHERE state = 'red' GROUP BY agent"))
    return tuple(
        AgentCount(agent, int(total), int(landed), int(waiting), int(rejected), int(red.get(agent, 0)))
        for agent, total, landed, waiting, rejected in rows
    )


def by_day(history: History, days: int = DAYS) -> tuple[DayCount, ...]:
    """One entry for each of the last ``days`` days, oldest first, days without anything included."""
    names = [instant(now() - timedelta(days=back))[:10] for back in range(days - 1, -1, -1)]
    received = _daily(
        history, "SELECT substr(created_at, 1, 10), count(*) FROM changes WHERE created_at >= ?", names[0]
    )
    landed = _daily(
        history,
        "SELECT substr(updated_at, 1, 10), count(*) FROM landings WHERE state = 'landed' AND updated_at >= ?",
        names[0],
    )
    red = _daily(
        history,
        "SELECT substr(updated_at, 1, 10), count(*) FROM landings WHERE state = 'red' AND updated_at >= ?",
        names[0],
    )
    return tuple(DayCount(day, received.get(day, 0), landed.get(day, 0), red.get(day, 0)) for day in names)


def _daily(history: History, sql: str, since: str) -> dict[str, int]:
    return {day: int(number) for day, number in history.execute(f"{sql} GROUP BY 1", (since,))}


def _counts(history: History, table: str, column: str) -> dict[str, int]:
    sql = f"SELECT coalesce({column}, ''), count(*) FROM {table} GROUP BY coalesce({column}, '')"  # noqa: S608 - our own names
    return {str(value): int(number) for value, number in history.execute(sql)}


def _ordered(counts: dict[str, int], order: list[str]) -> dict[str, int]:
    return {str(name): counts[name] for name in order if name in counts}


def _spread(history: History, column: str, table: str, where: str) -> Spread | None:
    """The spread of one column, found by rank so that no engine function is needed (nearest-rank percentiles)."""
    count = int(history.execute(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])  # noqa: S608 - our own names
    if count == 0:
        return None

    def at(rank: int) -> float:
        sql = f"SELECT {column} FROM {table} WHERE {where} ORDER BY {column} LIMIT 1 OFFSET ?"  # noqa: S608 - our own names
        return float(history.execute(sql, (rank,))[0][0])

    median = at(count // 2) if count % 2 else (at(count // 2 - 1) + at(count // 2)) / 2
    ninetieth = at(-(-count * 9 // 10) - 1)
    return Spread(count, median, ninetieth, at(count - 1))


def _landing_spread(history: History) -> Spread | None:
    """How long landed landings took from the request to the moved ref; instants are text, so this is not left to SQL."""
    rows = history.execute("SELECT created_at, updated_at FROM landings WHERE state = 'landed'")
    took = sorted((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() for begin, end in rows)
    if not took:
        return None
    count = len(took)
    median = took[count // 2] if count % 2 else (took[count // 2 - 1] + took[count // 2]) / 2
    ms = [max(0.0, value) * 1000 for value in (median, took[-(-count * 9 // 10) - 1], took[-1])]
    return Spread(count, *ms)
