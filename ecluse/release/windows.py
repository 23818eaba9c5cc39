"""Times of the week in which nothing goes live: ``sat-sun``, ``fri 16:00-24:00``, ``fri 16:00 - mon 06:00``.

``DAYS HH:MM-HH:MM`` means these hours of each of the days (an end before the beginning lies on the next day), ``DAYS``
alone the whole days, ``DAY HH:MM - DAY HH:MM`` one stretch. Days are English or French, ``*`` is every day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ecluse.errors import Invalid

_NAMES = (
    ("mon", "lun"),
    ("tue", "mar"),
    ("wed", "mer"),
    ("thu", "jeu"),
    ("fri", "ven"),
    ("sat", "sam"),
    ("sun", "dim"),
)
_DAYS = {name: number for number, names in enumerate(_NAMES) for name in names}
_DAY = r"([a-zé]+)"
_HOUR = r"(\d{1,2}):(\d{2})"
_STRETCH = re.compile(rf"{_DAY}\s+{_HOUR}\s*-\s*{_DAY}\s+{_HOUR}\Z")
_HOURS = re.compile(rf"(\*|[a-zé]+(?:\s*[-,]\s*[a-zé]+)*)(?:\s+{_HOUR}\s*-\s*{_HOUR})?\Z")


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nothing goes live, with its reason. It begins at ``start`` and is over at ``end`` (UTC)."""

    start: datetime
    end: datetime
    why: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Minutes after Monday 00:00, and how many of them."""

    first: int
    length: int


def covering(rule: str, zone: str, why: str, moment: datetime) -> Window | None:
    """The window of ``rule`` that ``moment`` lies in, or ``None``. Raises :class:`Invalid` for a rule that is none."""
    place = zone_of(zone)
    local = moment.astimezone(place)
    monday = datetime(local.year, local.month, local.day) - timedelta(days=local.weekday())
    spans = _spans(rule)
    weeks = (monday - timedelta(days=7), monday, monday + timedelta(days=7))
    found = [
        Window(_at(week, span.first, place), _at(week, span.first + span.length, place), why)
        for week in weeks
        for span in spans
    ]
    return _joined([window for window in found if window.start < window.end], moment)


def zone_of(name: str) -> ZoneInfo:
    """The time zone called ``name``. Raises :class:`Invalid` when this machine knows none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            "freeze.zone", f"There is no time zone {name!r} here.", "write one such as Europe/Paris, or UTC"
        ) from error


def _at(week: datetime, minutes: int, place: ZoneInfo) -> datetime:
    """The wall clock's time, so many minutes into the week, as a moment."""
    return (week + timedelta(minutes=minutes)).replace(tzinfo=place).astimezone(UTC)


def _joined(windows: list[Window], moment: datetime) -> Window | None:
    """The window at ``moment``, together with those that follow on it without a gap: ``sat-sun`` is over on Monday."""
    ordered = sorted(windows, key=lambda window: window.start)
    inside = next((window for window in ordered if window.start <= moment < window.end), None)
    if inside is None:
        return None
    end = inside.end
    for window in ordered:
        if window.start <= end < window.end:
            end = window.end
    return Window(inside.start, end, inside.why)


def _spans(rule: str) -> list[_Span]:
    words = rule.strip().lower().replace("–", "-")
    stretch = _STRETCH.match(words)
    if stretch:
        first = _day(stretch[1], rule) * 1440 + _minutes(stretch[2], stretch[3], rule)
        last = _day(stretch[4], rule) * 1440 + _minutes(stretch[5], stretch[6], rule)
        return [_Span(first, (last - first) % 10080 or 10080)]
    hours = _HOURS.match(words)
    if hours is None:
        raise _wrong(rule)
    first, length = 0, 1440
    if hours[2]:
        first = _minutes(hours[2], hours[3], rule)
        length = (_minutes(hours[4], hours[5], rule) - first) % 1440 or 1440
    return [_Span(day * 1440 + first, length) for day in _days(hours[1], rule)]


def _days(words: str, rule: str) -> list[int]:
    if words == "*":
        return list(range(7))
    found: list[int] = []
    for part in words.split(","):
        first, dash, last = part.strip().partition("-")
        start = _day(first.strip(), rule)
        end = _day(last.strip(), rule) if dash else start
        found += [(start + number) % 7 for number in range((end - start) % 7 + 1)]
    return sorted(set(found))


def _day(word: str, rule: str) -> int:
    number = _DAYS.get(word[:3])
    if number is None:
        raise _wrong(rule)
    return number


def _minutes(hour: str, minute: str, rule: str) -> int:
    total = int(hour) * 60 + int(minute)
    if total > 1440 or int(minute) > 59:
        raise _wrong(rule)
    return total


def _wrong(rule: str) -> Invalid:
    return Invalid(
        "freeze.rule",
        f"{rule!r} is not a time of the week.",
        'write it in ecluse.toml such as "sat-sun", "fri 16:00-24:00" or "fri 16:00 - mon 06:00"',
    )
