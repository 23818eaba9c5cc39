"""How many hand-overs there were, by agent, kind and status: the rows of ``sync_records``, counted without making them."""

from __future__ import annotations

import json
from collections import Counter

from ecluse.dataclass import dataclass
from ecluse.history.store import History
from ecluse.history.sync_records import STATUS, STATUSES, TYPES, kind_of
from ecluse.model import ChangeState

_ONCE = ("export.done", "export.refused", "import.refused")
"""One row for each subject, however often it is told."""

_EACH = ("change.refused", "change.undone", "push.done", "push.failed")


@dataclass(frozen=True, slots=True)
class SyncCount:
    """How many hand-overs of one agent (or person) there were; ``others`` are of kinds that only
    older tools recorded.
    """

    agent: str
    exports: int
    imports: int
    undos: int
    pushes: int
    others: int
    success: int
    partial: int
    failed: int


def by_agent(history: History) -> tuple[SyncCount, ...]:
    """One entry for each agent, the busiest first."""
    counts = _counts(history)
    totals: Counter[str] = Counter()
    for (agent, _, _), number in counts.items():
        totals[agent] += number
    return tuple(_of(agent, counts) for agent, _ in sorted(totals.items(), key=lambda one: (-one[1], one[0])))


def _of(agent: str, counts: Counter[tuple[str, str, str]]) -> SyncCount:
    own = {key[1:]: number for key, number in counts.items() if key[0] == agent}
    exports, imports, undos, pushes = (sum(n for (kind, _), n in own.items() if kind == one) for one in TYPES)
    success, partial, failed = (sum(n for (_, status), n in own.items() if status == one) for one in STATUSES)
    others = sum(own.values()) - exports - imports - undos - pushes
    return SyncCount(agent, exports, imports, undos, pushes, others, success, partial, failed)


def _counts(history: History) -> Counter[tuple[str, str, str]]:
    """(agent, kind, status) -> how many."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for agent, state, number in history.execute("SELECT agent, state, count(*) FROM changes GROUP BY agent, state"):
        counts[agent, "import", STATUS[ChangeState(state)]] += int(number)
    left_out = "data LIKE '%\"omissions\":[%' AND data NOT LIKE '%\"omissions\":[]%'"
    marks = ", ".join("?" for _ in (*_ONCE, *_EACH))
    rows = history.execute(
        f"SELECT actor, kind, CASE WHEN {left_out} THEN 1 ELSE 0 END, count(*), count(DISTINCT subject) FROM events "  # noqa: S608 - our own names
        f"WHERE kind IN ({marks}) GROUP BY 1, 2, 3",
        (*_ONCE, *_EACH),
    )
    for actor, kind, omitted, every, subjects in rows:
        status = "partial" if omitted and kind == "export.done" else STATUS[kind]
        counts[actor, kind_of(kind), status] += int(subjects if kind in _ONCE else every)
    unfinished = history.execute(
        "SELECT actor, kind, count(*) FROM events AS begun WHERE kind IN ('export.begun', 'import.begun') AND NOT EXISTS "
        "(SELECT 1 FROM events AS later WHERE later.subject = begun.subject AND later.number > begun.number) "
        "GROUP BY actor, kind"
    )
    for actor, kind, number in unfinished:
        counts[actor, kind_of(kind), STATUS[kind]] += int(number)
    for actor, data in history.execute("SELECT actor, data FROM events WHERE kind = 'sync.imported'"):
        said = json.loads(data)
        counts[actor, str(said.get("sync_type", "")), str(said.get("status", ""))] += 1
    return counts
