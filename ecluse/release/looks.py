"""What a watch looks at beside health and smoke: logs, response times, numbers that commands print, external monitors.

Rates are compared with the window before: commands see ``$ECLUSE_FROM`` and ``$ECLUSE_TO`` (Unix seconds) and are asked
once for the same length of time before the version went live, then for the time since. Response times are compared
with the median of the watch before, which the history keeps.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ecluse.errors import Failed
from ecluse.release.deploy.host import HERE, Host
from ecluse.release.probes import Seen, look_at_answer

ENOUGH = 5
"""Answers that a median of response times needs."""


@dataclass(slots=True)
class Facts:
    """What a watch has gathered: answers in milliseconds, log lines and errors among them, numbers by name."""

    times: list[float] = field(default_factory=list)
    lines: int = 0
    errors: int = 0
    before: dict[str, float] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def median_ms(self) -> float:
        """The middle of all answers; 0 while there is none."""
        return statistics.median(self.times) if self.times else 0.0

    @property
    def error_rate(self) -> float:
        """Errors per 100 log lines."""
        return 100.0 * self.errors / self.lines if self.lines else 0.0


@dataclass(frozen=True, slots=True)
class Extras:
    """What is looked at beside health and smoke, as the policy has it (``[environments.NAME.watch]``)."""

    hosts: tuple[Host, ...]
    logs: str
    settings: dict[str, Any]
    variables: dict[str, str]
    median_before: float

    @property
    def is_nothing(self) -> bool:
        return not (self.logs or self.settings)


def extras_of(request: dict[str, Any]) -> Extras:
    """The extras of a watch's request; one of an earlier version has none."""
    hosts = tuple(Host(name, request.get("ssh_config", "")) for name in request.get("hosts") or [HERE])
    variables = {str(k): str(v) for k, v in request.get("variables", {}).items()}
    settings = request.get("extras", {})
    return Extras(hosts, request.get("logs", ""), settings, variables, float(request.get("median_before", 0.0)))


def look_before(extras: Extras, facts: Facts, live_at: float, window: float) -> None:
    """Ask every metric for the window before the version went live. One that cannot tell is not compared."""
    for metric in extras.settings.get("metrics", ()):
        try:
            facts.before[metric["name"]] = _number(extras, metric, live_at - window, live_at) / window
        except Failed:
            continue


def look(extras: Extras, facts: Facts, began: float, now: float) -> tuple[list[Seen], bool]:
    """One round: what is not well, and whether one of it ends the watch at once."""
    seen: list[Seen] = []
    fatal = False
    if extras.logs:
        told, fatal = _look_at_logs(extras, facts, began, now)
        seen += told
    seen += _look_at_times(extras, facts)
    seen += [_look_at_monitor(one) for one in extras.settings.get("monitors", ())]
    for metric in extras.settings.get("metrics", ()):
        seen.append(_look_at_metric(extras, facts, metric, began, now))
    return [one for one in seen if not one.well], fatal


def _look_at_logs(extras: Extras, facts: Facts, began: float, now: float) -> tuple[list[Seen], bool]:
    """Read the log lines since the watch began, on every host."""
    try:
        lines = [line for host in extras.hosts for line in _ask(extras, host, extras.logs, began, now).splitlines()]
    except Failed as problem:
        return [Seen(False, f"the logs could not be read: {problem.message}")], False
    settings = extras.settings
    fatal = _first(settings.get("fatal", ""), lines)
    if fatal is not None:
        return [Seen(False, f"the log says: {fatal[:300]}")], True
    facts.lines = len(lines)
    errors = _matching(settings.get("errors", ""), lines)
    facts.errors = len(errors)
    limit = settings.get("max_error_rate")
    if limit is not None and facts.error_rate > limit:
        said = (
            f"{facts.errors} of {facts.lines} log lines are errors ({facts.error_rate:.1f} in 100, {limit:g} are well)"
        )
        return [Seen(False, f"{said}; the last: {errors[-1][:200]}")], False
    return [], False


def _look_at_times(extras: Extras, facts: Facts) -> list[Seen]:
    if len(facts.times) < ENOUGH:
        return []
    slow, ratio = extras.settings.get("slow_ms"), extras.settings.get("slow_ratio")
    median = statistics.median(facts.times[-4 * ENOUGH :])
    if slow is not None and median > slow:
        return [Seen(False, f"half of the answers take more than {median:.0f} ms ({slow:g} ms are well)")]
    if ratio is not None and extras.median_before and median > extras.median_before * ratio:
        said = f"half of the answers take more than {median:.0f} ms, {extras.median_before:.0f} ms in the watch before"
        return [Seen(False, said)]
    return []


def _look_at_monitor(monitor: dict[str, Any]) -> Seen:
    contains = str(monitor.get("contains", ""))
    return look_at_answer("GET", str(monitor["url"]), int(monitor.get("expect", 200)), contains)


def _look_at_metric(extras: Extras, facts: Facts, metric: dict[str, Any], began: float, now: float) -> Seen:
    name = str(metric["name"])
    span = max(now - began, 1.0)
    try:
        number = _number(extras, metric, began, now)
    except Failed as problem:
        return Seen(False, f"{name} could not be read: {problem.message}")
    facts.numbers[name] = number
    before = facts.before.get(name)
    low, high = metric.get("min_ratio"), metric.get("max_ratio")
    if before is None:
        return Seen(True, f"{name} is {number:g}")
    rate = number / span
    said = f"{name} is {rate * 60:.3g} a minute, {before * 60:.3g} in the window before"
    too_low = low is not None and rate < before * low
    too_high = high is not None and rate > before * high
    return Seen(not (too_low or too_high), said)


def _number(extras: Extras, metric: dict[str, Any], since: float, until: float) -> float:
    said = _ask(extras, extras.hosts[0], str(metric["command"]), since, until)
    try:
        return float(said.split()[-1])
    except (ValueError, IndexError):
        raise Failed("watch.number", f"it printed {said[:80]!r}, not a number", "look at ecluse.toml") from None


def _ask(extras: Extras, host: Host, script: str, since: float, until: float) -> str:
    variables = {**extras.variables, "ECLUSE_FROM": str(int(since)), "ECLUSE_TO": str(int(until))}
    return host.text(script, variables=variables)


def _first(pattern: str, lines: Sequence[str]) -> str | None:
    return next(iter(_matching(pattern, lines)), None)


def _matching(pattern: str, lines: Sequence[str]) -> list[str]:
    if not pattern:
        return []
    wanted = re.compile(pattern)
    return [line for line in lines if wanted.search(line)]
